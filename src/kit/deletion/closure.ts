import { escapeLiteral } from 'pg';
import type { Run } from './catalogue.ts';
import { type DeletionGraph, edgesInto, type GraphEdge, type GraphTable, reachOf } from './graph.ts';
import { isLiveRow, keyText, leadsToKey, parentRow, refersTo } from './key-sql.ts';
import type { Blocker } from './restricted-error.ts';
import { statement, type Statement } from './statement.ts';

/** From where a deletion starts. */
export interface ClosureRoot {
  readonly graph: DeletionGraph;
  readonly root: GraphTable;
  readonly rows: Statement;
}

/** Live rows that would forbid the deletion; nothing is written or locked. */
export async function closureBlockers(
  run: Run,
  from: ClosureRoot,
  edges: readonly GraphEdge[],
): Promise<Blocker[]> {
  const blocked = edges.map(
    (
      edge,
    ) => `select ${escapeLiteral(edge.constraint)} as constraint, ${escapeLiteral(edge.child.name)} as table,
      count(*)::int as rows, (array_agg(key order by key))[1:10] as keys from (${rowsOfEdge(edge)}) b having count(*) > 0`,
  );
  const { sql, params } = statement(`${closureSql(from)} ${blocked.join(' union all ')}`, {
    root: from.rows,
  });
  return run<Blocker>(sql, params);
}

/** The rows that would fall, as `fallen (t, key)`, each once whatever the ways to it: cycles end by themselves. */
export function closureSql({ graph, root }: ClosureRoot): string {
  const reach = new Set(reachOf(graph, root).keys());
  const next = edgesInto(graph, reach, 'cascade').map((edge) => {
    const key = keyOf(edge, 'f');
    const parent = leadsToKey(edge) ? '' : `, ${edge.parent.sql} p`;
    const found = leadsToKey(edge)
      ? refersTo(edge, 't', key)
      : `${parentRow(edge, key).replace(/^join .* on /s, '')} and ${refersTo(edge, 't', key)}`;
    return `select ${escapeLiteral(edge.child.name)}::text as t, ${keyText(edge.child, 't')} as key from ${edge.child.sql} t${parent}
      where f.t = ${escapeLiteral(edge.parent.name)} and ${found} and ${isLiveRow(edge.child, 't')}`;
  });
  const step =
    next.length === 0
      ? ''
      : ` union select x.t, x.key from fallen f cross join lateral (${next.join(' union all ')}) x`;
  return `with recursive fallen (t, key) as (
      select ${escapeLiteral(root.name)}::text, ${keyText(root, 'r')} from ${root.sql} r
      where (${root.primaryKey.map(({ name }) => `r."${name.replaceAll('"', '""')}"`).join(', ')}) in
        (select ${root.primaryKey.map(({ name }) => `q."${name.replaceAll('"', '""')}"`).join(', ')} from ($root) q) and ${isLiveRow(root, 'r')}${step}
    )`;
}

/** The live rows that refer to a fallen one by the edge: of a cascade they fall, of the others those that do not fall anyway. */
export function rowsOfEdge(edge: GraphEdge): string {
  const { child, policy } = edge;
  // NOT IN is hashed, where IN would be planned as a join of few rows by guess and many in fact.
  const isOther = `(${escapeLiteral(child.name)}, ${keyText(child, 't')}) not in (select g.t, g.key from fallen g)`;
  const condition = child.deletedAt === undefined || policy === 'cascade' ? 'true' : isOther;
  const parents = `fallen f ${parentRow(edge, keyOf(edge, 'f'))}`;
  const refers = `${refersTo(edge, 't', keyOf(edge, 'f'))} and ${isLiveRow(child, 't')} and ${condition}`;
  const isParent = `f.t = ${escapeLiteral(edge.parent.name)}`;
  if (!edge.indexed)
    return `select distinct ${keyText(child, 't')} as key from ${child.sql} t, ${parents} where ${isParent} and ${refers}`;
  // How many rows fall is guessed too high, by which the whole table would be read to find what refers to one of them.
  return `select distinct x.key from ${parents} cross join lateral (
      select ${keyText(child, 't')} as key from ${child.sql} t where ${refers} offset 0) x where ${isParent}`;
}

/** Keys of several tables stand in one column: that of another table must not be read as a value of this one's type. */
function keyOf({ parent }: GraphEdge, alias: string): string {
  return `(case when ${alias}.t = ${escapeLiteral(parent.name)} then ${alias}.key end)`;
}
