import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import { type DataEntityManager, ownDeletionOf } from '../orm/index.ts';
import { DeletionError } from './errors.ts';
import type { DeletionGraph, GraphTable } from './graph.ts';

/** @throws DeletionError for a class that does not delete by policies, and so has no journal. */
export function journaledTable(
  em: DataEntityManager,
  graph: DeletionGraph,
  entity: EntityClass<object>,
): GraphTable {
  const meta = em.getMetadata().get(entity) as EntityMetadata;
  const table = ownDeletionOf(meta) && graph.tableOf(meta);
  if (!table) throw DeletionError.notRegistered(meta.className);
  return table;
}
