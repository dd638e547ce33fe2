import type { Session } from '../../session.ts';

const COLUMNS = `select format('%I.%I', n.nspname, c.relname) as table, array_agg(quote_ident(a.attname) order by a.attnum) as columns
  from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  group by 1`;

/** The order of the columns of every table, which a description does not tell: for a new table that shall look like the other. */
export async function readColumnOrder(session: Session): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await session.query<{ table: string; columns: string[] }>(COLUMNS);
  return new Map(rows.map(({ table, columns }) => [table, columns]));
}
