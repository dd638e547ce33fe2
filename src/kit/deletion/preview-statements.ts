import { escapeIdentifier, escapeLiteral } from 'pg';
import type { CatalogueColumn } from './catalogue.ts';
import type { GraphEdge, GraphTable } from './graph.ts';
import { comparison, hasKey, isLiveRow, keyColumns, keyText, refersToRow } from './key-sql.ts';
import type { LiveUnique } from './live-uniques.ts';
import { asMark } from './mark-sql.ts';

const FELL = (table: GraphTable): string =>
  `e.batch_id = $batch and e.kind = 'fell' and e.table_name = ${escapeLiteral(table.name)}`;

const COUNTED = `count(*)::int as rows, (array_agg(key order by key))[1:10] as keys`;

/**
 * Of a condition PostgreSQL guesses how many rows meet it; how many are dead since a moment ago it guesses wrongly, by orders of
 * magnitude, and would then look through the whole journal for each of them. Of this form it makes no guess.
 */
const unguessed = (condition: string): string => `(case when ${condition} then true else false end)`;

/** A row of the batch that is as the batch left it: marked by the same transaction's clock. */
export function isAsLeft(table: GraphTable, alias: string): string {
  return `${unguessed(`${alias}.${escapeIdentifier(table.deletedAt ?? '')} = ${asMark(table, '$deleted::timestamptz')}`)}
    /* soft-delete: dead rows, because they are what is restored */`;
}

/** How many rows of a table are in which state. */
export function statesStatement(table: GraphTable): string {
  const mark = `t.${escapeIdentifier(table.deletedAt ?? '')}`;
  return `select ${escapeLiteral(table.name)} as table, state, ${COUNTED} from (
      select e.key, case when t.${escapeIdentifier(table.primaryKey[0]?.name ?? '')} is null then 'gone'
        when ${mark} is null then 'live' when ${mark} = ${asMark(table, '$deleted::timestamptz')} then 'dead' else 'moved' end as state
      from (select distinct e.key from deletion_rows e where ${FELL(table)}) e
      left join ${table.sql} t on ${hasKey(table, 't', 'e.key')}
      /* soft-delete: dead rows too, because it tells what has become of them */
    ) s group by state`;
}

/**
 * The keys of a table in the batch. Asked by IN inside an OR or by NOT IN, which hash them: planned as a join, they would be few by
 * guess and many in fact.
 */
const keysOf = (table: GraphTable): string =>
  `(select f.key from deletion_rows f where f.batch_id = $batch and f.kind = 'fell' and f.table_name = ${escapeLiteral(table.name)})`;

/**
 * The parents, outside of the batch, that `needed` refers to with its columns of the foreign key. With `lock`, the live ones stay so
 * until the end of the transaction.
 */
export function outsideParents(edge: GraphEdge, needed: string, lock: boolean): string {
  const { parent } = edge;
  return `select ${keyText(parent, 'p')} as key, p.${escapeIdentifier(parent.deletedAt ?? '')} as mark
      from (select distinct ${edge.columns.map(({ name }) => escapeIdentifier(name)).join(', ')} from ${needed}) n
      join ${parent.sql} p on ${refersToRow(edge, 'n', 'p')}
      where ${keyText(parent, 'p')} not in ${keysOf(parent)} order by ${keyColumns(parent, 'p')}${lock ? ' for share of p' : ''}`;
}

/** Which of the parents of rows that would be live again are dead themselves. */
export function ancestorsStatement(edge: GraphEdge, lock = false): string {
  const { child, parent, constraint } = edge;
  return `with needed as materialized (
      select ${edge.columns.map(({ name }) => `t.${escapeIdentifier(name)}`).join(', ')}
      from deletion_rows e join ${child.sql} t on ${hasKey(child, 't', 'e.key')} and ${isAsLeft(child, 't')} where ${FELL(child)}
    ), outside as materialized (${outsideParents(edge, 'needed', lock)})
    select ${escapeLiteral(constraint)} as constraint, ${escapeLiteral(parent.name)} as table, ${COUNTED}
    from outside where mark is not null having count(*) > 0`;
}

/** The rows of the batch whose values a live row, or another row of the batch, has in the index. */
export function twinsStatement(table: GraphTable, unique: LiveUnique): string {
  const values = unique.expressions.map((expression, index) => `(${expression}) as k${index}`).join(', ');
  const keys = unique.expressions.map((_, index) => `k${index}`);
  const equal = keys.map((k, index) =>
    unique.nullsNotDistinct
      ? `d.${k} is not distinct from l.${k}`
      : `d.${k} ${unique.operators[index] ?? '='} l.${k}`,
  );
  const isNone = unique.nullsNotDistinct ? 'false' : keys.map((k) => `${k} is null`).join(' or ');
  // Names in what the catalogue prints are those of one row: each part has that row alone.
  const form = (rows: string) =>
    `select ${keyText(table, 'r')} as key, ${values} from (${rows}) r where ${unique.predicate ?? 'true'}`;
  const live = `select t.* from ${table.sql} t where ${isLiveRow(table, 't')}`;
  // Rows that do not overlap a live one were live together before, and are no equals that could be counted.
  const among = unique.isExclusion
    ? ''
    : `union select key from (select key, count(*) over (partition by ${keys.join(', ')}) as same from d where not (${isNone})) s
      where same > 1`;
  return `select ${escapeLiteral(unique.constraint)} as constraint, ${escapeLiteral(table.name)} as table, ${COUNTED} from (
      with d as (${form(restoredRows(table, unique))}), l as (${form(live)})
      select d.key from d where exists (select from l where ${equal.join(' and ')})
      ${among}
    ) x having count(*) > 0`;
}

/** The rows of the batch as they would be without their marks, with what is computed from these. */
function restoredRows(table: GraphTable, { generated }: LiveUnique): string {
  const isStored = ({ name }: { readonly name: string }) => !(name in generated);
  const columns = table.columns
    .filter(isStored)
    .map(({ name, type }) =>
      name === table.deletedAt ? `null::${type} as ${escapeIdentifier(name)}` : `t.${escapeIdentifier(name)}`,
    );
  const fallen = `select ${columns.join(', ')} from ${table.sql} t join deletion_rows e on ${FELL(table)} and ${hasKey(table, 't', 'e.key')}
      where ${isAsLeft(table, 't')}`;
  const computed = Object.entries(generated).map(([name, sql]) => `(${sql}) as ${escapeIdentifier(name)}`);
  return computed.length === 0 ? fallen : `select f.*, ${computed.join(', ')} from (${fallen}) f`;
}

/** An erasure leaves the key of an entry, and takes what the entry knew. */
const HAS_IMAGE = 'e.detail is not null';

/**
 * Whether an unlinked row can have its link again. What of the foreign key was not emptied, and what the target is referred to by, may
 * have changed since: the link would lead to another row, or to none.
 */
export function canRelink(edge: GraphEdge): string {
  const { child, parent, emptied } = edge;
  const still = emptied.map(({ name }) => `t.${escapeIdentifier(name)} is null`).join(' and ');
  const leads = edge.columns.map((column, index) => {
    const value = emptied.includes(column) ? oldValue(column) : `t.${escapeIdentifier(column.name)}`;
    return `p.${escapeIdentifier((edge.referenced[index] as CatalogueColumn).name)} = ${value}`;
  });
  const lives = `exists (select from ${parent.sql} p where ${hasKey(parent, 'p', 'e.cause')} and ${leads.join(' and ')} and (${isLiveRow(parent, 'p')}
      or (${isAsLeft(parent, 'p')} and e.cause in ${keysOf(parent)})))`;
  return `${HAS_IMAGE} and ${hasKey(child, 't', 'e.key')} and ${still} and ${lives}`;
}

/** What stood in a column that was emptied. */
export const oldValue = ({ name, type }: CatalogueColumn): string =>
  `(e.detail ->> ${escapeLiteral(name)})::${type}`;

export const UNLINKED = (edge: GraphEdge): string =>
  `e.batch_id = $batch and e.kind = 'unlinked' and e.table_name = ${escapeLiteral(edge.child.name)} and e.edge = ${escapeLiteral(edge.constraint)}`;

/** How many links would be made again, and which not. */
export function relinksStatement(edge: GraphEdge): string {
  return `select ${escapeLiteral(edge.constraint)} as constraint, ${escapeLiteral(edge.child.name)} as table, "canRelink", ${COUNTED} from (
      select e.key, exists (select from ${edge.child.sql} t where ${canRelink(edge)}
        /* soft-delete: dead rows too, because a link that was taken away comes back to whatever had it */) as "canRelink"
      from deletion_rows e where ${UNLINKED(edge)}
    ) u group by "canRelink"`;
}

/** The rows that were removed by edges to this table, and can be inserted again: what they refer to must exist. */
export function canReinsert(table: GraphTable): string {
  const exist = table.ownKeys.map(({ columns, parent, referenced, period }) => {
    const isNull = columns.map((name) => `r.${escapeIdentifier(name)} is null`).join(' or ');
    const match = columns
      .map(
        (name, index) =>
          `p.${escapeIdentifier(referenced[index] ?? '')} ${comparison({ columns, period }, index)} r.${escapeIdentifier(name)}`,
      )
      .join(' and ');
    return `(${isNull} or exists (select from ${parent} p where ${match}
      /* soft-delete: dead rows too, because links may lead to them */))`;
  });
  return [HAS_IMAGE, isAbsent(table), ...exist].join(' and ');
}

const isAbsent = (table: GraphTable): string =>
  `not exists (select from ${table.sql} t where ${hasKey(table, 't', 'e.key')})`;

export const REMOVED = (table: GraphTable): string =>
  `e.batch_id = $batch and e.kind = 'removed' and e.table_name = ${escapeLiteral(table.name)}`;

/** How many removed rows would be inserted again, and which not, but for those that are there already. */
export function reinsertsStatement(table: GraphTable): string {
  return `select edge as constraint, ${escapeLiteral(table.name)} as table, "canReinsert", ${COUNTED} from (
      select e.edge, e.key, (${canReinsert(table)}) as "canReinsert"
      from deletion_rows e, lateral jsonb_populate_record(null::${table.sql}, e.detail) r
      where ${REMOVED(table)} and ${isAbsent(table)}
    ) x group by edge, "canReinsert"`;
}
