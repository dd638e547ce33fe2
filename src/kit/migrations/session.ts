import { Client, DatabaseError, type ClientConfig, type QueryResult, type QueryResultRow } from 'pg';
import { MigrationError, type MigrationErrorCode } from './errors.ts';
import { type Route, routeOf, type ServerSide, sessionChanged } from './pooler.ts';
import { Script } from './script.ts';
import { describeTarget } from './target.ts';
import { type FileTimeouts, timeoutSettings } from './timeouts.ts';

const OLDEST = 140_000;

// The driver reads no other form of an instant; the order of day and month in texts stays as the database has it.
const SETTINGS = [
  `timezone to 'UTC'`,
  'datestyle to iso',
  'search_path to public',
  'standard_conforming_strings to on',
];

interface Facts extends ServerSide {
  readonly version: number;
}

const FACTS = `select current_setting('server_version_num')::int as version, pg_backend_pid() as pid, inet_client_port() as port`;

/** DISCARD ALL by parts: it would give the advisory lock away. */
export const RESET = [
  'reset session authorization',
  'reset role',
  'reset all',
  'close all',
  'deallocate all',
  'unlisten *',
  'discard temp',
  'discard sequences',
] as const;

/** The one connection of a run: lock, statements and ledger all go through it. */
export class Session {
  readonly #client: Client;
  readonly #target: string;
  /** Assignments behind SET or SET LOCAL. */
  readonly #settings: string[];
  /** Rows of the query that came with the first message; undefined when the server refused it. */
  peeked: readonly QueryResultRow[] | undefined;
  #lost = false;
  #pid = 0;
  #route: Route = 'direct';

  private constructor(client: Client, target: string, timeouts: FileTimeouts) {
    this.#client = client;
    this.#target = target;
    this.#settings = [...SETTINGS, ...timeoutSettings(timeouts)];
    // Without a listener, a connection cut by the server ends the process; the running query reports it anyway.
    client.on('error', () => (this.#lost = true));
  }

  /**
   * Connects, and looks at the server; nothing is set in the session yet.
   *
   * @param peek a query whose rows are wanted with the same message, as `peeked`.
   * @throws MigrationError with one of the connection codes.
   */
  static async open(
    connection: string | ClientConfig,
    timeouts: FileTimeouts = {},
    peek = '',
  ): Promise<Session> {
    const config = typeof connection === 'string' ? { connectionString: connection } : connection;
    const target = describeConnection(connection);
    // Heard before it connects: the server may end a session together with its first answer.
    const client = clientOf(config, target);
    const session = new Session(client, target, timeouts);
    await connect(client, target);
    try {
      await session.#learn(peek);
      return session;
    } catch (error) {
      await session.close();
      throw session.explain(error);
    }
  }

  /** Whether statements may run in different server sessions: nothing may be kept in one then, locks included. */
  get isPooled(): boolean {
    return this.#route === 'pooled';
  }

  /** Begins a transaction with the settings of a run in it, for a session that has none. */
  async begin(): Promise<void> {
    await this.run(['begin', ...this.#settings.map((setting) => `set local ${setting}`)].join('; '));
  }

  /** @throws MigrationError `MIGRATION.POOLED` when the server session is another one than at the beginning. */
  async refuseChange(): Promise<void> {
    if (this.#route !== 'proxied') return;
    const [row] = await this.query<{ pid: number }>('select pg_backend_pid() as pid');
    if (row?.pid !== this.#pid) throw sessionChanged();
  }

  /** The server process behind this connection; behind a pooler, only for the moment. */
  get processId(): number {
    return this.#pid;
  }

  async query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
    const { rows } = await this.#client.query<Row>(text, values);
    return rows;
  }

  /** Runs one statement with values; answers how many rows it has changed. */
  async change(text: string, values: unknown[]): Promise<number> {
    return (await this.#client.query(text, values)).rowCount ?? 0;
  }

  /** Sends text that may hold anything, such as a file's statement, in the simple protocol. */
  async run(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /**
   * Sends several statements in one message.
   *
   * @throws ScriptError
   */
  async script(text: string): Promise<void> {
    const script = new Script(text);
    this.#client.query(script);
    await script.ended;
  }

  /** Sets what `SET` would, for the rest of the file. */
  async set(settings: readonly string[]): Promise<void> {
    if (settings.length > 0) await this.run(settings.map((setting) => `set ${setting}`).join('; '));
  }

  /** Whether a transaction is open, as the server said with its last answer. */
  isInTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I';
  }

  /** Undoes what a file left in the session: an open transaction, a role, a search_path, a temporary table, any setting. */
  async reset(): Promise<void> {
    if (this.isPooled) return this.run('rollback');
    const settings = this.#settings.map((setting) => `set ${setting}`);
    await this.run(['rollback', ...RESET, ...settings].join('; '));
  }

  /** Sets the session up for a run: UTC, search_path public, timeouts. */
  async prepare(): Promise<void> {
    // What is set through a pooler stays with a server session that the next one gets.
    if (this.isPooled) return;
    await this.#watchClient();
    await this.reset();
  }

  async #learn(peek: string): Promise<void> {
    const answers = peek === '' ? undefined : await this.#peek(peek);
    const [row] = answers?.[0] ?? (await this.query<Facts>(FACTS));
    if (!row) return;
    refuseOldServer(row.version);
    this.peeked = answers?.[1];
    this.#pid = row.pid;
    this.#route = routeOf(this.#client, row);
  }

  /** Undefined when the query is refused: there may be nothing to look at yet. */
  async #peek(peek: string): Promise<[Facts[], QueryResultRow[]] | undefined> {
    try {
      const results = (await this.#client.query(`${FACTS}; ${peek}`)) as unknown as QueryResult[];
      return [results[0]?.rows as Facts[], results[1]?.rows as QueryResultRow[]];
    } catch (error) {
      if (error instanceof DatabaseError && !isConnectionLoss(error)) return undefined;
      throw error;
    }
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
    const watch = `client_connection_check_interval to '1s'`;
    const isSupported = await this.set([watch]).then(
      () => true,
      () => false,
    );
    if (isSupported) this.#settings.push(watch);
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

function clientOf(config: ClientConfig, target: string): Client {
  try {
    return new Client({
      application_name: 'tombstone migrate',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      ...config,
    });
  } catch (error) {
    throw connectionError(error, target);
  }
}

async function connect(client: Client, target: string): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    // The driver leaves the socket open when it is itself that refuses, and the process would not end.
    void client.end().catch(() => undefined);
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

function refuseOldServer(version: number): void {
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
  if (known)
    return new MigrationError(known[0], `The server ${target} ${known[1]}`, undefined, { reason: code });
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
    undefined,
    { reason: code },
  );
}

function codeOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (typeof first === 'object' && first !== null && 'code' in first && typeof first.code === 'string')
    return first.code;
  return 'no answer';
}
