import type { Session } from '../session.ts';

/** A constraint as the database has it. */
export interface KnownConstraint {
  readonly name: string;
  /** As `pg_constraint.contype`: `p`, `u`, `f`, `x`, `c`. */
  readonly type: string;
  readonly columns: readonly string[];
  /** As ALTER TABLE would take it. */
  readonly definition: string;
}

/** An index as the database has it. */
export interface KnownIndex {
  readonly name: string;
  readonly isUnique: boolean;
  readonly isPartial: boolean;
  /** Null where an expression stands. */
  readonly columns: readonly (string | null)[];
}

/** A table as the database has it, before the pending files. */
export interface KnownTable {
  /** As rules name it: without the schema where that is `public`. */
  readonly name: string;
  readonly isPartitioned: boolean;
  /** As the planner knows; negative where nobody has counted. */
  readonly rows: number;
  /** Names of types, as the parser names them. */
  readonly columns: Readonly<Record<string, string>>;
  readonly constraints: readonly KnownConstraint[];
  readonly indexes: readonly KnownIndex[];
}

/** What rules ask of the database. */
export type Catalogue = ReadonlyMap<string, KnownTable>;

const NAMES = (numbers: string, table: string): string =>
  `(select json_agg(a.attname order by k.n) from unnest(${numbers}) with ordinality k (attnum, n)
    left join pg_catalog.pg_attribute a on a.attrelid = ${table} and a.attnum = k.attnum and k.attnum > 0)`;

const LOOK = `select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as name,
    c.relkind = 'p' as "isPartitioned",
    case c.relkind when 'p' then (select sum(greatest(l.reltuples, 0)) from pg_catalog.pg_partition_tree(c.oid) t
      join pg_catalog.pg_class l on l.oid = t.relid and t.isleaf) else c.reltuples end::float8 as rows,
    coalesce((select json_object_agg(a.attname, t.typname) from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '{}') as columns,
    coalesce((select json_agg(json_build_object('name', x.conname, 'type', x.contype, 'definition', pg_get_constraintdef(x.oid),
        'columns', coalesce(${NAMES('x.conkey', 'c.oid')}, '[]')) order by x.conname)
      from pg_catalog.pg_constraint x where x.conrelid = c.oid), '[]') as constraints,
    coalesce((select json_agg(json_build_object('name', ic.relname, 'isUnique', i.indisunique, 'isPartial', i.indpred is not null,
        'columns', ${NAMES('i.indkey::int2[]', 'c.oid')}) order by ic.relname)
      from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid), '[]') as indexes
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

/** Reads the tables of the database; no row of any of them. */
export async function readCatalogue(session: Session): Promise<Catalogue> {
  const tables = await session.query<KnownTable & Record<string, unknown>>(LOOK);
  return new Map(tables.map((table) => [table.name, table]));
}
