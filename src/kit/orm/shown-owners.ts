import {
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  raw,
  RawQueryFragment,
  Utils,
} from '@mikro-orm/core';
import { hidingRelations, isSoftDeletable } from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';

/** How names are written in the statement that a condition is for. */
export interface SqlNames {
  quote(name: string): string;
  /** The table of an entity, quoted, with its schema where it needs one. */
  table(meta: EntityMetadata): string;
}

/** Methods of the driver, one of which the core marks as protected. */
interface Naming {
  getPlatform(): { quoteIdentifier(name: string): { toString(): string } };
  getTableName(meta: EntityMetadata, options: { schema?: string }): { toString(): string };
}

/** Names as the core writes them in a statement about `owner`: its schema counts where an entity has none of its own. */
export function namesFor(driver: object, owner: EntityMetadata, schema?: string): SqlNames {
  const naming = driver as Naming;
  const isFixed = owner.schema !== undefined && owner.schema !== '*';
  const options = schema !== undefined && !isFixed ? { schema } : {};
  return {
    quote: (name) => naming.getPlatform().quoteIdentifier(name).toString(),
    table: (meta) => naming.getTableName(meta, options).toString(),
  };
}

/**
 * The condition, as SQL, under which a row of `meta` is not hidden by a dead target; undefined for an entity that hides
 * nothing, so that its statements stay as they are. `owner` is the name of the row's table in the statement, quoted.
 *
 * A target may hide itself in turn, and its conditions are part of this one; that this ends is seen to when the ORM starts.
 */
export function shownOwners(
  meta: EntityMetadata,
  owner: string,
  names: SqlNames,
  relations: readonly EntityProperty[] = hidingRelations(meta),
): string | undefined {
  const conditions = relations.map((prop) => shownTarget(meta, prop, owner, names));
  return conditions.length > 0 ? conditions.join(' and ') : undefined;
}

function shownTarget(meta: EntityMetadata, prop: EntityProperty, owner: string, names: SqlNames): string {
  const { quote } = names;
  const target = prop.targetMeta as unknown as EntityMetadata;
  // Only the owner's columns are named inside, so that any alias but the owner's will do.
  const alias = owner === quote('shown_1') ? quote('shown_2') : quote('shown_1');
  const keys = prop.joinColumns.map(
    (column, index) =>
      `${alias}.${quote(prop.referencedColumnNames[index] ?? '')} = ${owner}.${quote(column)}`,
  );
  const live = isSoftDeletable(target) ? [`${alias}.${quote(deletedAtColumn(target))} is null`] : [];
  const conditions = [...keys, ...live, ...[shownOwners(target, alias, names) ?? []].flat()];
  const exists = `exists (select 1 from ${names.table(target)} as ${alias} where ${conditions.join(' and ')})`;
  // The columns of a child of a single-table hierarchy are empty in the rows of the others.
  const mayBeEmpty = prop.nullable === true || meta.root.inheritanceType === 'sti';
  if (!mayBeEmpty) return exists;
  const empty = prop.joinColumns.map((column) => `${owner}.${quote(column)} is null`);
  return `(${[...empty, exists].join(' or ')})`;
}

/** `cond` with a piece of SQL as one more conjunct, unless it has that one already. */
export function withSql(cond: Dictionary, sql: string | undefined): Dictionary {
  if (sql === undefined || carriesSql(cond, sql)) return cond;
  const fragment = { [raw(sql) as string]: [] };
  const isEmpty = !Utils.hasObjectKeys(cond) && Object.getOwnPropertySymbols(cond).length === 0;
  return isEmpty ? fragment : { $and: [cond, fragment] };
}

function carriesSql(cond: Dictionary, sql: string): boolean {
  const own = Object.getOwnPropertySymbols(cond);
  if (own.some((key) => RawQueryFragment.getKnownFragment(key)?.sql === sql)) return true;
  const conjuncts: unknown = cond['$and'];
  return Array.isArray(conjuncts) && conjuncts.some((part: Dictionary) => carriesSql(part, sql));
}
