import { type Dictionary, type EntityMetadata, raw, type Transaction, Utils } from '@mikro-orm/core';
import { QueryBuilder } from '@mikro-orm/postgresql';
import { SoftDeletedRowError } from '../errors/index.ts';
import { currentScope } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { namesFor, shownOwners } from './shown-owners.ts';

/** That a dead target hides the row of `alias`; undefined for an entity that hides nothing, and in a scope, where nothing is hidden. */
export function hiddenSql(
  driver: DataDriver,
  meta: EntityMetadata,
  alias: string,
  schema?: string,
): string | undefined {
  if (currentScope()) return undefined;
  const names = namesFor(driver, meta, schema);
  const shown = shownOwners(meta, names.quote(alias), names);
  return shown && `not (${shown})`;
}

/**
 * Asked when an upsert of an entity that is not soft-deletable itself wrote fewer rows than it was given: throws when one
 * of them met a hidden row. Where none did, the program's own options have left the row as it is.
 *
 * @throws SoftDeletedRowError with the primary keys of the hidden rows.
 */
export async function refuseHiddenConflicts(
  driver: DataDriver,
  meta: EntityMetadata,
  conditions: readonly unknown[],
  { ctx, schema }: { readonly ctx?: Transaction; readonly schema?: string },
): Promise<void> {
  const $or = conditions.map((condition) => byUniqueKey(meta, condition)).filter(Utils.hasObjectKeys);
  if ($or.length === 0) return;
  // The core's own builder: the guarded one does not see the rows that are looked for.
  const builder = new QueryBuilder<object>(meta.class, driver.getMetadata(), driver, ctx, undefined, 'write');
  const hidden = raw((alias) => hiddenSql(driver, meta, alias, schema) ?? 'false');
  const rows = await builder
    .withSchema(driver.getSchemaName(meta, schema === undefined ? {} : { schema }))
    .comment('soft-delete: all rows, because an upsert that wrote too few looks for hidden ones')
    .select(meta.primaryKeys as never)
    .where({ $and: [{ $or }, { [hidden as unknown as string]: [] }] } as never)
    .execute<Dictionary[]>('all');
  if (rows.length === 0) return;
  const keys = rows.map((row) => meta.primaryKeys.map((name) => String(row[name])).join(', '));
  throw new SoftDeletedRowError(meta.className, keys);
}

function byUniqueKey(meta: EntityMetadata, condition: unknown): Dictionary {
  if (Utils.isPlainObject(condition)) return condition;
  return condition == null ? {} : { [Utils.getPrimaryKeyHash(meta.primaryKeys)]: condition };
}
