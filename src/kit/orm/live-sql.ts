import { type EntityMetadata, type EntityName, EntitySchema } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import { declaredDeadTargets, DELETED_AT, isSoftDeletable, type VisibleRows } from '../soft-delete/index.ts';
import { PostgresNamingStrategy } from './naming-strategy.ts';
import { shownOwners, type SqlNames } from './shown-owners.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/** The names by which SQL knows a soft-deletable entity. */
export interface LiveMapping {
  readonly table: string;
  /** The column behind `deletedAt`; undefined for an entity that only hides rows whose target is dead. */
  readonly column: string | undefined;
  /** What the ORM knows of an entity that hides rows. */
  readonly hiding: EntityMetadata | undefined;
}

interface EntityClass {
  readonly name: string;
  readonly prototype: { readonly __meta?: EntityMetadata };
}

const classOf = (entity: EntityName<object>): EntityClass =>
  (EntitySchema.is(entity) ? entity.meta.class : entity) as EntityClass;

/** Where the ORM that was started last has left what it knows of an entity. */
export const startedClass = (entity: EntityName<object>): EntityClass['prototype'] =>
  classOf(entity).prototype;

/**
 * The names of an entity. Before an ORM has started they are those of its schema and of the layer's naming strategy, so that a
 * constant of a module can have them; another strategy is known only after that. Of two ORMs that map a class to different
 * names, the one that started last counts.
 *
 * @throws SoftDeleteError for a class whose rows are always there, and before an ORM has started for one that hides rows by a
 * relation: only the ORM knows where that leads.
 */
export function mappingOf(entity: EntityName<object>): LiveMapping {
  const target = classOf(entity);
  const isDeletable = isSoftDeletable({ class: target as never });
  const isHiding = Object.values(declaredDeadTargets({ class: target as never })).includes('hide');
  if (!isDeletable && !isHiding) throw SoftDeleteError.notSoftDeletable(target.name);
  const started = target.prototype.__meta;
  if (isHiding && !started) throw SoftDeleteError.mapping(target.name, HIDES_BEFORE_START);
  const meta = started ?? EntitySchema.REGISTRY.get(target as never)?.meta;
  const naming = new PostgresNamingStrategy();
  const prop = meta?.properties[DELETED_AT as never] as
    { fieldNames?: string[]; fieldName?: string } | undefined;
  return {
    table: meta?.tableName ?? naming.classToTableName(target.name),
    column: isDeletable
      ? (prop?.fieldNames?.[0] ?? prop?.fieldName ?? naming.propertyToColumnName(DELETED_AT))
      : undefined,
    hiding: isHiding ? started : undefined,
  };
}

const HIDES_BEFORE_START =
  'hides rows by a relation, and only an ORM that has started knows where that leads. Make the text after that.';

const NAMES: SqlNames = {
  quote: escapeIdentifier,
  table: ({ schema, tableName }) =>
    [...(schema && schema !== '*' ? [schema] : []), tableName].map(escapeIdentifier).join('.'),
};

/** That the rows of an entity, called `alias`, are there: the one place that knows all there is to it. */
export function predicateSql({ column, hiding }: LiveMapping, alias: string, rows: VisibleRows): string {
  if (rows === 'all') return 'true';
  const owner = escapeIdentifier(alias);
  const mark =
    column && `${owner}.${escapeIdentifier(column)} ${rows === 'live' ? 'is null' : 'is not null'}`;
  // In a scope nothing is hidden.
  const shown = rows === 'live' && hiding ? shownOwners(hiding, owner, NAMES) : undefined;
  return [mark, shown].filter(Boolean).join(' and ') || 'true';
}

/**
 * `"b"."deleted_at" is null` as text, for a statement whose text is a constant, such as a prepared one. A constant cannot follow
 * the scope, so this never does: it means live rows everywhere. Where the scope decides, use `live`.
 *
 * @throws SoftDeleteError `SOFT_DELETE.NOT_SOFT_DELETABLE` for a class that is not registered and hides no rows.
 */
export function liveSql(entity: EntityName<object>, alias?: string): string {
  const mapping = mappingOf(entity);
  return predicateSql(mapping, alias ?? mapping.table, 'live');
}
