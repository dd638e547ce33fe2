import { escapeIdentifier, escapeLiteral } from 'pg';
import { hasKey, keyColumns, keyText, partOf, refersToRow } from '../key-sql.ts';
import type { PurgeEdge, PurgeTable } from './purge-graph.ts';
import { DEAD_ROWS, keyOf } from './stuck-sql.ts';

/** The keys of one table as the text of an array, which travels as it is and is never taken apart here. */
export interface LockedKeys {
  readonly name: string;
  readonly keys: string;
  readonly rows: number;
  /** The key from which the next batch goes on. */
  readonly last: string | null;
}

const keysOrdered = (table: PurgeTable): string => `array_agg(h.key order by ${keyColumns(table, 'h')})`;

/**
 * Locks the next rows that are due, from the highest key down: rows that refer to others of their table are mostly younger. Locked
 * by `for update`, nobody can refer to them, and a row that was restored since the look is not due any more.
 */
export function lockNext(table: PurgeTable, isFirst: boolean): string {
  const columns = keyColumns(table, 't');
  const cursor = table.primaryKey.map((column) =>
    partOf(table, '$last', column).replaceAll('$last', '$last::text'),
  );
  const below = isFirst ? '' : ` and (${columns}) < (${cursor.join(', ')})`;
  const down = table.primaryKey.map(({ name }) => `t.${escapeIdentifier(name)} desc`).join(', ');
  return `select ${escapeLiteral(table.name)} as name, count(*)::int as rows, array_agg(h.key)::text as keys,
      (${keysOrdered(table)})[1] as last
    from (select ${keyText(table, 't')} as key, ${columns} from ${table.sql} t where ${table.isDue('t')}${below}
      order by ${down} limit $size for update of t skip locked ${DEAD_ROWS}) h having count(*) > 0`;
}

/** Locks named rows, those that are still due. */
export function lockNamed(table: PurgeTable): string {
  return `select ${escapeLiteral(table.name)} as name, count(*)::int as rows, array_agg(h.key)::text as keys, null::text as last
    from (select k.key from unnest($keys::text[]) k (key) join ${table.sql} t on ${hasKey(table, 't', 'k.key')}
      where ${table.isDue('t')} order by ${keyColumns(table, 't')} for update of t skip locked ${DEAD_ROWS}) h having count(*) > 0`;
}

/** The parameter with the keys of the table at this place. */
export const keysAt = (place: number): string => `keys${'x'.repeat(place)}`;

/**
 * Removes the locked rows but for those that are held or referred to by rows that stay, and the links that refer to them. It is a
 * statement of its own, so that it sees the children that came before the lock and the holds that came before `lockHolds`. Rows are
 * removed together, because rows of a circle can only go together.
 */
export function removeLocked(tables: readonly PurgeTable[], edges: readonly PurgeEdge[]): string {
  const into = edges.filter(({ parent }) => tables.includes(parent));
  const place = (table: object) => tables.indexOf(table as PurgeTable);
  const locked = tables.map(
    (_, index) => `locked${index} (key) as materialized (select unnest($${keysAt(index)}::text[]))`,
  );
  const free = (table: PurgeTable, key: string) =>
    `${key} not in (select b.key from bad b where b.t = ${escapeLiteral(table.name)})`;
  const links = into.filter(({ isLink }) => isLink);
  const gone = [
    ...links.map(
      (edge, index) => `link${index} as (delete from ${edge.child.sql} c using locked${place(edge.parent)} l
        join ${edge.parent.sql} p on ${hasKey(edge.parent, 'p', 'l.key')}
        where ${refersToRow(edge, 'c', 'p')} and ${free(edge.parent, 'l.key')} ${DEAD_ROWS} returning 1)`,
    ),
    ...tables.map(
      (table, index) => `gone${index} as (delete from ${table.sql} t using locked${index} l
        where ${hasKey(table, 't', 'l.key')} and ${free(table, 'l.key')} ${DEAD_ROWS} returning 1)`,
    ),
  ];
  const counts = [
    ...links.map(
      ({ constraint }, index) =>
        `select 'link' as kind, ${escapeLiteral(constraint)} as name, count(*)::int as rows from link${index}`,
    ),
    ...tables.map(
      ({ name }, index) =>
        `select 'row' as kind, ${escapeLiteral(name)} as name, count(*)::int as rows from gone${index}`,
    ),
  ];
  return `with recursive ${[...locked, badSql(tables, into), ...gone].join(', ')}
    ${counts.join(' union all ')}`;
}

/** Keys of due rows that refer to each other in circles and to which nothing else refers, with all that refers to them. */
export function circlesSql(
  tables: readonly PurgeTable[],
  edges: readonly PurgeEdge[],
  stuck: string,
): string {
  const seeds = tables.map(
    (
      table,
    ) => `select ${escapeLiteral(table.name)}::text as t, ${keyText(table, 't')} as key from ${table.sql} t where ${table.isDue('t')}
      and not exists (select from stuck s where s.t = ${escapeLiteral(table.name)} and s.key = ${keyText(table, 't')}) ${DEAD_ROWS}`,
  );
  const steps = edges
    .filter(
      ({ child, parent, isLink }) =>
        !isLink && tables.includes(child as PurgeTable) && tables.includes(parent),
    )
    .map(
      (edge) => `select ${escapeLiteral(edge.child.name)}::text as t, ${keyText(edge.child, 'c')} as key
        from ${edge.parent.sql} p join ${edge.child.sql} c on ${refersToRow(edge, 'c', 'p')}
        where v.t = ${escapeLiteral(edge.parent.name)} and ${hasKey(edge.parent, 'p', keyOf('v', edge.parent))} ${DEAD_ROWS}`,
    );
  return `with recursive ${stuck}, seed as (${seeds.join(' union all ')} limit $size),
    victim (t, key) as (select t, key from seed union select x.t, x.key from victim v cross join lateral (${steps.join(' union all ')}) x)
    select t as name, count(*)::int as rows, array_agg(key)::text as keys from victim group by t order by t`;
}

/** The locked rows that stay, as `bad (t, key)`. */
function badSql(tables: readonly PurgeTable[], into: readonly PurgeEdge[]): string {
  const own = into.filter(({ child, isLink }) => !isLink && tables.includes(child as PurgeTable));
  const place = (table: object) => tables.indexOf(table as PurgeTable);
  const bad = tables.map((table, index) => {
    const why = into
      .filter(({ parent }) => parent === table)
      .map((edge) => {
        const isOwn = own.includes(edge);
        const other = isOwn
          ? ` and ${keyText(edge.child, 'c')} not in (select o.key from locked${place(edge.child)} o)`
          : '';
        const held = edge.isLink ? ` and ${edge.isChildHeld('c')}` : '';
        return `exists (select from ${edge.child.sql} c where ${refersToRow(edge, 'c', 't')}${other}${held})`;
      });
    return `select ${escapeLiteral(table.name)}::text as t, l.key from locked${index} l join ${table.sql} t on ${hasKey(table, 't', 'l.key')}
      where ${[table.isHeld('t'), ...why].join(' or ')} ${DEAD_ROWS}`;
  });
  const spread = own.map(
    ({
      child,
      parent,
      columns,
      referenced,
      period,
    }) => `select ${escapeLiteral(parent.name)}::text as t, ${keyText(parent, 'p')} as key
      from ${child.sql} c join ${parent.sql} p on ${refersToRow({ columns, referenced, period }, 'c', 'p')}
      where b.t = ${escapeLiteral(child.name)} and ${hasKey(child, 'c', keyOf('b', child))}
        and ${keyText(parent, 'p')} in (select o.key from locked${place(parent)} o) ${DEAD_ROWS}`,
  );
  const next =
    spread.length === 0
      ? ''
      : ` union select x.t, x.key from bad b cross join lateral (${spread.join(' union all ')}) x`;
  return `bad (t, key) as ((${bad.join(' union all ')})${next})`;
}
