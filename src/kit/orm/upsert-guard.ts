import { type Dictionary, type EntityMetadata, raw, type Transaction, Utils } from '@mikro-orm/core';
import { QueryBuilder } from '@mikro-orm/postgresql';
import { SoftDeletedRowError } from '../errors/index.ts';
import { currentScope, DELETED_AT, hidingRelations, isSoftDeletable } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { namesFor, shownOwners } from './shown-owners.ts';

/**
 * Asked when an upsert wrote fewer rows than it was given: throws when one of them met a dead row. Where none did, the
 * program's own options (`ignore`, `onConflictWhere`) have left the row as it is.
 *
 * @throws SoftDeletedRowError with the primary keys of the dead rows, whichever unique key the upsert went by.
 */
export async function refuseDeadConflicts(
  driver: DataDriver,
  meta: EntityMetadata,
  conditions: readonly unknown[],
  ctx?: Transaction,
): Promise<void> {
  const $or = conditions.map((condition) => byUniqueKey(meta, condition)).filter(Utils.hasObjectKeys);
  if ($or.length === 0) return;
  // The core's own builder: the guarded one does not see the rows that are looked for.
  const builder = new QueryBuilder<object>(meta.class, driver.getMetadata(), driver, ctx, undefined, 'write');
  const dead = await builder
    .select(meta.primaryKeys as never)
    .where({ $and: [{ $or }, { $or: absent(driver, meta) }] } as never)
    .execute<Dictionary[]>('all');
  if (dead.length === 0) return;
  const keys = dead.map((row) => meta.primaryKeys.map((name) => String(row[name])).join(', '));
  throw new SoftDeletedRowError(meta.className, keys);
}

/** What the guarded builder does not see: dead rows, and rows that are hidden by a dead target. */
function absent(driver: DataDriver, meta: EntityMetadata): Dictionary[] {
  const names = namesFor(driver, meta);
  const dead = isSoftDeletable(meta) ? [{ [DELETED_AT]: { $ne: null } }] : [];
  if (currentScope() || hidingRelations(meta).length === 0) return dead;
  const hidden = raw((alias) => `not (${shownOwners(meta, names.quote(alias), names)})`);
  return [...dead, { [hidden as unknown as string]: [] }];
}

function byUniqueKey(meta: EntityMetadata, condition: unknown): Dictionary {
  if (Utils.isPlainObject(condition)) return condition;
  return condition == null ? {} : { [Utils.getPrimaryKeyHash(meta.primaryKeys)]: condition };
}
