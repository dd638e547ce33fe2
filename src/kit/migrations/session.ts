import { Client, DatabaseError, type ClientConfig, type QueryResultRow } from 'pg';
import { MigrationError, type MigrationErrorCode } from './errors.ts';
import { describeTarget } from './target.ts';

const OLDEST = 140_000;

/** The one connection of a run: lock, statements and ledger all go through it. */
export class Session {
  readonly #client: Client;
  readonly #target: string;
  #settings = `set timezone to 'UTC'; set search_path to public; set lock_timeout to '30s'; set standard_conforming_strings to on`;
  #lost = false;

  private constructor(client: Client, target: string) {
    this.#client = client;
    this.#target = target;
    // Without a listener, a connection cut by the server ends the process; the running query reports it anyway.
    client.on('error', () => (this.#lost = true));
  }

  /**
   * Connects and sets the session up: UTC, search_path public, one name in `pg_stat_activity`.
   *
   * @throws MigrationError with one of the connection codes.
   */
  static async open(connection: string | ClientConfig): Promise<Session> {
    const config = typeof connection === 'string' ? { connectionString: connection } : connection;
    const target = describeConnection(connection);
    const session = new Session(await connect(config, target), target);
    try {
      await refuseOldServer(session);
      await session.#watchClient();
      await session.reset();
      return session;
    } catch (error) {
      await session.close();
      throw session.explain(error);
    }
  }

  /** The server process behind this connection; behind a pooler, a number that fits none. */
  get processId(): number {
    // The driver has it from the server's greeting, and its types do not know.
    return (this.#client as Client & { readonly processID?: number | null }).processID ?? 0;
  }

  async query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
    const { rows } = await this.#client.query<Row>(text, values);
    return rows;
  }

  /** Sends text that may hold anything, such as a file's statement, in the simple protocol. */
  async run(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /** Undoes what a file left in the session: an open transaction, a role, a search_path, a temporary table, any setting. */
  async reset(): Promise<void> {
    await this.#client.query(
      'rollback; reset role; reset session authorization; reset all; close all; deallocate all; unlisten *; discard temp; discard sequences',
    );
    await this.#client.query(this.#settings);
  }

  /** Turns the loss of the connection into an error for people; every other error stays as it is. */
  explain(error: unknown): unknown {
    if (error instanceof MigrationError || !(this.#lost || isConnectionLoss(error))) return error;
    return new MigrationError(
      'MIGRATION.UNREACHABLE',
      `The connection to ${this.#target} was lost. Run again: what has been applied is in the ledger.`,
    );
  }

  /** A server that looks after its client ends the statement, and frees the lock, soon after this process was killed. */
  async #watchClient(): Promise<void> {
    const watch = `set client_connection_check_interval to '1s'`;
    const isSupported = await this.#client.query(watch).then(
      () => true,
      () => false,
    );
    if (isSupported) this.#settings += `; ${watch}`;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

async function connect(config: ClientConfig, target: string): Promise<Client> {
  let client: Client | undefined;
  try {
    client = new Client({
      application_name: 'tombstone migrate',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      ...config,
    });
    await client.connect();
    return client;
  } catch (error) {
    // The driver leaves the socket open when it is itself that refuses, and the process would not end.
    void client?.end().catch(() => undefined);
    throw connectionError(error, target);
  }
}

/** Whether the server has ended the connection, or it broke. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof DatabaseError && /^(08|57P0)/.test(error.code ?? '');
}

function describeConnection(connection: string | ClientConfig): string {
  if (typeof connection === 'string') return describeTarget(connection);
  if (connection.connectionString) return describeTarget(connection.connectionString);
  const { user, host, port, database } = connection;
  return `${user ? `${user}@` : ''}${host || 'localhost'}:${port || 5432}/${database || user || ''}`;
}

async function refuseOldServer(session: Session): Promise<void> {
  const [row] = await session.query<{ server_version_num: string }>('show server_version_num');
  const version = Number(row?.server_version_num ?? 0);
  if (version >= OLDEST) return;
  throw new MigrationError(
    'MIGRATION.SERVER_TOO_OLD',
    `The server is PostgreSQL ${Math.floor(version / 10_000)}; migrations need 14 or newer. Upgrade the server.`,
  );
}

const BY_CODE: Readonly<Record<string, readonly [MigrationErrorCode, string]>> = {
  '28P01': ['MIGRATION.WRONG_PASSWORD', 'refused the password. Check the credentials in the environment.'],
  '28000': ['MIGRATION.WRONG_PASSWORD', 'refused the login. Check the user, and pg_hba.conf on the server.'],
  '3D000': ['MIGRATION.NO_DATABASE', 'has no such database. Create it, or correct its name in the URL.'],
  '53300': ['MIGRATION.UNREACHABLE', 'has no connection left [53300]. Close some, or raise max_connections.'],
  '57P03': ['MIGRATION.UNREACHABLE', 'is starting or stopping [57P03]. Run again when it is ready.'],
  '42501': ['MIGRATION.WRONG_PASSWORD', 'does not let this user into the database. Grant CONNECT on it.'],
};

function connectionError(error: unknown, target: string): MigrationError {
  const code = codeOf(error);
  const known = BY_CODE[code];
  if (known) return new MigrationError(known[0], `The server ${target} ${known[1]}`);
  // The driver notices by itself that it has no password to answer with, and gives that error no code.
  if (error instanceof Error && /^SASL: .*password must be a/.test(error.message)) {
    return new MigrationError(
      'MIGRATION.WRONG_PASSWORD',
      `The server ${target} asks for a password. Write it into the URL in the environment.`,
    );
  }
  return new MigrationError(
    'MIGRATION.UNREACHABLE',
    `The server ${target} cannot be reached (${code}). Check that it runs, and host and port in the URL.`,
  );
}

function codeOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (typeof first === 'object' && first !== null && 'code' in first && typeof first.code === 'string')
    return first.code;
  return 'no answer';
}
