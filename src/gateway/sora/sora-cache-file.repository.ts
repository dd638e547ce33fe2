import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkIds, checkInteger } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { liveOwner, ofLiveAccount } from './lock-account.ts';
import {
  deleteSoraCacheFiles,
  type RemovedSoraFiles,
  removeSoraCacheFiles,
  type RemoveSoraFile,
} from './remove-sora-cache-files.ts';
import { checkedCacheFile } from './sora-cache-file-input.ts';
import {
  type NewSoraCacheFile,
  SORA_CACHE_FILE_COLUMNS,
  soraCacheFileRecord,
  type SoraCacheFileRecord,
  type SoraCacheFileRow,
} from './sora-cache-file-record.ts';

const BATCH = 200;
const LARGEST_BATCH = 10_000;

const CREATE = `with ${liveOwner('?')}, person as (
    select id from users where id = ?::bigint and deleted_at is null for share
  ), f as (
    insert into sora_cache_files (account_id, user_id, task_id, media_type, original_url, cache_path, cache_url, size_bytes)
    select o.id, p.id, ?::text, ?::text, ?::text, ?::text, ?::text, ?::bigint from owner o, person p returning *
  )
  select exists (select from owner) as owned, ${SORA_CACHE_FILE_COLUMNS} from (values (1)) one left join f on true`;

const LIST = `select ${SORA_CACHE_FILE_COLUMNS} from sora_cache_files f order by f.created_at, f.id limit ?`;

/** Pictures and videos on a disk of ours. Every method joins the transaction of the entity manager that it was given. */
export class SoraCacheFileRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws InvalidInputError VALIDATION; NotFoundError ACCOUNT_NOT_FOUND, USER_NOT_FOUND. */
  async create(file: NewSoraCacheFile): Promise<SoraCacheFileRecord> {
    const values = checkedCacheFile(file);
    const insert = () => this.#em.execute<(SoraCacheFileRow & { owned: boolean })[]>(CREATE, values);
    const [row] = await retryStatement(this.#em, insert);
    const { owned, ...stored } = ofLiveAccount(row);
    if (stored.id === null) throw new NotFoundError(owned ? 'User' : 'Account', gatewayErrors);
    return soraCacheFileRecord(stored);
  }

  /** The oldest first; a limit of 0 or less is none, and sends no statement. At most 10,000. */
  async listOldest(limit: number): Promise<SoraCacheFileRecord[]> {
    const rows = Math.min(checkInteger('limit', limit), LARGEST_BATCH);
    if (rows <= 0) return [];
    return (await this.#em.execute<SoraCacheFileRow[]>(LIST, [rows])).map(soraCacheFileRecord);
  }

  /** Deletes rows, and no file; answers how many there were. No statement for no ids. */
  async deleteByIds(ids: readonly Id[]): Promise<number> {
    return deleteSoraCacheFiles(this.#em, checkIds('ids', ids));
  }

  /**
   * Gives a batch of files that are older than `olderThanMs` to `remove`, the oldest first and one after the other, and deletes the
   * rows of those for which it did not throw. Any number of workers may call it at once: none gets a file that another one has. A
   * file whose row outlived a crash is given again, so `remove` must bear one that is not there any more.
   *
   * @throws InvalidInputError VALIDATION.
   */
  async removeOldest(
    cleanUp: { readonly olderThanMs: number; readonly batch?: number; readonly except?: readonly Id[] },
    remove: RemoveSoraFile,
  ): Promise<RemovedSoraFiles> {
    if (cleanUp === null || typeof cleanUp !== 'object') throw new InvalidInputError('cleanUp', 'be given');
    if (typeof remove !== 'function') throw new InvalidInputError('remove', 'be a function');
    const checked = {
      olderThanMs: checkInteger('olderThanMs', cleanUp.olderThanMs, 0),
      batch: checkInteger('batch', cleanUp.batch ?? BATCH, 1, LARGEST_BATCH),
      except: checkIds('except', cleanUp.except ?? []),
    };
    return removeSoraCacheFiles(this.#em, checked, remove);
  }
}
