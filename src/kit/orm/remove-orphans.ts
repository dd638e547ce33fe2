import {
  type Collection,
  type DriverMethodOptions,
  type EntityMetadata,
  helper,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import { currentScope, guardsWrites } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { type DeleteCall, type OwnDeletion, ownDeletionOf } from './own-deletion.ts';

/**
 * Deletes what collections held that were set without being loaded, where the class has a deletion of its own, and answers the other
 * collections. The core would write the delete with a query builder, which has no place for it.
 */
export async function removeOrphans<T extends object, O extends object>(
  driver: DataDriver,
  collections: Iterable<Collection<T, O>>,
  options: DriverMethodOptions,
): Promise<Collection<T, O>[]> {
  const others: Collection<T, O>[] = [];
  for (const collection of collections) {
    const { property } = collection;
    const own = guardsWrites(currentScope()) ? ownDeletionOf(property.targetMeta) : undefined;
    const isSetUnseen =
      property.kind === ReferenceKind.ONE_TO_MANY &&
      property.orphanRemoval &&
      collection.getSnapshot() === undefined;
    if (own && isSetUnseen) await removeAllBut(driver, own, collection as never, options);
    else others.push(collection);
  }
  return others;
}

async function removeAllBut(
  driver: DataDriver,
  own: OwnDeletion,
  collection: Collection<object>,
  options: DriverMethodOptions,
): Promise<void> {
  const { owner, property } = collection;
  const meta = property.targetMeta as EntityMetadata;
  const kept = collection
    .getItems(false)
    .map((item) => helper(item).getPrimaryKeys(true) as unknown[])
    .map((key) => (meta.compositePK ? key : key[0]));
  const where = {
    [property.mappedBy]: helper(owner).getPrimaryKey(true),
    ...(kept.length > 0 && { [meta.primaryKeys.join(Utils.PK_SEPARATOR)]: { $nin: kept } }),
  };
  await own.remove(driver, meta, where, { ...options, em: helper(owner).__em } as DeleteCall);
}
