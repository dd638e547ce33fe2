import type { Run } from './catalogue.ts';
import type { GraphTable } from './graph.ts';

/** An index that keeps rows apart and asks whether they are live: the only kind that a restore can violate. */
export interface LiveUnique {
  readonly constraint: string;
  readonly table: string;
  /** What it compares, as SQL over the columns of one row. */
  readonly expressions: readonly string[];
  /** How it compares each: `=`, or the operators of an exclusion constraint. */
  readonly operators: readonly string[];
  readonly predicate: string | null;
  readonly nullsNotDistinct: boolean;
  readonly isExclusion: boolean;
  /** The generated columns of the table, as SQL over its others: they may depend on the mark. */
  readonly generated: Readonly<Record<string, string>>;
}

// A key over all rows is the same before and after a restore, unless the mark, or what is computed from it, is a part of it.
const UNIQUES = `
  with marks as (select name, mark from json_to_recordset(?::json) as m (name text, mark text))
  select x.relname as constraint, m.name as table,
    (select json_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false) order by k)
      from generate_series(1, i.indnkeyatts) as k) as expressions,
    coalesce((select json_agg(format('operator(%I.%s)', s.nspname, o.oprname) order by u.n)
      from pg_catalog.pg_constraint c, unnest(c.conexclop) with ordinality as u (id, n),
        pg_catalog.pg_operator o, pg_catalog.pg_namespace s
      where c.conindid = i.indexrelid and c.contype = 'x' and o.oid = u.id and s.oid = o.oprnamespace),
      (select json_agg('='::text) from generate_series(1, i.indnkeyatts))) as operators,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as "nullsNotDistinct",
    i.indisexclusion as "isExclusion",
    (select coalesce(json_object_agg(a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), '{}')
      from pg_catalog.pg_attribute a join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = i.indrelid and a.attgenerated <> '' and not a.attisdropped) as generated
  from pg_catalog.pg_index i
  join pg_catalog.pg_class t on t.oid = i.indrelid join pg_catalog.pg_class x on x.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = t.relnamespace
  join marks m on m.name = n.nspname || '.' || t.relname
  where (i.indisunique or i.indisexclusion) and i.indisvalid and (i.indpred is not null or i.indexprs is not null
    or exists (select from pg_catalog.pg_attribute a
      where a.attrelid = i.indrelid and a.attnum = any(i.indkey::int2[]) and (a.attname = m.mark or a.attgenerated <> '')))
  order by 1`;

/** The uniques and exclusions of the tables that depend on the mark, as they are now. */
export function liveUniques(run: Run, tables: readonly GraphTable[]): Promise<LiveUnique[]> {
  const marks = tables.map(({ name, deletedAt }) => ({ name, mark: deletedAt }));
  return run<LiveUnique>(UNIQUES, [JSON.stringify(marks)]);
}
