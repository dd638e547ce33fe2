import { type Dictionary, type EntityMetadata, helper, type Primary, Utils } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { type DeletedScope, isSoftDeletable } from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';
import { shownOwners, type SqlNames } from './shown-owners.ts';

/** Primary keys of a condition by key, as text for a message; one entry per row. */
export function keysOf(meta: EntityMetadata, conditions: readonly unknown[]): string[] {
  return conditions.map((condition) => serialiseKey(Utils.getOrderedPrimaryKeys(condition as never, meta)));
}

/** The keys of `conditions` that the returned rows (by column name) do not hold. */
export function missingKeys(
  meta: EntityMetadata,
  conditions: readonly unknown[],
  rows: readonly Dictionary[],
): string[] {
  const columns = meta.getPrimaryProps().flatMap((prop) => prop.fieldNames);
  const written = new Set(rows.map((row) => serialiseKey(columns.map((column) => row[column] as unknown))));
  return keysOf(meta, conditions).filter((key) => !written.has(key));
}

function serialiseKey(values: readonly unknown[]): string {
  return values.flat().map(String).join(', ');
}

/**
 * The batched update (`CASE WHEN … END`) is the one statement that the core writes as text and not through the query
 * builder; it always ends in RETURNING with the primary keys, and the predicates go right before that.
 */
export function guardBatchUpdate(
  meta: EntityMetadata,
  names: SqlNames,
  scope: DeletedScope | undefined,
): (sql: string) => string {
  const live = isSoftDeletable(meta) ? `${names.quote(deletedAtColumn(meta))} is null` : undefined;
  const shown = scope ? undefined : shownOwners(meta, names.quote(meta.tableName), names);
  const predicates = [live, shown].filter((one) => one !== undefined).map((one) => ` and ${one}`);
  return (sql) => {
    const returning = sql.lastIndexOf(' returning ');
    return `${sql.slice(0, returning)}${predicates.join('')}${sql.slice(returning)}`;
  };
}

/** Whether the identity map holds an entity of the class, or of one that shares its table. */
export const keepsEntities = (em: SqlEntityManager, meta: EntityMetadata): boolean =>
  em.getUnitOfWork().getIdentityMap().getStore(meta.root).size > 0;

/** Takes rows that a bulk delete has marked out of the identity map; stock MikroORM leaves them to be found by key. */
export function forgetDeleted(em: SqlEntityManager, meta: EntityMetadata, rows: readonly Dictionary[]): void {
  if (!keepsEntities(em, meta)) return;
  const uow = em.getUnitOfWork();
  for (const row of rows) {
    const key = em.getDriver().mapResult<object>(row, meta as never);
    const entity = key && uow.getById<object>(meta.class, Utils.extractPK(key, meta) as Primary<object>);
    if (entity && helper(entity).__managed) uow.unsetIdentity(entity);
  }
}
