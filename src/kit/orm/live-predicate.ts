import { type Dictionary, type EntityMetadata, type EntityProperty, Utils } from '@mikro-orm/core';
import { DELETED_AT, type VisibleRows } from '../soft-delete/index.ts';

/**
 * `cond`, in the form that the query builder keeps it, with `deleted_at IS NULL` (IS NOT NULL for `dead` rows) of `alias`,
 * of the only table where a statement has no aliases. It is added only where it is not already a conjunct of the
 * condition: a predicate of another alias, or one inside `$or` or `$not`, does not count.
 */
export function withPredicate(cond: Dictionary, rows: VisibleRows, alias?: string): Dictionary {
  if (rows === 'all') return cond;
  return withConjunct(cond, alias === undefined ? DELETED_AT : `${alias}.${DELETED_AT}`, rows);
}

/** The same for the condition of ON CONFLICT DO UPDATE, which names columns of the table, beside those of `excluded`. */
export function withColumnPredicate(
  cond: Dictionary,
  meta: EntityMetadata,
  rows: 'live' | 'dead',
): Dictionary {
  return withConjunct(cond, `${meta.tableName}.${deletedAtColumn(meta)}`, rows);
}

/** The column behind `deletedAt`. */
export function deletedAtColumn(meta: EntityMetadata): string {
  const prop = meta.properties[DELETED_AT as never] as EntityProperty;
  return prop.fieldNames[0] ?? 'deleted_at';
}

function withConjunct(cond: Dictionary, key: string, rows: 'live' | 'dead'): Dictionary {
  if (carriesPredicate(cond, key, rows)) return cond;
  const predicate = { [key]: rows === 'live' ? null : { $ne: null } };
  const isEmpty = !Utils.hasObjectKeys(cond) && Object.getOwnPropertySymbols(cond).length === 0;
  return isEmpty ? predicate : { $and: [cond, predicate] };
}

function carriesPredicate(cond: Dictionary, key: string, rows: 'live' | 'dead'): boolean {
  if (key in cond && isPredicate(cond[key], rows)) return true;
  const conjuncts: unknown = cond['$and'];
  return Array.isArray(conjuncts) && conjuncts.some((part: Dictionary) => carriesPredicate(part, key, rows));
}

function isPredicate(value: unknown, rows: 'live' | 'dead'): boolean {
  if (rows === 'live') return value === null;
  return Utils.isPlainObject<Dictionary>(value) && value['$ne'] === null && Object.keys(value).length === 1;
}

/** The properties that a write sets by itself (`updated_at`), which a soft delete therefore sets too. */
export function instantsSetOnUpdate(meta: EntityMetadata): string[] {
  return meta.props.filter((prop) => prop.onUpdate && prop.runtimeType === 'Date').map((prop) => prop.name);
}
