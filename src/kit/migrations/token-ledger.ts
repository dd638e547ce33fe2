import { escapeLiteral } from 'pg';
import type { MigrationFile } from './files.ts';
import type { LedgerRow } from './ledger.ts';
import type { Session } from './session.ts';
import { TOKEN_ALGORITHM, tokenChecksumOf } from './token-checksum.ts';

/**
 * The checksums over tokens stand in a table of their own, because the ledger is shared with runners that know three columns.
 * `checksum` repeats the ledger's: a row that another runner has written since is not taken for ours.
 */
const TABLE = 'public.schema_migration_tokens';
const CREATE = `create table if not exists ${TABLE} (
  filename text primary key,
  checksum text not null,
  algorithm text not null,
  tokens text not null
)`;

/** Joins the token checksum to a row `l` of the ledger, as `t`. */
export const TOKENS_OF_ROW = `left join ${TABLE} t
  on t.filename = l.filename and t.checksum = l.checksum and t.algorithm = '${TOKEN_ALGORITHM}'`;

const USABLE = `select coalesce(bool_and(has_table_privilege(oid, right_)), false) as found
  from pg_class, unnest(array['select', 'insert', 'update', 'delete']) as right_
  where oid = to_regclass('${TABLE}')`;
const CREATABLE = `select to_regclass('${TABLE}') is null and has_schema_privilege('public', 'create') as may`;

/** Whether sessions have the table; asked once, because under the lock nobody else makes it. */
const known = new WeakMap<Session, boolean>();

/** Whether the table is there, and this role may read and write it. */
export async function hasTokens(session: Session): Promise<boolean> {
  const answer = known.get(session);
  if (answer !== undefined) return answer;
  const [row] = await session.query<{ found: boolean }>(USABLE);
  const found = row?.found === true;
  known.set(session, found);
  return found;
}

async function mayCreate(session: Session): Promise<boolean> {
  const [row] = await session.query<{ may: boolean }>(CREATABLE);
  return row?.may === true;
}

/** A role that may not create tables works without: then an edited comment looks like an edited statement. */
export async function createTokens(session: Session): Promise<void> {
  // Another run may have made it while this one waited for the lock.
  known.delete(session);
  if ((await hasTokens(session)) || !(await mayCreate(session))) return;
  await session.query(CREATE);
  known.set(session, true);
}

/** The statement that records the token checksums of files. */
export function recordTokensSql(files: readonly MigrationFile[]): string {
  const rows = files.map((file) => {
    const values = [file.name, file.checksum, TOKEN_ALGORITHM, tokenChecksumOf(file)];
    return `(${values.map(escapeLiteral).join(', ')})`;
  });
  return `insert into ${TABLE} (filename, checksum, algorithm, tokens) values ${rows.join(', ')}
  on conflict (filename) do update
  set checksum = excluded.checksum, algorithm = excluded.algorithm, tokens = excluded.tokens`;
}

/** The statement that forgets the token checksum of a file. */
export function forgetTokensSql(filename: string): string {
  return `delete from ${TABLE} where filename = ${escapeLiteral(filename)}`;
}

/** Whether {@link completeTokens} would write anything. */
export async function lacksTokens(
  session: Session,
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
): Promise<boolean> {
  if (withoutTokens(files, rows).length === 0) return false;
  return (await hasTokens(session)) || mayCreate(session);
}

/** For files that were applied before these checksums were kept; their text is proved by the exact one. */
export async function completeTokens(
  session: Session,
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
): Promise<void> {
  const missing = withoutTokens(files, rows);
  if (missing.length > 0 && (await hasTokens(session))) await session.query(recordTokensSql(missing));
}

function withoutTokens(files: readonly MigrationFile[], rows: readonly LedgerRow[]): MigrationFile[] {
  const without = new Set(rows.flatMap((row) => (row.tokens ? [] : row.filename)));
  return files.filter(({ name }) => without.has(name));
}
