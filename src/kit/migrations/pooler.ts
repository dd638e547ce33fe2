import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';

/** What the server knows of the connection. */
export interface ServerSide {
  readonly pid: number;
  /** Null when the server was reached through a Unix socket. */
  readonly port: number | null;
}

/**
 * `pooled`: statements may run in different server sessions, so nothing can be kept in one. `proxied`: something stands in
 * between, which seems to keep to one session. `direct`: nothing does.
 */
export type Route = 'direct' | 'proxied' | 'pooled';

/**
 * Finds out what stands between the client and the server. Where the server sees the port that the client has, nothing
 * does. Otherwise it may be a mere tunnel: then the process number that came with the login is the server's own, whereas
 * a pooler makes one up for each of its clients.
 */
export function routeOf(client: Client, { pid, port }: ServerSide): Route {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const { processID } = client as unknown as { processID: number | null };
  if (processID !== pid) return 'pooled';
  return (stream.localPort ?? null) === port ? 'direct' : 'proxied';
}

/**
 * Refuses files that cannot be run through a pooler: they need one session from beginning to end, for their lock too.
 *
 * @throws MigrationError `MIGRATION.POOLED`; nothing has run.
 */
export function refuseSessionFiles(files: readonly MigrationFile[]): void {
  const file = files.find(({ transactional }) => !transactional);
  if (!file) return;
  throw new MigrationError(
    'MIGRATION.POOLED',
    `${file.name} is a NO TRANSACTION file, and the connection goes through a pooler, which may run each of its statements ` +
      'in another session, without the lock. Point DATABASE_URL at the server itself for migrations.',
    file.name,
  );
}

/** The session of a connection that seemed to have one of its own is another one now. */
export function sessionChanged(): MigrationError {
  return new MigrationError(
    'MIGRATION.POOLED',
    'The server session behind the connection changed, so a pooler stands in between that does not show itself. ' +
      'Point DATABASE_URL at the server itself for migrations; what has been applied is in the ledger.',
  );
}
