import type { Run } from './catalogue.ts';
import type { DeletionGraph, GraphEdge, GraphTable } from './graph.ts';
import { contentsOf, type JournalBatch } from './journal.ts';
import { partialUniques } from './live-uniques.ts';
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
  readonly fallen: readonly GraphTable[];
  readonly unlinked: readonly GraphEdge[];
  readonly removed: readonly GraphTable[];
  /** The foreign keys by which rows of the batch need a live parent. */
  readonly needs: readonly GraphEdge[];
}

/** What was touched, as far as the schema still has it. */
export async function scopeOf(run: Run, graph: DeletionGraph, batch: JournalBatch): Promise<BatchScope> {
  const contents = await contentsOf(run, batch.id);
  const tables = (kind: string) =>
    contents.filter((one) => one.kind === kind).flatMap(({ table }) => graph.tableNamed(table) ?? []);
  const fallen = tables('fell').filter(({ deletedAt }) => deletedAt !== undefined);
  const unlinked = contents
    .filter(({ kind }) => kind === 'unlinked')
    .flatMap(
      ({ table, edge }) =>
        graph.edges.find((one) => one.constraint === edge && one.child.name === table) ?? [],
    );
  const needs = graph.edges.filter(
    ({ child, parent, policy }) =>
      fallen.includes(child) && policy !== 'keep' && parent.deletedAt !== undefined,
  );
  return { batch, fallen, unlinked, removed: tables('removed'), needs };
}

/** Looks at all that a restore would meet. It writes nothing. */
export async function previewOf(
  run: Run,
  { batch, fallen, unlinked, removed, needs }: BatchScope,
): Promise<RestorePreview> {
  const ask = <Row extends object>(texts: readonly string[]): Promise<Row[]> => {
    if (texts.length === 0) return Promise.resolve([]);
    const { sql, params } = statement(texts.map((text) => `(${text})`).join(' union all '), {
      batch: batch.id,
      deleted: batch.deletedAt,
    });
    return run<Row>(sql, params);
  };
  const states = await ask<RowsOf & { state: ChangedRows['state'] | 'dead' }>(fallen.map(statesStatement));
  const deadAncestors = await ask<RowsByConstraint>(needs.map(ancestorsStatement));
  const uniques = await partialUniques(run, fallen);
  const liveTwins = await ask<RowsByConstraint>(
    uniques.flatMap((unique) =>
      fallen.filter(({ name }) => name === unique.table).map((table) => twinsStatement(table, unique)),
    ),
  );
  const links = await ask<RowsByConstraint & { canRelink: boolean }>(unlinked.map(relinksStatement));
  const reinserts = await ask<{ table: string; rows: number }>(removed.map(reinsertsStatement));
  const changed = states.flatMap(({ state, ...rows }) => (state === 'dead' ? [] : [{ ...rows, state }]));
  return {
    batch: batch.id,
    restorable:
      !batch.restored && changed.length === 0 && deadAncestors.length === 0 && liveTwins.length === 0,
    rows: Object.fromEntries(
      states.filter(({ state }) => state === 'dead').map(({ table, rows }) => [table, rows]),
    ),
    relinks: Object.fromEntries(
      links.filter(({ canRelink }) => canRelink).map(({ constraint, rows }) => [constraint, rows]),
    ),
    reinserts: Object.fromEntries(
      reinserts.filter(({ rows }) => rows > 0).map(({ table, rows }) => [table, rows]),
    ),
    changed,
    liveTwins,
    deadAncestors,
    vanishedTargets: links.filter(({ canRelink }) => !canRelink).map(({ canRelink: _no, ...rows }) => rows),
  };
}
