import { randomBytes } from 'node:crypto';
import { type ClientConfig, DatabaseError, escapeIdentifier } from 'pg';
import { MigrationError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { Session } from '../session.ts';
import { withEmptyDatabase } from './empty.ts';

const PREFIX = 'tombstone_scratch_';

/** Where scratch databases are made. */
export interface ScratchOptions {
  readonly connection: Connection;
  /** Drops the database at once, which ends the work in it too: for a process that is told to stop. */
  readonly signal?: AbortSignal | undefined;
}

/** Works in the empty database that the caller names, or in one made for it. */
export function withScratch<T>(
  options: ScratchOptions & { readonly scratch?: Connection | undefined },
  work: (scratch: Connection) => Promise<T>,
): Promise<T> {
  const { scratch } = options;
  return scratch === undefined ? withScratchDatabase(options, work) : withEmptyDatabase(scratch, work);
}

/**
 * Makes a database on the server of `connection`, and drops it whatever the work does.
 *
 * @param template another scratch database to copy, to which nobody is connected. Left out, it is empty: template1 may hold what
 *   somebody has put there, template0 is as the server was made.
 * A session with the database's name shows that its owner lives: what a killed process has left is dropped by the next one.
 *
 * @throws MigrationError `MIGRATION.SCRATCH` when the role may not create databases.
 */
export async function withScratchDatabase<T>(
  { connection, signal }: ScratchOptions,
  work: (scratch: Connection) => Promise<T>,
  template?: Connection,
): Promise<T> {
  const name = `${PREFIX}${randomBytes(6).toString('hex')}`;
  const owner = await Session.open({ ...configOf(connection), application_name: name });
  try {
    await dropAbandoned(owner);
    await create(owner, name, template === undefined ? 'template0' : databaseOf(template));
    const abandon = (): void => void drop(owner, name).catch(() => undefined);
    signal?.addEventListener('abort', abandon);
    try {
      signal?.throwIfAborted();
      return await work(inDatabase(connection, name));
    } finally {
      signal?.removeEventListener('abort', abandon);
      await drop(owner, name);
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : owner.explain(error);
  } finally {
    await owner.close();
  }
}

/** The same server and user, another database. */
export function inDatabase(connection: Connection, database: string): ClientConfig {
  const { connectionString, ...rest } = configOf(connection);
  if (connectionString === undefined) return { ...rest, database };
  const url = new URL(connectionString);
  url.pathname = `/${encodeURIComponent(database)}`;
  return { ...rest, connectionString: url.href };
}

function databaseOf(connection: Connection): string {
  const { connectionString, database } = configOf(connection);
  const name =
    connectionString === undefined
      ? database
      : decodeURIComponent(new URL(connectionString).pathname.slice(1));
  return name ?? '';
}

function configOf(connection: Connection): ClientConfig {
  return typeof connection === 'string' ? { connectionString: connection } : connection;
}

async function create(owner: Session, name: string, template: string): Promise<void> {
  try {
    await owner.run(`create database ${escapeIdentifier(name)} template ${escapeIdentifier(template)}`);
  } catch (error) {
    throw error instanceof DatabaseError ? refused(error.code) : error;
  }
}

async function drop(owner: Session, name: string): Promise<void> {
  await owner.run(`drop database if exists ${escapeIdentifier(name)} with (force)`);
}

/** Only this role's own: names of other roles' sessions cannot be seen. Another process may drop the same one. */
async function dropAbandoned(owner: Session): Promise<void> {
  const found = await owner.query<{ name: string }>(`select d.datname as name from pg_database d
    where d.datname ~ '^${PREFIX}[0-9a-f]{12}$' and pg_get_userbyid(d.datdba) = current_user
      and not exists (select from pg_stat_activity a where a.application_name = d.datname)`);
  for (const { name } of found) await drop(owner, name).catch(() => undefined);
}

function refused(sqlState = ''): MigrationError {
  const reason =
    sqlState === '42501'
      ? 'This role may not create one. Run "alter role ... createdb", or run where the role may.'
      : 'The server refused. Look into its log.';
  return new MigrationError(
    'MIGRATION.SCRATCH',
    `A scratch database is needed, and cannot be made [${sqlState}]. ${reason}`,
    undefined,
    { sqlState },
  );
}
