import { escapeIdentifier } from 'pg';
import { MigrationError } from './errors.ts';
import type { Session } from './session.ts';
import type { ReindexScope } from './statement-kind.ts';

/** An index as the catalogue has it. */
export interface FoundIndex {
  readonly schema: string;
  readonly name: string;
  /** False for what a failed or interrupted concurrent build has left: never used, but kept up to date by every write. */
  readonly isValid: boolean;
  /** The session that is building it at this moment. */
  readonly builder: number | null;
}

const COLUMNS = `n.nspname as schema, c.relname as name, i.indisvalid and i.indisready as "isValid",
  (select p.pid from pg_catalog.pg_stat_progress_create_index p where p.index_relid = c.oid limit 1) as builder`;
const FROM = `from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace`;

/** The index of that name, as written, on that table. One that waits for its partitions is invalid by design and not meant. */
export async function indexOnTable(
  session: Session,
  name: string,
  table: string,
): Promise<FoundIndex | undefined> {
  const where = `where i.indrelid = to_regclass($2) and c.relname = (parse_ident($1))[1]::name and c.relkind = 'i'`;
  const [found] = await session.query<FoundIndex>(`select ${COLUMNS} ${FROM} ${where}`, [name, table]);
  return found;
}

/** Invalid indexes of a table, for a message about a build whose name only the server knew. */
export async function invalidIndexesOf(session: Session, table: string): Promise<FoundIndex[]> {
  const where = `where i.indrelid = to_regclass($1) and not i.indisvalid and c.relkind = 'i'`;
  return session.query<FoundIndex>(`select ${COLUMNS} ${FROM} ${where} order by c.relname`, [table]);
}

/** Whether there is an index, a table or a view of that name, as written. */
export async function exists(session: Session, name: string): Promise<boolean> {
  const sql = 'select to_regclass($1) is not null as found';
  const [row] = await session.query<{ found: boolean }>(sql, [name]);
  return row?.found === true;
}

const SCOPES: Readonly<Record<ReindexScope, string>> = {
  index: `i.indrelid = (select indrelid from pg_catalog.pg_index where indexrelid = to_regclass($1))
    and starts_with((select relname::text from pg_catalog.pg_class where oid = to_regclass($1)), regexp_replace(c.relname, '_cc(new|old)\\d*$', ''))`,
  table: `i.indrelid in (select unnest(array[oid, reltoastrelid]) from pg_catalog.pg_class where oid = to_regclass($1))`,
  schema: `i.indrelid in (select unnest(array[t.oid, t.reltoastrelid]) from pg_catalog.pg_class t where t.relnamespace = to_regnamespace($1))`,
  database: `$1::text is not distinct from $1`,
  system: `$1::text is not distinct from $1`,
};

/** What earlier REINDEX CONCURRENTLY have left: copies that end in `_ccnew` or `_ccold`. */
export async function reindexRemains(
  session: Session,
  scope: ReindexScope,
  name: string | undefined,
): Promise<FoundIndex[]> {
  const where = `where not i.indisvalid and c.relkind = 'i' and c.relname ~ '_cc(new|old)\\d*$' and ${SCOPES[scope]}`;
  const sql = `select ${COLUMNS} ${FROM} ${where} order by c.relname`;
  return session.query<FoundIndex>(sql, [name ?? null]);
}

/**
 * Drops what a failed build has left, without blocking writers.
 *
 * @throws MigrationError `MIGRATION.IN_DOUBT` while another session is building that index: it is no remains then.
 */
export async function dropRemains(session: Session, { schema, name, builder }: FoundIndex): Promise<string> {
  const full = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
  if (builder !== null) {
    throw new MigrationError(
      'MIGRATION.IN_DOUBT',
      `The session with pid ${builder} is building the index ${full} at this moment. Run again when it has ended.`,
      undefined,
      { pid: builder },
    );
  }
  await session.run(`drop index concurrently if exists ${full}`);
  return full;
}
