import type { DataEntityManager } from '../../orm/index.ts';
import { runIn } from '../graph-of.ts';
import { statement, type Values } from '../statement.ts';
import { circlesSql, lockNamed, lockNext, type LockedKeys } from './batch-sql.ts';
import { counted, examine } from './examine.ts';
import { checkInterval } from './interval.ts';
import { type BatchResult, purgeBatch, type PurgeWork } from './purge-batch.ts';
import { isCyclic, purgeGraph, type PurgeTable } from './purge-graph.ts';
import type { PurgeReport } from './purge-report.ts';
import { forgetOld, pruneJournal } from './prune-journal.ts';
import { RetentionError } from './retention-error.ts';
import { stuckSql } from './stuck-sql.ts';
import { type PurgeScope, subjectsOf } from './subject.ts';

/** Told behind each batch, when it is committed. */
export interface PurgeProgress {
  readonly table: string;
  /** Rows that the batch has removed, without links. */
  readonly rows: number;
  /** Rows that this purge has removed so far, of all tables. */
  readonly total: number;
}

export interface PurgeOptions extends PurgeScope {
  /** Tells what a purge would do now, and writes nothing. */
  readonly dryRun?: boolean;
  /** Rows that a transaction looks at. Default 1000. */
  readonly batchSize?: number;
  readonly onProgress?: (progress: PurgeProgress) => void;
  /** Stops behind the batch that is going on. */
  readonly signal?: AbortSignal;
  /** How long the journal keeps who, when and why of a batch that was purged or restored. Default `1 year`. */
  readonly keepBatches?: string;
}

/** A run: what it works with, what it has done. */
interface Run extends PurgeWork {
  readonly options: PurgeOptions;
  readonly size: number;
  readonly counts: { kind: string; name: string; rows: number }[];
  batches: number;
}

/**
 * Removes for good what has been dead for longer than its policy says, children first, batch by batch, each committed by itself. It
 * keeps no state but the rows: one that was interrupted is gone on with by the next, and two may run at once. Rows that are held,
 * and rows to which a row refers that stays, whatever ON DELETE would do, stay and are in the report.
 *
 * @throws RetentionError before anything is asked of the database, for an interval, an entity or a policy that is none.
 */
export async function purge(em: DataEntityManager, options: PurgeOptions = {}): Promise<PurgeReport> {
  const { tenant, dryRun = false, batchSize: size = 1000, keepBatches = '1 year', signal } = options;
  const subjects = subjectsOf(em, options);
  const keep = checkInterval(keepBatches);
  if (!Number.isInteger(size) || size < 1 || size > 100_000) throw RetentionError.badBatchSize();
  if (em.isInTransaction()) throw RetentionError.inTransaction();
  const driver = em.getDriver();
  const ask = runIn(driver);
  const graph = await purgeGraph(driver, ask, subjects, tenant !== undefined);
  const values: Values = tenant === undefined ? {} : { tenant: String(tenant) };
  const run: Run = { driver, graph, values, options, size, counts: [], batches: 0 };
  const report = { dryRun, completed: true, batches: 0, prunedBatches: 0 };
  if (dryRun) return { ...report, ...(await examine(ask, graph, values)) };
  for (const group of graph.groups) await purgeGroup(run, group);
  // Whoever stops it waits for an end; the next one prunes.
  const prunedBatches = signal?.aborted ? 0 : await pruneJournal(run, subjects);
  if (!signal?.aborted) await forgetOld(run, keep);
  const { held, blocked } = await examine(ask, graph, values);
  const of = (kind: string) =>
    counted(run.counts.filter((one) => one.kind === kind).map((one) => [one.name, one.rows]));
  return {
    ...report,
    completed: !signal?.aborted,
    batches: run.batches,
    prunedBatches,
    purged: of('row'),
    links: of('link'),
    held,
    blocked,
  };
}

/** A sweep removes what nothing refers to any more, so that a tree may take several; what is left then are circles. */
async function purgeGroup(run: Run, group: readonly PurgeTable[]): Promise<void> {
  const again = isCyclic(group, run.graph.edges);
  for (;;) {
    let removed = 0;
    for (const table of group) removed += await sweep(run, table);
    if (!again) return;
    if (removed === 0) break;
  }
  while ((await purgeCircles(run, group)) > 0);
}

async function sweep(run: Run, table: PurgeTable): Promise<number> {
  let removed = 0;
  let last: string | null | undefined;
  while (!run.options.signal?.aborted) {
    const more = { size: run.size, ...(last != null && { last }) };
    const from = last;
    const { counts, locked } = await purgeBatch(run, [table], (ask) =>
      ask<LockedKeys>(lockNext(table, from == null), more),
    );
    removed += note(run, table.name, counts);
    last = locked[0]?.last;
    if (last == null || (locked[0]?.rows ?? 0) < run.size) break;
  }
  return removed;
}

async function purgeCircles(run: Run, group: readonly PurgeTable[]): Promise<number> {
  if (run.options.signal?.aborted) return 0;
  const stuck = stuckSql({ tables: group, edges: run.graph.edges });
  const { sql, params } = statement(circlesSql(group, run.graph.edges, stuck), {
    ...run.values,
    size: run.size,
  });
  const found = await runIn(run.driver)<LockedKeys>(sql, params);
  if (found.length === 0) return 0;
  const { counts } = await purgeBatch(run, group, async (ask) => {
    const locked: LockedKeys[] = [];
    for (const { name, keys } of found) {
      const table = group.find((one) => one.name === name);
      if (table) locked.push(...(await ask<LockedKeys>(lockNamed(table), { keys })));
    }
    return locked;
  });
  return note(run, group[0]?.name ?? '', counts);
}

function note(run: Run, table: string, counts: BatchResult['counts']): number {
  run.counts.push(...counts.filter(({ rows }) => rows > 0));
  const rows = counts.reduce((sum, one) => sum + (one.kind === 'row' ? one.rows : 0), 0);
  if (rows === 0) return 0;
  run.batches += 1;
  const total = run.counts.reduce((sum, one) => sum + (one.kind === 'row' ? one.rows : 0), 0);
  run.options.onProgress?.({ table, rows, total });
  return rows;
}
