import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import {
  SORA_CACHE_FILE_COLUMNS,
  soraCacheFileRecord,
  type SoraCacheFileRecord,
  type SoraCacheFileRow,
} from './sora-cache-file-record.ts';

/** What a batch of the clean-up has done. */
export interface RemovedSoraFiles {
  /** Files whose removal succeeded, and whose rows are gone. */
  readonly removed: number;
  /** Files whose removal threw: their rows stay, for a later call. */
  readonly failed: readonly { readonly id: Id; readonly error: unknown }[];
}

/** Which files, and how many at once. */
export interface SoraCleanUp {
  readonly batch: number;
  readonly olderThanMs: number;
  /** Files that are passed over, such as those that have failed before. */
  readonly except: readonly Id[];
}

/** Removes a file from its disk; one that is not there any more is a success. */
export type RemoveSoraFile = (file: SoraCacheFileRecord) => unknown;

const TAKE = `select ${SORA_CACHE_FILE_COLUMNS} from sora_cache_files f
  where f.created_at <= statement_timestamp() - make_interval(secs => ?::float8 / 1000) and f.id <> all (?::bigint[])
  order by f.created_at, f.id limit ? for update skip locked`;

const DELETE = 'delete from sora_cache_files where id = any (?::bigint[])';

/**
 * Hands out the oldest files, which nobody else gets meanwhile, and then deletes the rows of those that were removed. Who dies in
 * between leaves rows without files, never files without rows: the next call hands them out again.
 */
export async function removeSoraCacheFiles(
  em: DataEntityManager,
  { batch, olderThanMs, except }: SoraCleanUp,
  remove: RemoveSoraFile,
): Promise<RemovedSoraFiles> {
  return unitOfWork(em, async (tx) => {
    const rows = await tx.execute<SoraCacheFileRow[]>(TAKE, [olderThanMs, `{${except.join(',')}}`, batch]);
    const removed: Id[] = [];
    const failed: { id: Id; error: unknown }[] = [];
    for (const file of rows.map(soraCacheFileRecord)) {
      try {
        await remove(file);
        removed.push(file.id);
      } catch (error) {
        failed.push({ id: file.id, error });
      }
    }
    await deleteSoraCacheFiles(tx, removed);
    return { removed: removed.length, failed };
  });
}

/** Deletes rows and leaves files; answers how many rows there were. */
export async function deleteSoraCacheFiles(em: DataEntityManager, ids: readonly Id[]): Promise<number> {
  if (ids.length === 0) return 0;
  const values = [`{${ids.join(',')}}`];
  return (await em.execute<{ affectedRows: number }>(DELETE, values, 'run')).affectedRows;
}
