import type { Run } from '../catalogue.ts';
import { type DeletionGraph, edgesInto, type GraphEdge, type GraphTable } from '../graph.ts';
import { keyColumns, keyText, parentRow, refersTo } from '../key-sql.ts';
import { statement } from '../statement.ts';
import { escapeIdentifier } from 'pg';

/** The keys of the rows that are to be removed. */
export type DoomedRows = ReadonlyMap<GraphTable, ReadonlySet<string>>;

/** How many rows one foreign key has led to. */
export interface Found {
  readonly edge: GraphEdge;
  readonly rows: number;
}

/**
 * Finds what goes with a row: the dead rows that were part of it, whenever they were deleted, and links. They are locked, level by
 * level, as a removal would; so nobody can refer to them any more when this answers.
 */
export async function findDoomed(
  run: Run,
  graph: DeletionGraph,
  root: GraphTable,
  key: string,
): Promise<{ doomed: DoomedRows; found: Found[] }> {
  const doomed = new Map([[root, new Set([key])]]);
  const found: Found[] = [];
  let level = new Map([[root, [key]]]);
  while (level.size > 0) {
    const next = new Map<GraphTable, string[]>();
    for (const edge of edgesInto(graph, new Set(level.keys()), 'cascade', 'remove', 'record')) {
      const known = doomed.get(edge.child) ?? new Set<string>();
      doomed.set(edge.child, known);
      const fresh = (await rowsOf(run, edge, level.get(edge.parent) ?? [])).filter((one) => !known.has(one));
      for (const one of fresh) known.add(one);
      if (fresh.length === 0) continue;
      found.push({ edge, rows: fresh.length });
      next.set(edge.child, [...(next.get(edge.child) ?? []), ...fresh]);
    }
    level = next;
  }
  return { doomed: new Map([...doomed].filter(([, keys]) => keys.size > 0)), found };
}

async function rowsOf(run: Run, edge: GraphEdge, parents: readonly string[]): Promise<string[]> {
  const { child } = edge;
  const isDead =
    child.deletedAt === undefined ? 'true' : `t.${escapeIdentifier(child.deletedAt)} is not null`;
  const { sql, params } = statement(
    `select ${keyText(child, 't')} as key from ${edgeJoin(edge, keysIn('$parents'))} and ${isDead}
      order by ${keyColumns(child, 't')} for update of t
      /* soft-delete: dead rows, because they are what is removed */`,
    { parents: JSON.stringify(parents) },
  );
  return (await run<{ key: string }>(sql, params)).map(({ key }) => key);
}

/** The keys of a JSON array, as rows `k`. */
export const keysIn = (json: string): string => `jsonb_array_elements_text(${json}::jsonb) as k (key)`;

/** The rows `t` that refer by the edge to one of the parents `k`, up to the condition. */
export function edgeJoin(edge: GraphEdge, keys: string): string {
  return `${keys} ${parentRow(edge, 'k.key')} join ${edge.child.sql} t on ${refersTo(edge, 't', 'k.key')} where true`;
}
