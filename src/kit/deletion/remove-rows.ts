import type { EntityMetadata, QueryResult, Transaction } from '@mikro-orm/core';
import type { DataDriver, DeleteCall } from '../orm/index.ts';
import { undoable } from '../orm/index.ts';
import { retryLostRace } from '../transactions/index.ts';
import type { BatchId } from './batch-id.ts';
import { currentFacts, noteBatch } from './context.ts';
import { type DeletionCounts, deleteTree } from './delete-tree.ts';
import { DeletionError } from './errors.ts';
import { forgetFallen } from './forget-fallen.ts';
import { type DeletionGraph, edgesInto, type GraphTable, reachOf } from './graph.ts';
import { graphOf, runIn } from './graph-of.ts';
import { openBatch } from './open-batches.ts';
import type { Statement } from './statement.ts';

/** What was deleted. Without a batch nothing was: the rows were dead already, or there were none. */
export interface Deletion extends DeletionCounts {
  readonly batch: BatchId | undefined;
}

/** The keys of the rows that a condition means, as the ORM compiles it. */
export function selectKeys(
  driver: DataDriver,
  meta: EntityMetadata,
  where: unknown,
  { ctx, schema }: DeleteCall = {},
): Statement {
  const builder = driver
    .createQueryBuilder<object>(meta.root.class as never, ctx as never, 'write', false)
    .select(meta.primaryKeys as never)
    .where(where as never);
  if (schema !== undefined) builder.withSchema(schema);
  const { sql, params } = builder.toQuery();
  return { sql, params };
}

/** Deletes in the caller's transaction, or in one of its own that is tried again when it has lost against another one. */
export async function removeRows(
  driver: DataDriver,
  meta: EntityMetadata,
  where: unknown,
  options: DeleteCall = {},
): Promise<Deletion> {
  const connection = driver.getConnection('write');
  if (!options.ctx) {
    return retryLostRace(() =>
      connection.transactional((ctx) => removeRows(driver, meta, where, { ...options, ctx })),
    );
  }
  const graph = await graphOf(driver, runIn(driver, options.ctx));
  const root = graph.tableOf(meta);
  if (!root) throw DeletionError.notRegistered(meta.className);
  const batch = openBatch(options.ctx);
  const rows = selectKeys(driver, meta, where, options);
  const task = { graph, root, rows, batch, facts: currentFacts() };
  const work = (ctx: Transaction) => deleteTree(runIn(driver, ctx), task);
  // Rows that have come meanwhile may forbid what is marked by then, and the program may go on after that error.
  const counts = mayBeRefused(graph, root)
    ? await undoable(connection, work, { ctx: options.ctx })
    : await work(options.ctx);
  const hasFallen = Object.keys(counts.fell).length > 0;
  if (hasFallen) noteBatch(batch.id);
  if (options.em) await forgetFallen(options.em as never, graph, root, runIn(driver, options.ctx));
  return { ...counts, batch: hasFallen ? batch.id : undefined };
}

function mayBeRefused(graph: DeletionGraph, root: GraphTable): boolean {
  return edgesInto(graph, new Set(reachOf(graph, root).keys()), 'restrict').length > 0;
}

/** The form in which the driver wants it; the count is that of the table, with rows that fell along there. */
export async function removeForDriver(...args: Parameters<typeof removeRows>): Promise<QueryResult> {
  const [driver, meta, , options] = args;
  const { fell } = await removeRows(...args);
  const table = (await graphOf(driver, runIn(driver, options?.ctx))).tableOf(meta);
  return { affectedRows: fell[table?.name ?? ''] ?? 0, insertId: 0, rows: [] };
}
