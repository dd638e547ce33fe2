import { escapeIdentifier } from 'pg';
import type { Session } from '../session.ts';

/** An index of a table of the tree. */
export interface TreeIndex {
  readonly name: string;
  readonly isValid: boolean;
  /** Whether it would be accepted as a part of the index of the whole. */
  readonly isAlike: boolean;
  /** The index that it is a part of. */
  readonly partOf: number | null;
  readonly oid: number;
  /** The session that is building it at this moment. */
  readonly builder: number | null;
}

/** A table of the tree: the partitioned one, a partition, a partition that has partitions itself. */
export interface TreeTable {
  readonly oid: number;
  /** Undefined for the table that the statement names. */
  readonly parent: number | undefined;
  readonly level: number;
  readonly kind: 'table' | 'partitioned' | 'foreign';
  readonly schema: string;
  readonly name: string;
  readonly indexes: readonly TreeIndex[];
}

/** What makes two indexes of different tables parts of one, as the server compares them, and their order beside. */
const SIGNATURE = (
  index: string,
): string => `(select json_build_array(x.indisunique, to_jsonb(x) -> 'indnullsnotdistinct', xc.relam,
    x.indnkeyatts, (select json_agg(pg_get_indexdef(x.indexrelid, n, true) order by n) from generate_series(1, x.indnatts) n),
    x.indclass::text, x.indcollation::text, x.indoption::text, pg_get_expr(x.indpred, x.indrelid), x.indisexclusion)::text
  from pg_catalog.pg_index x join pg_catalog.pg_class xc on xc.oid = x.indexrelid where x.indexrelid = ${index})`;

// A partition whose concurrent detachment is not finished is one no more: the index of the whole does without it.
const TREE = `with recursive tree as (
    select to_regclass($1)::oid as oid, null::oid as parent, 0 as level
    union all
    select i.inhrelid, i.inhparent, t.level + 1 from tree t
      join pg_catalog.pg_class p on p.oid = t.oid and p.relkind = 'p'
      join pg_catalog.pg_inherits i on i.inhparent = t.oid and not i.inhdetachpending
  )
  select t.oid, t.parent, t.level, n.nspname as schema, c.relname as name,
    case c.relkind when 'p' then 'partitioned' when 'f' then 'foreign' else 'table' end as kind,
    coalesce((
      select json_agg(json_build_object('name', ic.relname, 'oid', ic.oid::int8, 'isValid', i.indisvalid and i.indisready,
          'isAlike', ${SIGNATURE('i.indexrelid')} = ${SIGNATURE('$2::oid')},
          'partOf', (select inhparent::int8 from pg_catalog.pg_inherits h where h.inhrelid = ic.oid),
          'builder', (select b.pid from pg_catalog.pg_stat_progress_create_index b where b.index_relid = ic.oid limit 1)) order by ic.relname)
      from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid where i.indrelid = t.oid), '[]') as indexes
  from tree t join pg_catalog.pg_class c on c.oid = t.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  order by t.level, n.nspname, c.relname`;

type Row = Omit<TreeTable, 'parent'> & { readonly parent: number | null };

/**
 * The table, as the statement writes it, with all its partitions and their indexes; the first is the table itself. Empty
 * where there is no such table.
 *
 * @param root the index of the whole, with which others are compared; 0 for none.
 */
export async function readTree(session: Session, table: string, root: number): Promise<TreeTable[]> {
  const rows = await session.query<Row>(TREE, [table, root]);
  return rows.map((row) => ({ ...row, parent: row.parent ?? undefined }));
}

/** The index of that name, as written, on that table; partitioned or not. */
export async function rootIndex(
  session: Session,
  name: string,
  table: string,
): Promise<{ readonly oid: number; readonly name: string; readonly isValid: boolean } | undefined> {
  const [row] = await session.query<{ oid: number; name: string; isValid: boolean }>(
    `select c.oid, c.relname as name, i.indisvalid and i.indisready as "isValid" from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      where i.indrelid = to_regclass($2) and c.relname = (parse_ident($1))[1]::name`,
    [name, table],
  );
  return row;
}

/** Whether two indexes are alike, as parts of one index have to be. */
export async function areAlike(session: Session, one: number, other: number): Promise<boolean> {
  const [row] = await session.query<{ alike: boolean }>(
    `select ${SIGNATURE('$1::oid')} = ${SIGNATURE('$2::oid')} as alike`,
    [one, other],
  );
  return row?.alike === true;
}

/** Whether a table, or an index, as written, has partitions today. */
export async function isPartitioned(session: Session, name: string): Promise<boolean> {
  const sql = `select from pg_catalog.pg_class where oid = to_regclass($1) and relkind in ('p', 'I')`;
  return (await session.query(sql, [name])).length > 0;
}

/** The name as SQL takes it, whatever the search_path is. */
export const full = ({ schema }: Pick<TreeTable, 'schema'>, name: string): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
