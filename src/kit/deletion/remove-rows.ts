import { type EntityMetadata, type QueryResult, raw, type Transaction, Utils } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import type { DataDriver, DeleteCall } from '../orm/index.ts';
import { type GuardedQueryBuilder, undoable } from '../orm/index.ts';
import type { BatchId } from './batch-id.ts';
import { currentFacts, noteBatch } from './context.ts';
import { type DeletionCounts, type DeletionTask, deleteTree, type KeySelection } from './delete-tree.ts';
import { DeletionError } from './errors.ts';
import { forgetFallen } from './forget-fallen.ts';
import { type DeletionGraph, edgesInto, type GraphTable, reachOf } from './graph.ts';
import { graphOf, runIn } from './graph-of.ts';
import { inTurnsWhenLost } from './in-turns-when-lost.ts';
import { inTurn, openBatch } from './open-batches.ts';
import { withoutSigns } from './statement.ts';

/** What was deleted. Without a batch nothing was: the rows were dead already, or there were none. */
export interface Deletion extends DeletionCounts {
  readonly batch: BatchId | undefined;
}

/** Steps of the core that it marks as protected. */
interface Steps {
  applyUnionWhere(meta: EntityMetadata, where: unknown, options: object, forDml: true): Promise<object>;
  getSchemaName(meta: EntityMetadata, options: object): string | undefined;
}

/** The keys of the rows that a condition means, as the ORM compiles it: of live ones, in every scope, or of those that the scope shows. */
export function selectKeys(
  driver: DataDriver,
  meta: EntityMetadata,
  where: unknown,
  options: DeleteCall = {},
  which: 'live' | 'shown' = 'live',
): KeySelection {
  const [key, ...more] = meta.primaryKeys;
  const isKey = more.length === 0 && Utils.isPrimaryKey(where);
  const builder = driver
    .createQueryBuilder<object>(meta.class as never, options.ctx, 'write', false)
    .withSchema((driver as unknown as Steps).getSchemaName(meta, options));
  (builder as unknown as GuardedQueryBuilder).findsToMark = which === 'live';
  const alias = escapeIdentifier(builder.alias);
  const columns = meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  const keys = columns.map((name) => `${alias}.${escapeIdentifier(name)}`).join(', ');
  builder.select(raw(withoutSigns(keys))).where((isKey ? { [key as string]: where } : where) as never);
  const { sql, params } = builder.toQuery();
  return { sql, params, alias };
}

/** Deletes in the caller's transaction, or in one of its own that is tried again when it has lost against another one. */
export async function removeRows(
  driver: DataDriver,
  meta: EntityMetadata,
  where: unknown,
  options: DeleteCall & Pick<DeletionTask, 'leavesLinks'> = {},
): Promise<Deletion> {
  const removal = { driver, meta, where, options };
  const { ctx: outer } = options;
  if (outer) {
    // Rows that have come meanwhile may forbid what is marked by then, and the program may go on after that error.
    return removeIn(outer, removal, (work) => undoable(driver.getConnection('write'), work, { ctx: outer }));
  }
  return inTurnsWhenLost((queue) =>
    driver.getConnection('write').transactional(
      async (ctx) => {
        await queue(runIn(driver, ctx));
        return removeIn(ctx, removal, (work) => work(ctx));
      },
      { sessionContext: options.em?.getTransactionSessionContext() as never },
    ),
  );
}

interface Removal {
  readonly driver: DataDriver;
  readonly meta: EntityMetadata;
  readonly where: unknown;
  readonly options: DeleteCall & Pick<DeletionTask, 'leavesLinks'>;
}

/** Runs work so that what it has done goes when it fails. */
type Undoable = <T>(work: (ctx: Transaction) => Promise<T>) => Promise<T>;

async function removeIn(
  ctx: Transaction,
  { driver, meta, where, options: given }: Removal,
  undoing: Undoable,
): Promise<Deletion> {
  const options = { ...given, ctx };
  const graph = await graphOf(driver, runIn(driver, ctx), options.schema);
  const root = graph.tableOf(meta);
  if (!root) throw DeletionError.notRegistered(meta.className);
  const all = options.unionWhere?.length
    ? await (driver as unknown as Steps).applyUnionWhere(meta, where, options, true)
    : where;
  const rows = selectKeys(driver, meta, all, options);
  const batch = openBatch(ctx);
  const { leavesLinks = false } = options;
  const task = { graph, root, rows, batch, facts: currentFacts(), leavesLinks };
  const work = (own: Transaction) => deleteTree(runIn(driver, own), task);
  const counts = await inTurn(batch, () => (mayBeRefused(graph, root) ? undoing(work) : work(ctx)));
  const hasFallen = Object.keys(counts.fell).length > 0;
  if (hasFallen) noteBatch(batch.id);
  if (options.em) await forgetFallen(options.em as never, graph, root, runIn(driver, ctx));
  return { ...counts, batch: hasFallen ? batch.id : undefined };
}

function mayBeRefused(graph: DeletionGraph, root: GraphTable): boolean {
  const reach = new Set(reachOf(graph, root).keys());
  return edgesInto(graph, reach, 'restrict').length > 0 || [...reach].some(({ resists }) => resists);
}

/** The form in which the driver wants it; the count is that of the table, with rows that fell along there. */
export async function removeForDriver(...args: Parameters<typeof removeRows>): Promise<QueryResult> {
  const [driver, meta, , options] = args;
  const { fell } = await removeRows(...args);
  const table = (await graphOf(driver, runIn(driver, options?.ctx), options?.schema)).tableOf(meta);
  return { affectedRows: fell[table?.name ?? ''] ?? 0, insertId: 0, rows: [] };
}
