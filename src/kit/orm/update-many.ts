import { type EntityMetadata, OptimisticLockError, ReferenceKind } from '@mikro-orm/core';
import { InvalidInputError, SoftDeletedRowError, withoutEntity } from '../errors/index.ts';
import { arrayColumnOf } from './array-column.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { filteredKeys } from './filtered-keys.ts';
import { livePredicates } from './live-predicates.ts';
import type { LockedAnswer } from './locked-update.ts';
import type { UpdateManyOptions } from './row-change.ts';
import { type RowChanges, rowChanges } from './row-changes.ts';
import { sendMany } from './send-many.ts';
import { versionOf } from './update-by-arrays.ts';

/**
 * Updates many rows by their keys, each to values of its own, by one prepared statement whose text is the same for any number of
 * rows. Answers the places of the rows that were changed, which is all of them unless missing ones are skipped.
 */
export async function updateMany(
  own: DataEntityManager,
  meta: EntityMetadata,
  rows: readonly unknown[],
  options: UpdateManyOptions,
): Promise<number[]> {
  const em = own.getContext(false);
  refuseClass(meta);
  if (!Array.isArray(rows)) throw new InvalidInputError('rows', 'be a list');
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new InvalidInputError('options', 'be an object');
  const { missing = 'refuse' } = options;
  if (missing !== 'refuse' && missing !== 'skip')
    throw new InvalidInputError('missing', 'be "refuse" or "skip"');
  // Not by map alone, which passes over the holes of a list.
  const given = Array.from(rows as readonly unknown[]);
  if (given.length === 0) return [];
  const changes = rowChanges(em, meta, given);
  const { count, places } = await send(em, meta, changes, missing === 'refuse');
  if (count === given.length) return [...given.keys()];
  const found = new Set((places ?? []).map((place) => Number(place) - 1));
  // Of a whole call a missing row is named first; where one is skipped, a key twice kept the rows that are there from being written.
  const isThere = missing === 'skip' ? found.size > 0 : found.size === given.length;
  if (count === 0 && isThere && mayRepeat(meta)) throw repeated();
  if (missing === 'refuse') throw refusal(meta, changes, found);
  return [...given.keys()].filter((place) => found.has(place));
}

async function send(
  em: DataEntityManager,
  meta: EntityMetadata,
  { keys, versions, sets }: RowChanges,
  isWhole: boolean,
): Promise<LockedAnswer> {
  const target = livePredicates(em.getDriver(), meta, em.schema);
  const filter = await filteredKeys(em, meta);
  return sendMany(em, {
    ...target,
    keys: [...keys, ...versions],
    sets,
    computed: versionOf(em.getDriver(), meta),
    conditions: [...target.conditions, ...filter],
    isWhole,
    mayRepeat: mayRepeat(meta),
    // A filter has its values in the text.
    isPrepared: filter.length === 0,
  });
}

/** Of these types each value has one text. */
const EXACT = /^(?:smallint|int|integer|bigint|int[248]|(?:small|big)?serial|uuid)\b/;

const mayRepeat = (meta: EntityMetadata): boolean =>
  !meta.getPrimaryProps().every((prop) => EXACT.test(prop.columnTypes?.[0] ?? ''));

function refusal(meta: EntityMetadata, { keys, versions }: RowChanges, found: ReadonlySet<number>): Error {
  const missing = [...(keys[0]?.values.keys() ?? [])].filter((place) => !found.has(place));
  const names = missing.map((place) => keys.map(({ values }) => values[place]).join(', '));
  if (versions.length === 0) return new SoftDeletedRowError(meta.className, names);
  return withoutEntity(OptimisticLockError.lockFailed(`${meta.className} ${names.join('; ')}`)) as Error;
}

const repeated = (): Error =>
  new InvalidInputError('rows', 'have a key that no other row has, as the database compares them');

/** @throws InvalidInputError for a class whose row is more than one row of one table, or not by itself. */
function refuseClass(meta: EntityMetadata): void {
  const isOneTable =
    !meta.view && !meta.virtual && !meta.embeddable && !meta.root.inheritanceType && !meta.readonly;
  const hasPlainKey = meta
    .getPrimaryProps()
    .every(
      (prop) =>
        arrayColumnOf(prop) !== undefined &&
        (prop.kind === ReferenceKind.SCALAR || !prop.targetMeta?.compositePK),
    );
  if (!isOneTable || !hasPlainKey)
    throw new InvalidInputError(meta.className, 'be an entity with one table of its own; save it by a flush');
}
