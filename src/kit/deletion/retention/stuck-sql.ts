import { escapeLiteral } from 'pg';
import { hasKey, keyText, refersToRow } from '../key-sql.ts';
import type { PurgeEdge, PurgeGraph, PurgeTable } from './purge-graph.ts';

/** Says that it is about dead rows on purpose, to those who look at statements. */
export const DEAD_ROWS = '/* soft-delete: dead rows too, because a purge removes them */';

/** The part of a graph that a statement looks at: rows of all other tables stay. */
export type Looked = Pick<PurgeGraph, 'tables' | 'edges'>;

const isOf = (tables: readonly PurgeTable[], { child }: PurgeEdge): boolean =>
  tables.includes(child as PurgeTable);

/**
 * The rows that are due and have to stay, as `stuck (t, key, edge)`: because they are held (`edge` is ''), or because a row that
 * stays refers to them by the foreign key. A row that refers to nothing but itself, or to a circle of due rows, is not among them.
 */
export function stuckSql({ tables, edges }: Looked): string {
  const into = edges.filter(({ parent }) => tables.includes(parent));
  const starts = [...tables.map(held), ...into.map((edge) => blocked(edge, isOf(tables, edge)))];
  const steps = into.filter((edge) => !edge.isLink && isOf(tables, edge)).map(step);
  const next =
    steps.length === 0
      ? ''
      : ` union select x.t, x.key, x.edge from stuck s cross join lateral (${steps.join(' union all ')}) x`;
  return `stuck (t, key, edge) as ((${starts.join(' union all ')})${next})`;
}

function held(table: PurgeTable): string {
  return `select ${escapeLiteral(table.name)}::text as t, ${keyText(table, 't')} as key, ''::text as edge
    from ${table.sql} t where ${table.isDue('t')} and ${table.isHeld('t')} ${DEAD_ROWS}`;
}

/** A link goes along unless it is held itself; a row of a table that is purged too stays for certain if it is not due. */
function blocked(edge: PurgeEdge, isLooked: boolean): string {
  const child = edge.child as PurgeTable;
  const stays = edge.isLink ? edge.isChildHeld('c') : isLooked ? `(${child.isDue('c')}) is not true` : 'true';
  return `select ${escapeLiteral(edge.parent.name)}::text, ${keyText(edge.parent, 'p')}, ${escapeLiteral(edge.constraint)}::text
    from ${edge.parent.sql} p where ${edge.parent.isDue('p')}
      and exists (select from ${child.sql} c where ${refersToRow(edge, 'c', 'p')} and ${stays}) ${DEAD_ROWS}`;
}

function step(edge: PurgeEdge): string {
  const { child, parent } = edge;
  return `select ${escapeLiteral(parent.name)}::text as t, ${keyText(parent, 'p')} as key, ${escapeLiteral(edge.constraint)}::text as edge
    from ${child.sql} c join ${parent.sql} p on ${refersToRow(edge, 'c', 'p')}
    where s.t = ${escapeLiteral(child.name)} and ${hasKey(child, 'c', keyOf('s', child))} and ${parent.isDue('p')} ${DEAD_ROWS}`;
}

/** Keys of several tables stand in one column: that of another table must not be read as a value of this one's type. */
export function keyOf(alias: string, { name }: { readonly name: string }): string {
  return `(case when ${alias}.t = ${escapeLiteral(name)} then ${alias}.key end)`;
}
