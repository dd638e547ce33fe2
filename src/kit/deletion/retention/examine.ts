import { escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import { keyText, refersToRow } from '../key-sql.ts';
import { statement, type Values } from '../statement.ts';
import type { PurgeGraph } from './purge-graph.ts';
import type { PurgeBlocker, PurgeFindings } from './purge-report.ts';
import { DEAD_ROWS, stuckSql } from './stuck-sql.ts';

interface Found {
  readonly kind: 'due' | 'stuck' | 'reason' | 'link';
  readonly t: string;
  readonly edge: string;
  readonly rows: number;
  readonly keys: readonly string[] | null;
}

/** What a purge would remove now, and what has to stay because of what. One statement; it writes and locks nothing. */
export async function examine(run: Run, graph: PurgeGraph, values: Values): Promise<PurgeFindings> {
  const { sql, params } = statement(examineSql(graph), values);
  const found = await run<Found>(sql, params);
  const count = (kind: Found['kind'], t: string) =>
    found.find((one) => one.kind === kind && one.t === t)?.rows ?? 0;
  const reasons = found
    .filter(({ kind }) => kind === 'reason')
    .map((one) => ({ ...one, keys: one.keys ?? [] }));
  return {
    purged: counted(graph.tables.map(({ name }) => [name, count('due', name) - count('stuck', name)])),
    links: counted(found.filter(({ kind }) => kind === 'link').map(({ edge, rows }) => [edge, rows])),
    held: reasons.filter(({ edge }) => edge === '').map(({ t, rows, keys }) => ({ table: t, rows, keys })),
    blocked: graph.edges.flatMap(({ constraint, child, parent }): PurgeBlocker[] => {
      const own = reasons.find(({ edge, t }) => edge === constraint && t === parent.name);
      return own ? [{ constraint, table: child.name, of: parent.name, rows: own.rows, keys: own.keys }] : [];
    }),
  };
}

function examineSql(graph: PurgeGraph): string {
  const due = graph.tables.map(
    (
      table,
    ) => `select 'due' as kind, ${escapeLiteral(table.name)}::text as t, '' as edge, count(*)::int as rows,
      null::text[] as keys from ${table.sql} t where ${table.isDue('t')} ${DEAD_ROWS}`,
  );
  const links = graph.edges
    .filter(({ isLink }) => isLink)
    .map(
      (edge) => `select 'link', '', ${escapeLiteral(edge.constraint)}, count(*)::int, null
        from ${edge.child.sql} c join ${edge.parent.sql} p on ${refersToRow(edge, 'c', 'p')} where ${edge.parent.isDue('p')}
          and not exists (select from stuck s where s.t = ${escapeLiteral(edge.parent.name)} and s.key = ${keyText(edge.parent, 'p')})
          ${DEAD_ROWS}`,
    );
  return `with recursive ${stuckSql(graph)} ${[
    ...due,
    `select 'stuck', t, '', count(distinct key)::int, null from stuck group by t`,
    `select 'reason', t, edge, count(distinct key)::int, (array_agg(distinct key order by key))[1:10] from stuck group by t, edge`,
    ...links,
  ].join(' union all ')}`;
}

/** Counts above zero, by name. */
export function counted(counts: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, rows] of counts) if (rows > 0) sums[name] = (sums[name] ?? 0) + rows;
  return sums;
}
