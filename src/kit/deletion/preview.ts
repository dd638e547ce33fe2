import type { Run } from './catalogue.ts';
import type { DeletionGraph, GraphEdge, GraphTable } from './graph.ts';
import type { Contents, JournalBatch } from './journal.ts';
import { liveUniques } from './live-uniques.ts';
import {
  ancestorsStatement,
  reinsertsStatement,
  relinksStatement,
  statesStatement,
  twinsStatement,
} from './preview-statements.ts';
import type { ChangedRows, RestorePreview, RowsByConstraint, RowsOf } from './restore-preview.ts';
import { statement } from './statement.ts';

/** What of the schema a batch has touched. */
export interface BatchScope {
  readonly batch: JournalBatch;
  /** How many rows have fallen, by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly fallen: readonly GraphTable[];
  /** Rows of tables that the mapping, or the schema that the call is for, does not have. */
  readonly unknown: readonly ChangedRows[];
  readonly unlinked: readonly GraphEdge[];
  readonly removed: readonly GraphTable[];
  /** Unlinked and removed rows of foreign keys and tables that the schema does not have any more. */
  readonly lost: readonly RowsByConstraint[];
  /** The foreign keys by which rows of the batch need a live parent. */
  readonly needs: readonly GraphEdge[];
}

/** What was touched, as far as the schema still has it. */
export function scopeOf(graph: DeletionGraph, batch: JournalBatch): BatchScope {
  const { contents } = batch;
  const tables = (kind: string) =>
    contents.filter((one) => one.kind === kind).flatMap(({ table }) => graph.tableNamed(table) ?? []);
  const fallen = tables('fell').filter(({ deletedAt }) => deletedAt !== undefined);
  const edgeOf = ({ table, edge }: Contents) =>
    graph.edges.find((one) => one.constraint === edge && one.child.name === table);
  const unlinked = contents.filter(({ kind }) => kind === 'unlinked').flatMap((one) => edgeOf(one) ?? []);
  const lost = contents
    .filter(
      (one) =>
        (one.kind === 'unlinked' && !edgeOf(one)) || (one.kind === 'removed' && !graph.tableNamed(one.table)),
    )
    .map(({ table, edge, rows }) => ({ constraint: edge, table, rows, keys: [] }));
  const needs = graph.edges.filter(
    ({ child, parent, policy }) =>
      fallen.includes(child) && policy !== 'keep' && parent.deletedAt !== undefined,
  );
  const rows = Object.fromEntries(
    contents.filter(({ kind }) => kind === 'fell').map((one) => [one.table, one.rows]),
  );
  const unknown = contents
    .filter(({ kind, table }) => kind === 'fell' && graph.tableNamed(table)?.deletedAt === undefined)
    .map((one): ChangedRows => ({ table: one.table, state: 'unknown', rows: one.rows, keys: [] }));
  return { batch, rows, fallen, unknown, unlinked, removed: tables('removed'), lost, needs };
}

/** Asks the statements as one. */
function ask<Row extends object>(
  run: Run,
  { id, deletedAt }: JournalBatch,
  texts: readonly string[],
): Promise<Row[]> {
  if (texts.length === 0) return Promise.resolve([]);
  const text = texts.map((one) => `(${one})`).join(' union all ');
  const { sql, params } = statement(text, { batch: id, deleted: deletedAt });
  return run<Row>(sql, params);
}

/** What other rows have against a restore. */
export type Obstacles = Pick<RestorePreview, 'deadAncestors' | 'liveTwins'>;

/** Looks for dead parents and live twins. With `lock`, parents that live now live until the end of the transaction. */
export async function obstaclesOf(
  run: Run,
  { batch, fallen, needs }: BatchScope,
  lock: boolean,
): Promise<Obstacles> {
  const deadAncestors: RowsByConstraint[] = [];
  // A lock has no place in a statement with UNION.
  for (const edge of needs)
    deadAncestors.push(...(await ask<RowsByConstraint>(run, batch, [ancestorsStatement(edge, lock)])));
  const uniques = await liveUniques(run, fallen);
  const twins = uniques.flatMap((unique) =>
    fallen.filter(({ name }) => name === unique.table).map((table) => twinsStatement(table, unique)),
  );
  return { deadAncestors, liveTwins: await ask<RowsByConstraint>(run, batch, twins) };
}

/** Looks at all that a restore would meet. It writes nothing. */
export async function previewOf(run: Run, scope: BatchScope): Promise<RestorePreview> {
  const { batch, fallen, unlinked, removed } = scope;
  const states = await ask<RowsOf & { state: ChangedRows['state'] | 'dead' }>(
    run,
    batch,
    fallen.map(statesStatement),
  );
  const { deadAncestors, liveTwins } = await obstaclesOf(run, scope, false);
  const links = await ask<RowsByConstraint & { canRelink: boolean }>(
    run,
    batch,
    unlinked.map(relinksStatement),
  );
  const inserts = await ask<RowsByConstraint & { canReinsert: boolean }>(
    run,
    batch,
    removed.map(reinsertsStatement),
  );
  const changed = states
    .flatMap(({ state, ...rows }): ChangedRows[] => (state === 'dead' ? [] : [{ ...rows, state }]))
    .concat(scope.unknown);
  return {
    batch: batch.id,
    restorable:
      !batch.restored &&
      !batch.purged &&
      changed.length === 0 &&
      deadAncestors.length === 0 &&
      liveTwins.length === 0,
    rows: Object.fromEntries(
      states.filter(({ state }) => state === 'dead').map(({ table, rows }) => [table, rows]),
    ),
    relinks: summed(links.filter(({ canRelink }) => canRelink).map((one) => [one.constraint, one.rows])),
    reinserts: summed(inserts.filter(({ canReinsert }) => canReinsert).map((one) => [one.table, one.rows])),
    changed,
    liveTwins,
    deadAncestors,
    vanishedTargets: [
      ...links.filter(({ canRelink }) => !canRelink).map(({ canRelink: _no, ...rows }) => rows),
      ...inserts.filter(({ canReinsert }) => !canReinsert).map(({ canReinsert: _no, ...rows }) => rows),
      ...scope.lost,
    ],
  };
}

function summed(counts: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, rows] of counts) sums[name] = (sums[name] ?? 0) + rows;
  return sums;
}
