import type { EntityMetadata } from '@mikro-orm/core';
import { type DataEntityManager, ownDeletionOf } from '../orm/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import { type CatalogueColumn, placeOf, readCatalogue, type Run } from './catalogue.ts';
import { graphTable } from './compile-graph.ts';
import type { GraphTable } from './graph.ts';

/** The classes that have deleted rows, of a hierarchy its root. */
export function softRoots(em: DataEntityManager): EntityMetadata[] {
  const metas = [...(em.getMetadata() as unknown as Iterable<EntityMetadata>)].filter(
    (meta) => meta.tableName && !meta.virtual && !meta.embeddable && !meta.view && isSoftDeletable(meta),
  );
  return [...new Set(metas.map(({ root }) => root))];
}

/** The tables of classes as the database has them, whether or not it has a journal; those that it does not have are left out. */
export async function softTables(
  em: DataEntityManager,
  run: Run,
  metas: readonly EntityMetadata[],
): Promise<GraphTable[]> {
  const schema = em.getDriver().config.getSchema(true);
  const catalogue = await readCatalogue(
    run,
    metas.map((meta) => placeOf(meta, schema)),
  );
  return metas.flatMap((meta, index) => {
    const found = catalogue.tables.find(({ oid }) => oid === catalogue.places[index]);
    if (!found) return [];
    const table = graphTable(found, [meta], catalogue);
    return ownDeletionOf(meta) ? [table] : [{ ...table, primaryKey: keyInOrder(meta, table) }];
  });
}

/** As the repository takes a key of several columns. */
function keyInOrder(meta: EntityMetadata, { columns }: GraphTable): CatalogueColumn[] {
  const names = meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  return names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
}
