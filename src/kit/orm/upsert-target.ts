import { type EntityData, type EntityMetadata, isRaw, type RawQueryFragment, Utils } from '@mikro-orm/core';
import { DELETED_AT } from '../soft-delete/index.ts';
import { deletedAtColumn } from './live-predicate.ts';

type Unique = EntityMetadata['uniques'][number];

/** What an upsert takes for the key: properties, or the program's own fragment, of which nothing is known. */
export type ConflictFields = readonly string[] | RawQueryFragment;

/** The columns of properties, in their order; a relation has as many as the key behind it. */
export function columnsOf(meta: EntityMetadata, properties: readonly string[]): string[] {
  return properties.flatMap((name) => meta.properties[name as never]?.fieldNames ?? [name]);
}

/**
 * The unique index over exactly these columns that holds live rows only: ON CONFLICT has to repeat its predicate, and a
 * dead row with the same values is beside it and not in conflict. Undefined where a unique without a condition holds too.
 */
export function liveOnlyUnique(meta: EntityMetadata, columns: readonly string[]): Unique | undefined {
  const covers = (names: readonly string[]) => sameColumns(columnsOf(meta, names), columns);
  const props = meta.props.filter((prop) => prop.unique).map((prop) => [prop.name]);
  if ([meta.primaryKeys, ...props].some(covers)) return undefined;
  const uniques = uniquesOf(meta).filter((unique) => covers(propertiesOf(unique)));
  if (uniques.some((unique) => unique.where === undefined)) return undefined;
  return uniques.find((unique) => isLiveOnly(unique, meta));
}

/** Whether any unique of the entity holds live rows only. */
export function hasLiveOnlyUnique(meta: EntityMetadata): boolean {
  return uniquesOf(meta).some((unique) => isLiveOnly(unique, meta));
}

/**
 * The conflict's properties where the core would take others: it takes the first unique of which the row holds every
 * value, also one with a condition that ON CONFLICT cannot infer. Undefined where the core's own choice is right.
 */
export function inferredFields(
  meta: EntityMetadata,
  row: EntityData<Record<string, unknown>>,
): string[] | undefined {
  const holds = (names: readonly string[]) => names.every((name) => row[name] != null);
  const usable = uniquesOf(meta).filter((unique) => holds(propertiesOf(unique)));
  const [first] = usable;
  const usedByCore = holds(meta.primaryKeys) || meta.props.some((prop) => prop.unique && row[prop.name]);
  if (usedByCore || !first || fitsConflict(first, meta)) return undefined;
  const fitting = usable.find((unique) => fitsConflict(unique, meta));
  return fitting && [...propertiesOf(fitting)];
}

/** `("name") where "deleted_at" is null`, the part of ON CONFLICT that PostgreSQL infers a live-only index from. */
export function liveOnlyTarget(
  meta: EntityMetadata,
  columns: readonly string[],
  quote: (name: string) => string,
): string {
  return `(${columns.map(quote).join(', ')}) where ${quote(deletedAtColumn(meta))} is null`;
}

/** Whether the conflict is by properties, so that the rows that hold the key can be looked for. */
export function isByProperties(fields: ConflictFields): fields is readonly string[] {
  return !isRaw(fields);
}

const propertiesOf = (unique: Unique): string[] => Utils.asArray(unique.properties as never);
const uniquesOf = (meta: EntityMetadata): Unique[] => [...new Set([...meta.uniques, ...meta.root.uniques])];
const fitsConflict = (unique: Unique, meta: EntityMetadata): boolean =>
  unique.where === undefined || isLiveOnly(unique, meta);

function sameColumns(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((column) => right.includes(column));
}

function isLiveOnly({ where }: Unique, meta: EntityMetadata): boolean {
  if (typeof where === 'string') {
    const plain = where.toLowerCase().replaceAll(/["()]/g, '').replaceAll(/\s+/g, ' ').trim();
    return plain === `${deletedAtColumn(meta).toLowerCase()} is null`;
  }
  const condition = where as Record<string, unknown> | undefined;
  return condition?.[DELETED_AT] === null && Object.keys(condition).length === 1;
}
