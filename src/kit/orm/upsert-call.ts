import { AsyncLocalStorage } from 'node:async_hooks';
import { type Dictionary, type EntityMetadata, helper, Utils } from '@mikro-orm/core';
import { currentScope, guardsWrites, isSoftDeletable, upsertPolicyOf } from '../soft-delete/index.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { SoftDeleteError } from './soft-delete-error.ts';
import { inferredFields } from './upsert-target.ts';

const running = new AsyncLocalStorage<true>();

/** Runs the core's upsert. It reads back what it did not write, which is a live row in every scope. */
export function inUpsert<T>(work: () => T): T {
  return running.run(true, work);
}

/** Whether the calling code is inside {@link inUpsert}. */
export function isInUpsert(): boolean {
  return running.getStore() === true;
}

/**
 * The options of an upsert of these rows as the layer hands them to the core: with the key that the core would not infer,
 * and without batches, of which one could be written and the next refused.
 *
 * @throws SoftDeleteError when the entity has no policy, or is a view.
 */
export function upsertOptions(
  meta: EntityMetadata,
  rows: readonly object[],
  options: Dictionary = {},
): Dictionary {
  if (!isSoftDeletable(meta)) return options;
  refuseViewWrite(meta);
  if (guardsWrites(currentScope()) && !upsertPolicyOf(meta)) throw SoftDeleteError.upsert(meta.className);
  const inferred = options['onConflictFields'] ? undefined : inferredFields(meta, valuesOf(rows[0] ?? {}));
  return {
    ...options,
    ...(inferred && { onConflictFields: inferred }),
    ...(rows.length > 1 && { batchSize: rows.length }),
  };
}

function valuesOf(row: object): Dictionary {
  if (!Utils.isEntity(row)) return row;
  return { ...row, ...Utils.getPrimaryKeyCond(row, helper(row).__meta.primaryKeys) };
}
