import {
  type EntityKey,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
  EntitySchema,
  JsonType,
  ReferenceKind,
} from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import { storedInstant } from './stored-instant.ts';

/** Reads the columns of one entity out of rows that a statement of your own gives. */
export interface RowReader<Entity> {
  /** For the select list: `"k"."id" as "k_id"`, and so on. */
  readonly columns: string;
  /**
   * A plain object with the entity's properties, converted as the ORM converts them; a relation is `{ id }`, whether its target
   * is live or not. Undefined where an outer join has found no row.
   */
  read(row: Readonly<Record<string, unknown>>): Entity | undefined;
}

interface Part {
  readonly name: string;
  readonly from: string;
  readonly column: string;
  readonly convert: ((value: unknown) => unknown) | undefined;
}

type EntityClass = abstract new (...args: never[]) => object;

const known = new WeakMap<EntityMetadata, Map<string, RowReader<never>>>();

/**
 * The reader of an entity under an alias; give `properties` to read only some. It makes no managed entity, so nothing is kept
 * for a later flush and no row is seen older than it is. An ORM must have started.
 */
export function rowReader<Entity extends object>(
  entity: EntityName<Entity>,
  alias: string,
  properties?: readonly EntityKey<Entity>[],
): RowReader<Entity> {
  const meta = metadataOf(entity as EntityName<object>);
  const key = [alias, ...(properties ?? [])].join();
  const readers = known.get(meta) ?? new Map<string, RowReader<never>>();
  const reader = readers.get(key) ?? makeReader(meta, alias, properties);
  known.set(meta, readers.set(key, reader));
  return reader;
}

function metadataOf(entity: EntityName<object>): EntityMetadata {
  const target = (EntitySchema.is(entity) ? entity.meta.class : entity) as EntityClass;
  const meta = (target.prototype as { __meta?: EntityMetadata }).__meta;
  if (meta) return meta;
  throw new Error(`${target.name} is not known to an ORM yet. Ask for its columns after MikroORM.init.`);
}

function makeReader(
  meta: EntityMetadata,
  alias: string,
  properties: readonly string[] | undefined,
): RowReader<never> {
  const parts = meta.props
    .filter((prop) => isColumn(prop) && (!properties || prop.primary || properties.includes(prop.name)))
    .map((prop) => partOf(prop, alias));
  const [first = ''] = meta.primaryKeys;
  const key = parts.find((part) => part.name === first)?.from ?? '';
  return {
    columns: parts
      .map(({ column, from }) => `${escapeIdentifier(alias)}.${column} as ${escapeIdentifier(from)}`)
      .join(', '),
    read: (row) => (row[key] === null ? undefined : (readParts(row, parts) as never)),
  };
}

function readParts(row: Readonly<Record<string, unknown>>, parts: readonly Part[]): object {
  const object: Record<string, unknown> = {};
  for (const { name, from, convert } of parts) {
    const value = row[from];
    object[name] = convert && value !== null ? convert(value) : value;
  }
  return object;
}

/** A column of the row itself: no formula, no part of an embedded object, no relation by several columns. */
function isColumn(prop: EntityProperty): boolean {
  const isStored = prop.persist !== false && !prop.formula && !prop.embedded;
  return (
    isStored && (isReference(prop) || prop.kind === ReferenceKind.SCALAR) && prop.fieldNames.length === 1
  );
}

function isReference({ kind, owner }: EntityProperty): boolean {
  return kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner);
}

function partOf(prop: EntityProperty, alias: string): Part {
  const [field = ''] = prop.fieldNames;
  return {
    name: prop.name,
    from: `${alias}_${field}`,
    column: escapeIdentifier(field),
    convert: converterOf(prop),
  };
}

function converterOf(prop: EntityProperty): Part['convert'] {
  if (isReference(prop)) return (id) => ({ id });
  if (prop.runtimeType === 'Date') return (text) => storedInstant(text as string);
  const { customType } = prop;
  // The driver has parsed JSON already; the type of the ORM would parse a text in it once more.
  if (!customType || customType instanceof JsonType) return undefined;
  return (value) => customType.convertToJSValue(value, customType.platform as never) as unknown;
}
