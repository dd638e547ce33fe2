import type { Session } from '../session.ts';
import { conditionsOf, type ExpressionParser, markIn } from './condition.ts';
import type { DoctorFacts, ForeignKeyFacts, IndexFacts, KeyFacts, ModelFacts, TableFacts } from './facts.ts';
import type { EntityDifference } from './entity-difference.ts';
import { FreeNames } from './free-names.ts';
import { softTables } from './soft-tables.ts';

const OWN = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not exists
  (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')`;
const TABLES = `pg_class c join pg_namespace n on n.oid = c.relnamespace and c.relkind in ('r', 'p') and ${OWN}`;

/** A column that an older server's catalogue does not have is absent from the row's JSON. */
const since = (row: string, column: string, before: boolean): string =>
  `coalesce((to_jsonb(${row}) ->> '${column}')::boolean, ${before})`;

const TABLE = `select c.oid::text, n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as sql,
    case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as shown, c.relkind = 'p' as "isPartitioned",
    (select i.inhparent::text from pg_inherits i where c.relispartition and i.inhrelid = c.oid) as parent,
    case c.relkind when 'p' then (select sum(greatest(l.reltuples, 0)) from pg_partition_tree(c.oid) t
      join pg_class l on l.oid = t.relid and t.isleaf) else c.reltuples end::float8 as rows,
    (select coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
      'isMoment', y.typcategory = 'D', 'isNotNull', a.attnotnull,
      'generation', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
      'nulls', case when y.typcategory = 'D' then (select s.null_frac from pg_stats s
        where s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and s.inherited = (c.relkind = 'p')) end)
      order by a.attnum), '[]')
      from pg_attribute a join pg_type y on y.oid = a.atttypid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from ${TABLES} order by n.nspname, c.relname`;

const INDEX = `select x.indexrelid::text as oid, x.indrelid::text as "table", i.relname as name, x.indisunique as "isUnique",
    x.indisprimary as "isPrimary", x.indisvalid and x.indisready as "isUsable", m.amname as method,
    x.indisreplident or exists (select from pg_constraint f where f.conindid = x.indexrelid and f.contype = 'f') as "isNeededWhole",
    ${since('x', 'indnullsnotdistinct', false)} as "isNullsNotDistinct", x.indnatts > x.indnkeyatts as "hasPayload",
    (select json_agg(json_build_object('column', a.attname, 'text', pg_get_indexdef(x.indexrelid, k.n::int, false)) order by k.n)
      from unnest(x.indkey::int2[]) with ordinality k (attnum, n)
      left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum and k.attnum > 0 where k.n <= x.indnkeyatts) as keys,
    (select h.inhparent::text from pg_inherits h where h.inhrelid = x.indexrelid) as parent,
    (select json_build_object('name', k.conname, 'type', k.contype, 'isDeferrable', k.condeferrable, 'isDeferred', k.condeferred,
      'isTemporal', ${since('k', 'conperiod', false)}, 'definition', pg_get_constraintdef(k.oid))
      from pg_constraint k where k.conindid = x.indexrelid and k.conrelid = x.indrelid and k.contype in ('p', 'u', 'x')) as constraint,
    pg_get_expr(x.indpred, x.indrelid) as predicate, pg_get_indexdef(x.indexrelid) as definition,
    format('%I ON %s%I.%I', i.relname, case i.relkind when 'I' then 'ONLY ' end, n.nspname, c.relname) as head
  from pg_index x join pg_class i on i.oid = x.indexrelid join pg_am m on m.oid = i.relam join ${TABLES} on c.oid = x.indrelid
  order by n.nspname, c.relname, i.relname`;

const FOREIGN_KEY = `select k.conname as name, k.conrelid::text as "table", k.confrelid::text as target, k.confdeltype as action,
    (select json_agg(a.attname order by u.n) from unnest(k.conkey) with ordinality u (attnum, n)
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum) as columns,
    ${since('k', 'conenforced', true)} as "isEnforced", pg_get_constraintdef(k.oid) as definition
  from pg_constraint k join ${TABLES} on c.oid = k.conrelid where k.contype = 'f' and k.conparentid = 0
  order by n.nspname, c.relname, k.conname`;

const RELATION = `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace`;

interface RawIndex extends Omit<IndexFacts, 'keys' | 'conditions' | 'body'> {
  readonly keys: readonly Omit<KeyFacts, 'mark'>[];
  readonly definition: string;
  readonly head: string;
}

/** What a reader wants to know beside the catalogue. */
export interface FactsOptions {
  readonly parse: ExpressionParser;
  readonly model: ModelFacts;
  readonly difference: EntityDifference;
  /** Further names of columns that mark rows as deleted. */
  readonly marks: readonly string[];
}

/**
 * Reads the catalogue in one snapshot, and no row of a table. Qualified names need an empty search_path.
 */
export async function readFacts(session: Session, options: FactsOptions): Promise<DoctorFacts> {
  await session.run(`begin isolation level repeatable read read only; set local search_path to '';
    set local timezone to 'UTC'; set local datestyle to 'ISO, MDY'; set local quote_all_identifiers to off`);
  try {
    return await readInTransaction(session, options);
  } finally {
    await session.run('rollback');
  }
}

type Row = Record<string, unknown>;

async function readInTransaction(
  session: Session,
  { parse, model, difference, marks }: FactsOptions,
): Promise<DoctorFacts> {
  const tables = await session.query<TableFacts & Row>(TABLE);
  const indexes = await session.query<RawIndex & Row>(INDEX);
  const foreignKeys = await session.query<ForeignKeyFacts & Row>(FOREIGN_KEY);
  const [server] = await session.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  const byOid = new Map<string, TableFacts>(tables.map((table) => [table.oid, table]));
  const soft = softTables(tables, model.tables ?? [], marks);
  return {
    version: server?.version ?? 0,
    tables: byOid,
    // Definitions are read from the present catalogue, so that what was dropped a moment ago has none.
    // A target in a schema that is not ours, such as a temporary one, is nobody's business.
    foreignKeys: foreignKeys.filter(({ target, definition }) => byOid.has(target) && definition !== null),
    indexes: byTable(
      indexes
        .filter(({ definition }) => definition !== null)
        .map((index) => judged(index, byOid.get(index.table), soft.get(index.table), parse)),
    ),
    soft,
    model,
    difference,
    names: new FreeNames(await session.query<{ schema: string; name: string }>(RELATION)),
  };
}

function byTable(indexes: readonly IndexFacts[]): Map<string, IndexFacts[]> {
  const grouped = new Map<string, IndexFacts[]>();
  for (const index of indexes) {
    const others = grouped.get(index.table);
    if (others) others.push(index);
    else grouped.set(index.table, [index]);
  }
  return grouped;
}

function judged(
  { definition, head, ...index }: RawIndex,
  table: TableFacts | undefined,
  mark: string | undefined,
  parse: ExpressionParser,
): IndexFacts {
  const { predicate } = index;
  const end = definition.length - (predicate === null ? 0 : ` WHERE ${predicate}`.length);
  return {
    ...index,
    body: definition.slice(definition.indexOf(head) + head.length, end).trim(),
    keys: index.keys.map((key) => ({
      ...key,
      mark: mark === undefined ? 'none' : markOfKey(key, table, mark, parse),
    })),
    conditions: predicate === null || mark === undefined ? [] : conditionsOf(predicate, mark, parse),
  };
}

/** A generated column tells what its expression tells. */
function markOfKey(
  { column, text }: Omit<KeyFacts, 'mark'>,
  table: TableFacts | undefined,
  mark: string,
  parse: ExpressionParser,
): KeyFacts['mark'] {
  if (column === null) return markIn(text, mark, parse);
  if (column === mark) return 'instant';
  const generation = table?.columns.find(({ name }) => name === column)?.generation;
  return generation == null ? 'none' : markIn(generation, mark, parse);
}
