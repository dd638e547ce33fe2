import type { DataEntityManager } from '../orm/index.ts';
import type { BatchId } from './batch-id.ts';
import { type BatchSummary, summariesOf } from './batch-summary.ts';
import type { Run } from './catalogue.ts';
import type { DeletionGraph } from './graph.ts';
import { graphOf, runOf } from './graph-of.ts';
import { RestoreError } from './restore-error.ts';

/** Rows of one table that the deletion reached by one foreign key. */
export interface BatchStep {
  /** 0 for rows that were deleted themselves, 1 for their children; null for what was unlinked or removed at the end. */
  readonly level: number | null;
  readonly kind: 'fell' | 'unlinked' | 'removed';
  readonly table: string;
  readonly entity: string | undefined;
  /** The foreign key; null for rows that were deleted themselves. */
  readonly constraint: string | null;
  readonly rows: number;
}

/** A batch with the way that its deletion took. */
export interface BatchDescription extends BatchSummary {
  readonly steps: readonly BatchStep[];
}

interface Entry {
  readonly step: number;
  readonly kind: BatchStep['kind'];
  readonly table: string;
  readonly edge: string;
  readonly rows: number;
}

/**
 * Tells what fell in a batch and by which foreign keys. Links that were removed without a record are not in the journal.
 *
 * @throws RestoreError when the journal has no such batch.
 */
export async function describeBatch(em: DataEntityManager, batch: BatchId): Promise<BatchDescription> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const graph = await graphOf(own.getDriver(), run, own.schema);
  const [summary] = await summariesOf(run, graph, [batch]);
  if (!summary) throw RestoreError.unknownBatch(batch);
  return { ...summary, steps: stepsOf(graph, await entriesOf(run, batch)) };
}

function entriesOf(run: Run, batch: BatchId): Promise<Entry[]> {
  return run(
    `select step, kind, table_name as table, edge, sum(cardinality(keys))::int as rows
     from deletion_entries where batch_id = ? group by step, kind, table_name, edge
     order by step, kind, table_name, edge`,
    [batch],
  );
}

/** A batch may hold several deletions of one transaction: each begins with a step without a foreign key. */
function stepsOf(graph: DeletionGraph, entries: readonly Entry[]): BatchStep[] {
  const steps = new Map<string, BatchStep>();
  let [level, last] = [-1, -1];
  for (const { step, kind, table, edge, rows } of entries) {
    if (kind === 'fell' && step !== last) [level, last] = [edge === '' ? 0 : level + 1, step];
    const own = kind === 'fell' ? level : null;
    const name = JSON.stringify([own, kind, table, edge]);
    const before = steps.get(name)?.rows ?? 0;
    steps.set(name, {
      level: own,
      kind,
      table,
      entity: graph.tableNamed(table)?.entity,
      constraint: edge === '' ? null : edge,
      rows: before + rows,
    });
  }
  const depth = ({ level: own }: BatchStep): number => own ?? Number.MAX_SAFE_INTEGER;
  return [...steps.values()].toSorted((a, b) => depth(a) - depth(b));
}
