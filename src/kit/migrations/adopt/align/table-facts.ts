import type { Session } from '../../session.ts';

/** What the description of a schema does not tell of a table, and steps depend on. */
export interface TableFacts {
  /** Roughly, as the statistics have it; 0 where nothing was counted. */
  readonly rows: number;
  readonly bytes: number;
  readonly hasRows: boolean;
  /** It is partitioned, a partition, or inherits: what is done to it is done to others, or cannot be done to it alone. */
  readonly isDivided: boolean;
  /** Columns of the primary key, or of another unique over columns that are never NULL, with their types. */
  readonly key: readonly KeyColumn[];
}

export interface KeyColumn {
  /** Quoted. */
  readonly name: string;
  readonly type: string;
}

/** Up to which size a table may be rewritten while it is locked: it takes some tenths of a second. */
export interface SmallTable {
  readonly rows: number;
  readonly bytes: number;
}

export const SMALL: SmallTable = { rows: 10_000, bytes: 10 * 1024 * 1024 };

export const isSmall = ({ rows, bytes }: TableFacts, small: SmallTable = SMALL): boolean =>
  rows < small.rows && bytes < small.bytes;

const KEY = `select coalesce(json_agg(json_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod)) order by k.n), '[]')
  from (select i.indrelid, i.indkey from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
      and i.indpred is null and i.indexprs is null
      and not exists (select from pg_catalog.pg_attribute o where o.attrelid = c.oid and o.attnum = any (i.indkey) and not o.attnotnull)
    order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1) i
  cross join lateral unnest(i.indkey) with ordinality k (attnum, n)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum`;

const FACTS = `select greatest(c.reltuples, 0)::float8 as rows, pg_catalog.pg_table_size(c.oid)::float8 as bytes,
    c.relkind <> 'r' or c.relispartition or exists (select from pg_catalog.pg_inherits h where c.oid in (h.inhrelid, h.inhparent)) as "isDivided",
    (${KEY}) as key
  from pg_catalog.pg_class c where c.oid = to_regclass($1)`;

/** Undefined where there is no such table. */
export async function readTable(session: Session, table: string): Promise<TableFacts | undefined> {
  const [facts] = await session.query<Omit<TableFacts, 'hasRows'>>(FACTS, [table]);
  if (!facts) return undefined;
  const [found] = await session.query<{ hasRows: boolean }>(
    `select exists (select from ${table}) as "hasRows"`,
  );
  return { ...facts, hasRows: found?.hasRows === true };
}
