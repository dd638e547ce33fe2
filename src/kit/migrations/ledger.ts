import { DatabaseError, escapeLiteral, type QueryResultRow } from 'pg';
import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { isConnectionLoss, type Session } from './session.ts';
import { createTokens, forgetTokensSql, hasTokens, recordTokensSql, TOKENS_OF_ROW } from './token-ledger.ts';

/** One row of the ledger. */
export interface LedgerRow {
  readonly filename: string;
  readonly checksum: string;
  readonly appliedAt: Date;
  /** The checksum over tokens, where one was recorded together with this checksum. */
  readonly tokens?: string | null;
}

const CREATE = `create table if not exists public.schema_migrations (
  filename text primary key,
  checksum text not null,
  applied_at timestamptz not null default now()
)`;
const EXISTS = `select to_regclass('public.schema_migrations') is not null as found`;
const COLUMNS = 'l.filename, l.checksum, l.applied_at as "appliedAt"';
const ORDER = 'order by l.applied_at, l.filename';
const READ = `select ${COLUMNS} from public.schema_migrations l ${ORDER}`;
const READ_TOKENS = `select ${COLUMNS}, t.tokens from public.schema_migrations l ${TOKENS_OF_ROW} ${ORDER}`;

/** {@link readLedger} in one message, for a session that does not know yet which tables there are: it may be refused. */
export const PEEK = READ_TOKENS.replace(
  'select ',
  `select to_regclass('public.schema_migrations_journal') is not null as "hasJournal", `,
);

/** A row of {@link PEEK}. */
export type PeekedRow = LedgerRow & { readonly hasJournal: boolean };

/** Creates the ledger. Call it under the lock: eight at once and seven fail on `pg_type`, IF NOT EXISTS or not. */
export async function createLedger(session: Session): Promise<void> {
  // IF NOT EXISTS would ask for the right to create tables even where there is nothing to create.
  if (!(await hasLedger(session))) await ask(session, CREATE);
  await createTokens(session);
}

/** All rows, those of other tools included; none when there is no ledger yet. */
export async function readLedger(session: Session): Promise<LedgerRow[]> {
  if (!(await hasLedger(session))) return [];
  return ask<LedgerRow>(session, (await hasTokens(session)) ? READ_TOKENS : READ);
}

/** Whether the file is in the ledger. */
export async function isRecorded(session: Session, filename: string): Promise<boolean> {
  const sql = 'select filename from public.schema_migrations where filename = $1';
  return (await ask(session, sql, [filename], filename)).length > 0;
}

/** Records a file as applied. */
export async function record(session: Session, file: MigrationFile): Promise<void> {
  await ask(session, await recordSql(session, file), undefined, file.name);
}

/** The statements that record a file, both checksums, for a message that does more. */
export async function recordSql(session: Session, file: MigrationFile): Promise<string> {
  const values = `${escapeLiteral(file.name)}, ${escapeLiteral(file.checksum)}`;
  const insert = `insert into public.schema_migrations (filename, checksum) values (${values})`;
  return (await hasTokens(session)) ? `${insert}; ${recordTokensSql([file])}` : insert;
}

/** Takes a file out of the ledger. */
export async function forget(session: Session, filename: string): Promise<void> {
  await ask(session, await forgetSql(session, filename), undefined, filename);
}

/** The statements that take a file out of the ledger, for a message that does more. */
export async function forgetSql(session: Session, filename: string): Promise<string> {
  const remove = `delete from public.schema_migrations where filename = ${escapeLiteral(filename)}`;
  return (await hasTokens(session)) ? `${remove}; ${forgetTokensSql(filename)}` : remove;
}

/** Whether the ledger was made already. */
export async function hasLedger(session: Session): Promise<boolean> {
  const [ledger] = await ask<{ found: boolean }>(session, EXISTS);
  return ledger?.found === true;
}

/** A query on the ledger, whose failures become sentences. */
export async function ask<Row extends QueryResultRow>(
  session: Session,
  sql: string,
  values?: unknown[],
  file?: string,
): Promise<Row[]> {
  try {
    return await session.query<Row>(sql, values);
  } catch (error) {
    throw ledgerFailure(error, file);
  }
}

/** What an error of a statement on the ledger means; a lost connection stays what it is. */
export function ledgerFailure(error: unknown, file?: string): unknown {
  return error instanceof DatabaseError && !isConnectionLoss(error) ? ledgerError(error.code, file) : error;
}

const REASONS: Readonly<Record<string, string>> = {
  '42501': 'This role may not create, read or write it. Grant it the rights, or run as its owner.',
  '42703':
    'It has other columns than filename, checksum and applied_at: another tool has made it. Rename that table, or use another database.',
  '42P01': 'A migration has dropped or renamed it. Take that statement out of the file.',
  '3F000': 'There is no schema public. Create it.',
  '25006': 'The server is read-only, perhaps a standby. Run against the primary.',
  '23505': 'The file is recorded already, by a runner that does not take the lock. Run again.',
};

function ledgerError(sqlState = '', file?: string): MigrationError {
  const reason = REASONS[sqlState] ?? 'The server refused. Look into its log.';
  return new MigrationError(
    'MIGRATION.LEDGER',
    `The ledger public.schema_migrations cannot be used${file ? ` for ${file}` : ''} [${sqlState}]. ${reason}`,
    file,
    { sqlState },
  );
}
