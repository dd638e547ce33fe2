import type { Session } from '../session.ts';

/** What a planted value must fit. */
export interface ColumnShape {
  readonly name: string;
  /** Of the base type, with its modifier: `numeric(10,2)`; of an array that of its elements. */
  readonly type: string;
  readonly isArray: boolean;
  /** Labels of an enum, or literals of a check on this column alone. */
  readonly choices: readonly string[];
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** The server fills it: an identity, a sequence or a generated column. */
  readonly isServerMade: boolean;
}

export interface ForeignKeyShape {
  readonly columns: readonly string[];
  /** Qualified and quoted. */
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** A table that can hold rows, as far as planting and comparing them needs. */
export interface TableShape {
  /** Qualified and quoted. */
  readonly name: string;
  /** As people write it: without the schema `public`. */
  readonly shown: string;
  readonly columns: readonly ColumnShape[];
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly ForeignKeyShape[];
}

const COLUMNS = `(select json_agg(json_build_object('name', quote_ident(a.attname), 'isNullable', not (a.attnotnull or t.typnotnull),
    'type', format_type(coalesce(nullif(b.typelem, 0), b.oid), case when t.typtype = 'd' then t.typtypmod else a.atttypmod end),
    'isArray', b.typcategory = 'A', 'hasDefault', a.atthasdef,
    'isServerMade', a.attidentity <> '' or a.attgenerated <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
    'choices', coalesce(
      (select json_agg(l.enumlabel order by l.enumsortorder) from pg_enum l where l.enumtypid in (b.oid, b.typelem)),
      (select json_agg(m[1]) from pg_constraint k, regexp_matches(pg_get_constraintdef(k.oid), '''([^'']+)''', 'g') m
       where k.contype = 'c' and (k.contypid = t.oid or (k.conrelid = c.oid and k.conkey = array[a.attnum]))), '[]')) order by a.attnum)
  from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;

const NAMES = (relation: string, numbers: string): string =>
  `(select json_agg(quote_ident(a.attname) order by p.at) from unnest(${numbers}) with ordinality as p (number, at) join pg_attribute a on a.attrelid = ${relation} and a.attnum = p.number)`;

// Partitions hold their rows through the parent.
const TABLES = `select format('%I.%I', n.nspname, c.relname) as name,
    case n.nspname when 'public' then quote_ident(c.relname) else format('%I.%I', n.nspname, c.relname) end as shown,
    coalesce(${COLUMNS}, '[]') as columns,
    coalesce((select ${NAMES('c.oid', 'k.conkey')} from pg_constraint k where k.conrelid = c.oid and k.contype = 'p'), '[]') as "primaryKey",
    coalesce((select json_agg(json_build_object('columns', ${NAMES('c.oid', 'k.conkey')}, 'target', (select format('%I.%I', s.nspname, r.relname) from pg_class r join pg_namespace s on s.oid = r.relnamespace where r.oid = k.confrelid),
      'targetColumns', ${NAMES('k.confrelid', 'k.confkey')})) from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0), '[]') as "foreignKeys"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not (n.nspname = 'public' and c.relname ~ '^schema_migration(s|s_journal|_[a-z_]+)$')
    and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
  order by 1`;

/** The tables of a database; one before those that refer to it, as far as there is no circle. */
export async function readTables(session: Session): Promise<TableShape[]> {
  const left = await session.query<TableShape & Record<string, unknown>>(TABLES);
  const ordered: TableShape[] = [];
  while (left.length > 0) {
    const free = left.findIndex(({ name, foreignKeys }) =>
      foreignKeys.every(({ target }) => target === name || !left.some((other) => other.name === target)),
    );
    ordered.push(...left.splice(Math.max(free, 0), 1));
  }
  return ordered;
}
