import type { MetadataStorage, Transaction } from '@mikro-orm/core';
import type { DataDriver, DataEntityManager } from '../orm/index.ts';
import type { Run } from './catalogue.ts';
import { compileGraph } from './compile-graph.ts';
import type { DeletionGraph } from './graph.ts';

/** By ORM, and by the schema of the tables whose entities name none. */
const known = new WeakMap<MetadataStorage, Map<string | undefined, Promise<DeletionGraph>>>();

/** Runs statements by the driver, in the transaction `ctx`. */
export function runIn(driver: DataDriver, ctx?: Transaction): Run {
  return (sql, params = []) => driver.execute(sql, [...params], 'all', ctx) as never;
}

/** Runs statements of the entity manager, in its transaction. */
export function runOf(em: DataEntityManager): Run {
  return (sql, params = []) => em.execute(sql, [...params]) as never;
}

/** The graph of an ORM, read once. What a migration changes later counts from the next start, or from `checkDeletion` on. */
export function graphOf(
  driver: DataDriver,
  run: Run,
  schema: string | undefined = driver.config.getSchema(true),
): Promise<DeletionGraph> {
  const metadata = driver.getMetadata();
  const graphs = known.get(metadata) ?? new Map<string | undefined, Promise<DeletionGraph>>();
  known.set(metadata, graphs);
  const before = graphs.get(schema);
  if (before) return before;
  const graph = compileGraph(metadata, schema, run);
  graphs.set(schema, graph);
  graph.catch(() => graphs.delete(schema));
  return graph;
}

/**
 * Joins the policies with the foreign keys of the database, and refuses what does not fit: for the start of a service, and for a
 * test. Without it the first deletion does the same.
 *
 * @throws DeletionError naming the foreign key and the remedy.
 */
export async function checkDeletion(em: DataEntityManager): Promise<void> {
  const driver = em.getDriver();
  known.delete(driver.getMetadata());
  await graphOf(driver, runOf(em.fork({ keepTransactionContext: true })), em.schema);
}
