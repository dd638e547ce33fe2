import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import { type DeletionGraph, edgesInto, type GraphEdge } from '../graph.ts';
import { hasKey, isSameRow, keyColumns, keyText } from '../key-sql.ts';
import { statement } from '../statement.ts';
import { losesReference } from './blockers.ts';
import { type DoomedRows, edgeJoin, keysIn } from './doomed-rows.ts';
import { ErasureError } from './erasure-error.ts';
import type { ErasureProof } from './erasure-proof.ts';

/** Takes the reference from rows that stay without it, live or dead. */
export async function unlinkFrom(
  run: Run,
  graph: DeletionGraph,
  doomed: DoomedRows,
): Promise<ErasureProof['unlinked']> {
  const edges = edgesInto(graph, new Set(doomed.keys()), 'unlink', 'keep').filter(losesReference);
  const unlinked: ErasureProof['unlinked'][number][] = [];
  for (const edge of edges) {
    const keys = await unlink(run, edge, doomed);
    if (keys.length === 0) continue;
    unlinked.push({ constraint: edge.constraint, table: edge.child.name, rows: keys.length, keys });
  }
  return unlinked;
}

async function unlink(run: Run, edge: GraphEdge, doomed: DoomedRows): Promise<string[]> {
  const { child, emptied } = edge;
  const set = [...emptied.map(({ name }) => `${escapeIdentifier(name)} = null`), ...child.touch].join(', ');
  const { sql, params } = statement(
    `update ${child.sql} t set ${set} from (
        select ${keyColumns(child, 't')} from ${edgeJoin(edge, keysIn('$parents'))}
          and ${keyText(child, 't')} not in (select jsonb_array_elements_text($others::jsonb))
        order by ${keyColumns(child, 't')} for update of t
      ) o where ${isSameRow(child, 't', 'o')} returning ${keyText(child, 't')} as key
      /* soft-delete: dead rows too, because their references hold as well */`,
    {
      parents: JSON.stringify([...(doomed.get(edge.parent) ?? [])]),
      others: JSON.stringify([...(doomed.get(child) ?? [])]),
    },
  );
  return (await run<{ key: string }>(sql, params)).map(({ key }) => key);
}

/**
 * Removes the rows of all tables by one statement: PostgreSQL looks at its foreign keys, RESTRICT too, when it ends, so that
 * no order of the tables is needed, and cycles are nothing special.
 */
export async function removeDoomed(run: Run, doomed: DoomedRows): Promise<void> {
  const tables = [...doomed];
  const steps = tables.map(
    ([table], index) => `done${index} as (
      delete from ${table.sql} t using (
        select k.key from input i cross join lateral jsonb_array_elements_text(i.doomed -> ${escapeLiteral(table.name)}) as k (key)
      ) k where ${hasKey(table, 't', 'k.key')} returning 1)`,
  );
  const counts = tables.map(
    ([{ name }], index) => `select ${escapeLiteral(name)} as name, count(*)::int as rows from done${index}`,
  );
  const { sql, params } = statement(
    `with input as (select $doomed::jsonb as doomed), ${steps.join(', ')} ${counts.join(' union all ')}
      /* soft-delete: dead rows, because they are what is removed */`,
    { doomed: doomedJson(doomed) },
  );
  const removed = await run<{ name: string; rows: number }>(sql, params);
  const left = tables.find(
    ([{ name }, keys]) => removed.find((one) => one.name === name)?.rows !== keys.size,
  );
  if (left) throw ErasureError.resisted(left[0].name);
}

/** The keys by table. */
export function doomedJson(doomed: DoomedRows): string {
  return JSON.stringify(Object.fromEntries([...doomed].map(([{ name }, keys]) => [name, [...keys]])));
}
