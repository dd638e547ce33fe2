import { escapeLiteral } from 'pg';
import type { Session } from '../../session.ts';
import type { StepContext } from './align-step.ts';
import { indexDefinition, type IndexDefinition } from './index-definition.ts';
import { ensureIndex } from './indexes.ts';
import { lastOf, ownerOf, PREFIX, stored, temporary } from './names.ts';

/** A column, and the one of another type that takes its place. */
export interface ColumnChange {
  /** Qualified. */
  readonly table: string;
  readonly column: string;
  readonly shadow: string;
  /** What the column becomes. */
  readonly type: string;
}

/** An index over a column, and the same over the one that takes its place. */
export interface ColumnIndex {
  /** Qualified. */
  readonly name: string;
  /** What is built over the other column. */
  readonly index: IndexDefinition;
  /** What the index belongs to: `UNIQUE`, and how it is deferred; null where it stands alone. */
  readonly timing: string | null;
  readonly isClustered: boolean;
  readonly comment: string | null;
  readonly constraintComment: string | null;
  /** Why it cannot be made over another column, in the middle of a sentence. */
  readonly hindrance: string | null;
}

/** The text of an expression tells neither its columns nor their numbers for certain; the tree does. */
const isNamed = (tree: string): string =>
  `coalesce(position(format(':varattno %s ', a.attnum) in ${tree}::text) > 0, false)`;

/** What stands behind a key as the server prints it, so that an index which is there already is known again. */
const COLLATE = `case when i.indcollation[e.n] <> 0 and i.indcollation[e.n] is distinct from o.attcollation
    then (select format('COLLATE %I.%I', s.nspname, l.collname) from pg_catalog.pg_collation l join pg_catalog.pg_namespace s on s.oid = l.collnamespace where l.oid = i.indcollation[e.n]) end`;

// The default of the old type need not take the new one; any other was chosen.
const OPERATORS = `case when p.opcdefault and (e.attnum = a.attnum or p.opcintype = o.atttypid or (o.atttypid = 'varchar'::regtype and p.opcintype = 'text'::regtype)) then null
    else (select format('%I.%I', s.nspname, p.opcname) from pg_catalog.pg_namespace s where s.oid = p.opcnamespace) end`;

const ORDER = `case when pg_catalog.pg_indexam_has_property(c.relam, 'can_order')
    then (array['DESC NULLS LAST', 'NULLS FIRST', 'DESC'])[nullif(i.indoption[e.n] & 3, 0)] end`;

const PLACES = `(select k.attnum, k.n::int - 1 as n from unnest(i.indkey) with ordinality k (attnum, n)) e
    left join pg_catalog.pg_attribute o on o.attrelid = i.indrelid and o.attnum = e.attnum and e.attnum <> 0`;

const COLUMN = `case when e.attnum = a.attnum then $3 else quote_ident(o.attname) end`;

const KEYS = `(select string_agg(concat_ws(' ', case when e.attnum = 0 then pg_catalog.pg_get_indexdef(i.indexrelid, e.n + 1, false) else ${COLUMN} end,
      ${COLLATE}, ${OPERATORS}, ${ORDER}), ', ' order by e.n)
    from ${PLACES} join pg_catalog.pg_opclass p on p.oid = i.indclass[e.n] where e.n < i.indnkeyatts)`;

const INCLUDED = `(select string_agg(${COLUMN}, ', ' order by e.n) from ${PLACES} where e.n >= i.indnkeyatts)`;

const HINDRANCE = `case
    when ${isNamed('i.indexprs')} or ${isNamed('i.indpred')} then 'names it in an expression or in its predicate'
    when k.contype <> 'u' then 'belongs to the constraint ' || quote_ident(k.conname)
    when i.indisreplident then 'is what replication tells the rows of the table by'
    when exists (select from pg_catalog.pg_constraint f where f.contype = 'f' and f.conindid = i.indexrelid) then 'is what foreign keys rely on'
    when exists (select from pg_catalog.pg_attribute x where x.attrelid = i.indexrelid and x.attoptions is not null) then 'has options of an operator class'
    when exists (select from unnest(i.indkey) with ordinality e (attnum, n) join pg_catalog.pg_opclass p on p.oid = i.indclass[e.n::int - 1]
      where e.n <= i.indnkeyatts and e.attnum = a.attnum and not p.opcdefault and p.opcintype <> to_regtype($4)
        and not exists (select from pg_catalog.pg_cast t where t.castsource = to_regtype($4) and t.casttarget = p.opcintype and t.castmethod = 'b'))
      then 'has an operator class that does not take ' || $4 end`;

// PostgreSQL 14 has no indnullsnotdistinct.
const INDEXES = `select format('%I.%I', n.nspname, c.relname) as name, i.indisunique as "isUnique", i.indisclustered as "isClustered",
    concat_ws(' ', 'USING ' || m.amname, '(' || ${KEYS} || ')', 'INCLUDE (' || ${INCLUDED} || ')',
      case when (to_jsonb(i) ->> 'indnullsnotdistinct')::boolean then 'NULLS NOT DISTINCT' end,
      'WITH (' || (select string_agg(quote_ident(split_part(w, '=', 1)) || '=' || quote_literal(substr(w, position('=' in w) + 1)), ', ') from unnest(c.reloptions) w) || ')',
      (select 'TABLESPACE ' || quote_ident(s.spcname) from pg_catalog.pg_tablespace s where s.oid = c.reltablespace),
      'WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid)) as rest,
    case when k.oid is not null then concat_ws(' ', case when k.condeferrable then 'DEFERRABLE' end, case when k.condeferred then 'INITIALLY DEFERRED' end) end as timing,
    pg_catalog.obj_description(c.oid, 'pg_class') as comment, pg_catalog.obj_description(k.oid, 'pg_constraint') as "constraintComment",
    ${HINDRANCE} as hindrance
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_index i on i.indrelid = a.attrelid and (a.attnum = any (i.indkey) or ${isNamed('i.indexprs')} or ${isNamed('i.indpred')})
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_am m on m.oid = c.relam
  left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
  where a.attrelid = to_regclass($1) and a.attname = $2 and i.indisvalid and i.indisready and not starts_with(c.relname::text, '${PREFIX}')
  order by 1`;

/** Indexes that a column takes with it when it goes. What a broken build has left is none of them. */
export async function indexesOf(
  session: Session,
  { table, column, shadow, type }: ColumnChange,
): Promise<ColumnIndex[]> {
  const rows = await session.query<
    Omit<ColumnIndex, 'index'> & { readonly isUnique: boolean; readonly rest: string }
  >(INDEXES, [table, stored(column), shadow, type]);
  return rows.map(({ isUnique, rest, ...found }) => {
    const text = `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${lastOf(found.name)} ON ${table} ${rest}`;
    return { ...found, index: indexDefinition(text) as IndexDefinition };
  });
}

/** Under which name an index is built over the other column. */
export const placeOf = (column: string, index: string): string => temporary(column, lastOf(index));

/** Builds the same indexes over the other column while the table is in use. */
export async function ensureIndexes(
  context: StepContext,
  { table, column }: ColumnChange,
  indexes: readonly ColumnIndex[],
): Promise<void> {
  for (const { name, index } of indexes)
    await ensureIndex(context, index, `${ownerOf(table)}.${placeOf(column, name)}`);
}

// An index keeps the names that its columns had when it was built, whatever becomes of those of the table.
const OLD_NAMES = `select quote_ident(b.attname) as built, quote_ident(a.attname) as old
  from pg_catalog.pg_attribute a join pg_catalog.pg_attribute b on b.attrelid = to_regclass($2) and b.attnum = a.attnum
  where a.attrelid = to_regclass($1) and starts_with(b.attname::text, '${PREFIX}')
    and not exists (select from pg_catalog.pg_attribute o where o.attrelid = b.attrelid and o.attname = a.attname)
  order by a.attnum`;

/** What gives the columns of the new indexes, while both are there, the names that they have in the old ones. */
export async function renameColumnsSql(
  session: Session,
  { table, column }: ColumnChange,
  indexes: readonly ColumnIndex[],
): Promise<string[]> {
  const statements: string[] = [];
  for (const { name } of indexes) {
    const place = `${ownerOf(table)}.${placeOf(column, name)}`;
    const names = await session.query<{ built: string; old: string }>(OLD_NAMES, [name, place]);
    statements.push(
      ...names.map(({ built, old }) => `ALTER TABLE ${place} RENAME COLUMN ${built} TO ${old}`),
    );
  }
  return statements;
}

/** What gives the new indexes the names of the old ones, which have gone with their column. */
export function takePlaceSql({ table, column }: ColumnChange, indexes: readonly ColumnIndex[]): string[] {
  return indexes.flatMap(({ name, timing, isClustered, comment, constraintComment }) => {
    const [place, last] = [placeOf(column, name), lastOf(name)];
    return [
      timing === null
        ? `ALTER INDEX ${ownerOf(table)}.${place} RENAME TO ${last}`
        : `ALTER TABLE ${table} ADD CONSTRAINT ${last} UNIQUE USING INDEX ${place} ${timing}`,
      ...(isClustered ? [`ALTER TABLE ${table} CLUSTER ON ${last}`] : []),
      ...(comment === null ? [] : [`COMMENT ON INDEX ${name} IS ${escapeLiteral(comment)}`]),
      ...(constraintComment === null
        ? []
        : [`COMMENT ON CONSTRAINT ${last} ON ${table} IS ${escapeLiteral(constraintComment)}`]),
    ];
  });
}
