import type { Run } from './catalogue.ts';
import type { GraphTable } from './graph.ts';

/** A unique index that only some rows are in, live ones most likely: the only kind that a restore can violate. */
export interface PartialUnique {
  readonly constraint: string;
  readonly table: string;
  /** What it compares, as SQL over the columns of one row. */
  readonly expressions: readonly string[];
  readonly predicate: string;
  readonly nullsNotDistinct: boolean;
}

const UNIQUES = `
  select i.indexrelid::regclass::text as "regclass", x.relname as constraint, n.nspname || '.' || t.relname as table,
    (select json_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false) order by k)
      from generate_series(1, i.indnkeyatts) as k) as expressions,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as "nullsNotDistinct"
  from pg_catalog.pg_index i
  join pg_catalog.pg_class t on t.oid = i.indrelid join pg_catalog.pg_class x on x.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = t.relnamespace
  where i.indisunique and i.indisvalid and i.indpred is not null
    and n.nspname || '.' || t.relname in (select json_array_elements_text(?::json))
  order by 2`;

/** The partial uniques of the tables, as they are now. */
export function partialUniques(run: Run, tables: readonly GraphTable[]): Promise<PartialUnique[]> {
  return run<PartialUnique>(UNIQUES, [JSON.stringify(tables.map(({ name }) => name))]);
}
