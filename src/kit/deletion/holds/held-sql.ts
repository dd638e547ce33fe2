import { escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import type { GraphEdge, GraphTable } from '../graph.ts';
import { hasKey, keyText, refersToRow } from '../key-sql.ts';

/** A foreign key whose rows belong to the row that they refer to, and are held with it. */
export type PartEdge = Pick<GraphEdge, 'child' | 'parent' | 'columns' | 'referenced' | 'period'>;

/**
 * Lets nobody place a hold until the transaction ends, and waits for those who are placing one. Whatever removes rows for good runs
 * this in its transaction first, and asks {@link isHeld} by a statement of its own behind it, which sees all holds there are. So no
 * row is removed after `placeHold` has answered. Removals do not wait for each other.
 */
export async function lockHolds(run: Run): Promise<void> {
  await run('lock table deletion_holds in share mode');
}

/**
 * That the row `alias` must not be removed for good: it is held, its table is, or it is part, by `parts`, of a row of which that is
 * true, through any number of steps. `parts` are the cascades of a deletion graph: what falls with a row is part of it.
 */
export function isHeld(parts: readonly PartEdge[], table: GraphTable, alias: string): string {
  const above = tablesAbove(parts, table);
  const edges = parts.filter(({ child }) => above.has(child));
  const names = [...above].map(({ name }) => escapeLiteral(name)).join(', ');
  const key = keyText(table, alias);
  // Asked once for a statement: without a hold on any of the tables no row is looked at.
  const isAsked = `exists (select from deletion_holds h where h.released_at is null and h.table_name in (${names}))`;
  if (edges.length === 0) return `(${isAsked} and ${isOpen(escapeLiteral(table.name), key)})`;
  return `(${isAsked} and exists (
      with recursive owner (t, key) as (
        select ${escapeLiteral(table.name)}::text, ${key}
        union select x.t, x.key from owner o cross join lateral (${edges.map(step).join(' union all ')}) x
      ) select from owner o where ${isOpen('o.t', 'o.key')}))`;
}

function isOpen(table: string, key: string): string {
  const own = `h.released_at is null and h.table_name = ${table}`;
  return `(exists (select from deletion_holds h where ${own} and h.key is null)
    or exists (select from deletion_holds h where ${own} and h.key = ${key}))`;
}

/** Keys of several tables stand in one column: that of another table must not be read as a value of this one's type. */
function step(edge: PartEdge): string {
  const { child, parent } = edge;
  const key = `(case when o.t = ${escapeLiteral(child.name)} then o.key end)`;
  return `select ${escapeLiteral(parent.name)}::text as t, ${keyText(parent, 'p')} as key
    from ${child.sql} c join ${parent.sql} p on ${refersToRow(edge, 'c', 'p')}
    where o.t = ${escapeLiteral(child.name)} and ${hasKey(child, 'c', key)}
    /* soft-delete: dead rows too, because they are held as live ones are */`;
}

function tablesAbove(parts: readonly PartEdge[], table: GraphTable): Set<GraphTable> {
  const above = new Set([table]);
  for (const each of above) {
    for (const { child, parent } of parts) if (child === each) above.add(parent);
  }
  return above;
}
