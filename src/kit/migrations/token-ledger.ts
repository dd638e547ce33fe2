import type { MigrationFile } from './files.ts';
import type { LedgerRow } from './ledger.ts';
import type { Session } from './session.ts';
import { TOKEN_ALGORITHM, tokenChecksumOf } from './token-checksum.ts';

/**
 * The checksums over tokens stand in a table of their own, because the ledger is shared with runners that know three columns.
 * `checksum` repeats the ledger's: a row that another runner has written since is not taken for ours.
 */
const CREATE = `create table if not exists public.schema_migration_tokens (
  filename text primary key,
  checksum text not null,
  algorithm text not null,
  tokens text not null
)`;
const INSERT = `insert into public.schema_migration_tokens (filename, checksum, algorithm, tokens)
  select filename, checksum, $4, tokens from unnest($1::text[], $2::text[], $3::text[]) as new (filename, checksum, tokens)
  on conflict (filename) do update
  set checksum = excluded.checksum, algorithm = excluded.algorithm, tokens = excluded.tokens`;

const USABLE = `select coalesce(bool_and(has_table_privilege(oid, right_)), false) as found
  from pg_class, unnest(array['select', 'insert', 'update', 'delete']) as right_
  where oid = to_regclass('public.schema_migration_tokens')`;

/** Whether sessions have the table; asked once, because under the lock nobody else makes it. */
const known = new WeakMap<Session, boolean>();

export async function hasTokens(session: Session): Promise<boolean> {
  const answer = known.get(session);
  if (answer !== undefined) return answer;
  const [row] = await session.query<{ found: boolean }>(USABLE);
  const found = row?.found === true;
  known.set(session, found);
  return found;
}

/** A role that may not create tables works without: then an edited comment looks like an edited statement. */
export async function createTokens(session: Session): Promise<void> {
  known.delete(session);
  if (await hasTokens(session)) return;
  const [row] = await session.query<{ may: boolean }>(
    `select to_regclass('public.schema_migration_tokens') is null and has_schema_privilege('public', 'create') as may`,
  );
  if (!row?.may) return;
  await session.query(CREATE);
  known.set(session, true);
}

export async function recordTokens(session: Session, files: readonly MigrationFile[]): Promise<void> {
  if (files.length === 0 || !(await hasTokens(session))) return;
  await session.query(INSERT, [
    files.map(({ name }) => name),
    files.map(({ checksum }) => checksum),
    files.map(tokenChecksumOf),
    TOKEN_ALGORITHM,
  ]);
}

export async function forgetTokens(session: Session, filename: string): Promise<void> {
  if (!(await hasTokens(session))) return;
  await session.query('delete from public.schema_migration_tokens where filename = $1', [filename]);
}

/** For files that were applied before these checksums were kept; their text is proved by the exact one. */
export async function completeTokens(
  session: Session,
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
): Promise<void> {
  const without = new Set(rows.flatMap((row) => (row.tokens ? [] : row.filename)));
  await recordTokens(
    session,
    files.filter(({ name }) => without.has(name)),
  );
}
