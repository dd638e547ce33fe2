import type { Run } from './catalogue.ts';
import { aftermathStatement, blockersStatement, inRounds } from './aftermath-statement.ts';
import type { BatchId } from './batch-id.ts';
import { closureBlockers } from './closure.ts';
import type { DeletionFacts } from './context.ts';
import { fallOfChildren, fallOfRoots } from './fall-statement.ts';
import { DeletionError } from './errors.ts';
import { type DeletionGraph, edgesInto, type GraphEdge, type GraphTable, reachOf } from './graph.ts';
import { askingLast } from './live-keys.ts';
import { type Blocker, DeletionRestrictedError } from './restricted-error.ts';
import { statement, type Statement } from './statement.ts';

/** A batch that is being written: one transaction may delete several times. */
export interface OpenBatch {
  readonly id: BatchId;
  /** The next free step. */
  step: number;
}

/** Selects the primary keys of rows, whose table it calls `alias`. */
export interface KeySelection extends Statement {
  readonly alias: string;
}

/** What is to be deleted, and as what. */
export interface DeletionTask {
  readonly graph: DeletionGraph;
  readonly root: GraphTable;
  readonly rows: KeySelection;
  readonly batch: OpenBatch;
  readonly facts: DeletionFacts;
  /** Leaves rows that would be removed, for a caller who removes them himself and tells which they were. */
  readonly leavesLinks?: boolean;
}

/** How many rows, by table; those that were unlinked or removed, by foreign key. */
export interface DeletionCounts {
  readonly fell: Readonly<Record<string, number>>;
  readonly unlinked: Readonly<Record<string, number>>;
  readonly removed: Readonly<Record<string, number>>;
}

type Count = { readonly name: string; readonly rows: number };
/** `meant` where rows may resist. */
type Fall = Count & { readonly meant: number | null };
type Done = Count & { readonly unlinks: boolean };

/**
 * Deletes the rows and what falls with them, one statement for each level. It must run in a transaction.
 *
 * @throws DeletionRestrictedError when live rows forbid it; before anything is written, but for those that came meanwhile.
 * @throws DeletionError when a trigger or a rule of the database keeps rows live.
 */
export async function deleteTree(run: Run, task: DeletionTask): Promise<DeletionCounts> {
  const { graph, root } = task;
  const reach = new Set(reachOf(graph, root).keys());
  const restricting = edgesInto(graph, reach, 'restrict');
  if (restricting.length > 0) refuse(task, await closureBlockers(run, task, restricting));
  return askingLast(run, graph, reach, () => deleteAll(run, task, restricting));
}

async function deleteAll(
  run: Run,
  task: DeletionTask,
  restricting: readonly GraphEdge[],
): Promise<DeletionCounts> {
  const { graph } = task;
  const first = task.batch.step;
  const fell = await fallAll(run, task);
  const fallen = new Set([...fell.keys()].flatMap((name) => graph.tableNamed(name) ?? []));
  const span = { first, last: task.batch.step - 1 };
  const blocking = restricting.filter(({ parent }) => fallen.has(parent));
  if (blocking.length > 0) refuse(task, await run2<Blocker>(run, blockersStatement(blocking), task, span));
  const after = task.leavesLinks
    ? edgesInto(graph, fallen, 'unlink')
    : edgesInto(graph, fallen, 'unlink', 'remove', 'record');
  // Constraints of several tables may have one name.
  const unlinked: Record<string, number> = {};
  const removed: Record<string, number> = {};
  for (const round of inRounds(after)) {
    for (const { name, unlinks, rows } of await run2<Done>(run, aftermathStatement(round), task, span)) {
      const counts = unlinks ? unlinked : removed;
      if (rows > 0) counts[name] = (counts[name] ?? 0) + rows;
    }
    task.batch.step += 1;
  }
  return { fell: Object.fromEntries(fell), unlinked, removed };
}

async function fallAll(run: Run, task: DeletionTask): Promise<Map<string, number>> {
  const fell = new Map<string, number>();
  let text = fallOfRoots(task.root, task.rows.alias);
  for (;;) {
    const { step } = task.batch;
    const counts = await run2<Fall>(run, text, task, { before: step - 1 });
    refuseResistance(counts);
    const hit = counts.filter(({ rows }) => rows > 0);
    if (hit.length === 0) return fell;
    task.batch.step += 1;
    for (const { name, rows } of hit) fell.set(name, (fell.get(name) ?? 0) + rows);
    const parents = new Set(hit.flatMap(({ name }) => task.graph.tableNamed(name) ?? []));
    const edges = edgesInto(task.graph, parents, 'cascade');
    if (edges.length === 0) return fell;
    text = fallOfChildren(task.graph, edges);
  }
}

function run2<Row extends object>(run: Run, text: string, task: DeletionTask, more: object): Promise<Row[]> {
  const { batch, facts, rows } = task;
  const { sql, params } = statement(text, {
    batch: batch.id,
    step: batch.step,
    root: rows,
    actor: facts.actor,
    reason: facts.reason,
    tenant: facts.tenant,
    ...more,
  });
  return run<Row>(sql, params);
}

/** A child that a trigger keeps live would be one of a deleted parent. */
function refuseResistance(counts: readonly Fall[]): void {
  const kept = counts.find(({ rows, meant }) => meant !== null && meant !== rows);
  if (kept) throw DeletionError.resisted(kept.name, (kept.meant ?? 0) - kept.rows);
}

function refuse({ root }: DeletionTask, blockers: readonly Blocker[]): void {
  if (blockers.length > 0) throw new DeletionRestrictedError(root.entity ?? root.name, blockers);
}
