import type { DataRepository } from '../kit/orm/index.ts';
import { say } from './open.ts';
import type { OpenedOrm } from './open-orm.ts';
import { keyFor, keyOf } from './trash-arguments.ts';
import type { TrashEntity } from './trash-entity.ts';

interface AloneOptions {
  readonly key: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** Undoes what a dry run has done, whose answer it carries. */
class NothingWritten extends Error {}

/**
 * Lifts the mark of one row of an entity without a journal. What fell with it is not known; a dry run does it and takes it back, so
 * that the database itself tells what is in the way.
 *
 * @throws RestoreError for a row that is not deleted.
 */
export async function restoreAlone(
  { target, em }: OpenedOrm,
  { entity, name }: TrashEntity,
  { key, json, dryRun = false }: AloneOptions,
): Promise<void> {
  const { RestoreError } = await import('../kit/deletion/index.ts');
  const value = keyFor(em, entity, key);
  try {
    await em.transactional(async (tx) => {
      const repository = tx.getRepository(entity) as unknown as DataRepository<object>;
      if (!(await keyOf(name, () => repository.restoreByKey(value as never))))
        throw RestoreError.neverDeleted(name);
      if (dryRun) throw new NothingWritten();
    });
  } catch (error) {
    if (!(error instanceof NothingWritten)) throw error;
  }
  if (json) return say(JSON.stringify({ target, alone: { entity: name, key, written: !dryRun } }));
  const what = `the mark of one row of ${name}; it has no journal that tells what fell with it`;
  return say(dryRun ? `It would lift ${what}. Nothing was written.` : `Lifted ${what}.`);
}
