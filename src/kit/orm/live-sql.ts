import { type EntityMetadata, type EntityName, EntitySchema } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import { DELETED_AT, isSoftDeletable, type VisibleRows } from '../soft-delete/index.ts';
import { PostgresNamingStrategy } from './naming-strategy.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/** The names by which SQL knows a soft-deletable entity. */
export interface LiveMapping {
  readonly table: string;
  /** The column behind `deletedAt`. */
  readonly column: string;
}

type EntityClass = abstract new (...args: never[]) => object;

/**
 * The names of an entity. Before an ORM has started they are those of its schema and of the layer's naming strategy, so that a
 * constant of a module can have them; another strategy is known only after that. Of two ORMs that map a class to different
 * names, the one that started last counts.
 *
 * @throws SoftDeleteError for a class that is not soft-deletable.
 */
export function mappingOf(entity: EntityName<object>): LiveMapping {
  const target = (EntitySchema.is(entity) ? entity.meta.class : entity) as EntityClass;
  if (!isSoftDeletable({ class: target as never })) throw SoftDeleteError.notSoftDeletable(target.name);
  const started = (target.prototype as { __meta?: EntityMetadata }).__meta;
  const meta = started ?? EntitySchema.REGISTRY.get(target as never)?.meta;
  const naming = new PostgresNamingStrategy();
  const prop = meta?.properties[DELETED_AT as never] as
    { fieldNames?: string[]; fieldName?: string } | undefined;
  return {
    table: meta?.tableName ?? naming.classToTableName(target.name),
    column: prop?.fieldNames?.[0] ?? prop?.fieldName ?? naming.propertyToColumnName(DELETED_AT),
  };
}

/** That the rows of an entity, called `alias`, are there: the one place that knows all there is to it. */
export function predicateSql({ column }: LiveMapping, alias: string, rows: VisibleRows): string {
  if (rows === 'all') return 'true';
  const isNull = rows === 'live' ? 'is null' : 'is not null';
  return `${escapeIdentifier(alias)}.${escapeIdentifier(column)} ${isNull}`;
}

/**
 * `"b"."deleted_at" is null` as text, for a statement whose text is a constant, such as a prepared one. A constant cannot follow
 * the scope, so this never does: it means live rows everywhere. Where the scope decides, use `live`.
 *
 * @throws SoftDeleteError `SOFT_DELETE.NOT_SOFT_DELETABLE` for a class that is not registered.
 */
export function liveSql(entity: EntityName<object>, alias?: string): string {
  const mapping = mappingOf(entity);
  return predicateSql(mapping, alias ?? mapping.table, 'live');
}
