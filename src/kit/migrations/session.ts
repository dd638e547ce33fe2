import { Client, type ClientConfig, type QueryResultRow } from 'pg';
import { MigrationError, type MigrationErrorCode } from './errors.ts';
import { describeTarget } from './target.ts';

const OLDEST = 140_000;

/** The one connection of a run: lock, statements and ledger all go through it. */
export class Session {
  readonly #client: Client;
  #lost = false;

  private constructor(client: Client) {
    this.#client = client;
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
    const client = new Client({
      application_name: 'tombstone migrate',
      connectionTimeoutMillis: 10_000,
      ...config,
    });
    try {
      await client.connect();
    } catch (error) {
      throw connectionError(error, target);
    }
    const session = new Session(client);
    try {
      await refuseOldServer(session);
      await session.reset();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
    const { rows } = await this.#client.query<Row>(text, values);
    return rows;
  }

  /** Sends text that may hold anything, such as a file's statement, in the simple protocol. */
  async run(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /** Undoes what a file left in the session: an open transaction, a role, a search_path, any setting. */
  async reset(): Promise<void> {
    await this.#client.query('rollback; reset role; reset session authorization; reset all');
    await this.#client.query(`set timezone to 'UTC'; set search_path to public; set lock_timeout to '30s'`);
  }

  /** Whether the server has cut the connection. */
  get isLost(): boolean {
    return this.#lost;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

function describeConnection(connection: string | ClientConfig): string {
  if (typeof connection === 'string') return describeTarget(connection);
  if (connection.connectionString) return describeTarget(connection.connectionString);
  const { user = '', host = 'localhost', port = 5432, database = user } = connection;
  return `${user ? `${user}@` : ''}${host}:${port}/${database}`;
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
};

function connectionError(error: unknown, target: string): MigrationError {
  const code = codeOf(error);
  const known = BY_CODE[code];
  if (known) return new MigrationError(known[0], `The server ${target} ${known[1]}`);
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
