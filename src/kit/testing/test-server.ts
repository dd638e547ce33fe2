import { urlOfDatabase, withConnection } from './connection.ts';
import { type EmbeddedServerOptions, startEmbeddedServer } from './embedded-server.ts';
import { TestServerError } from './errors.ts';

const OLDEST_MAJOR = 14;

/** Where the test server comes from: `url` uses a running one, everything else shapes the embedded one. */
export interface TestServerOptions extends EmbeddedServerOptions {
  /** A running PostgreSQL 14 or newer, as a role that may create databases. It is never stopped. */
  url?: string;
}

/** A PostgreSQL that tests may fill with databases. */
export interface TestServer {
  /** Connection string, password included, so keep it out of logs; without a name, that of the maintenance database. */
  url(database?: string): string;
  /** As the server reports it, for example `18.4`. */
  readonly version: string;
  /** Of the postgres process, embedded server only. */
  readonly pid?: number;
  /** Of the process that owns the embedded server: SIGTERM stops the server and removes its directory. */
  readonly supervisorPid?: number;
  /** The embedded server's temporary directory, with the Unix socket in it. */
  readonly directory?: string;
  /** Stops the embedded server and removes its directory; does nothing to a server given by URL. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts a real PostgreSQL for tests, or uses the one of `url`.
 *
 * The embedded server ends with this process, however that ends, unless `detached` is set.
 *
 * @throws TestServerError `TESTING.NO_BINARIES`, `TESTING.START_FAILED`, `TESTING.UNREACHABLE` or `TESTING.TOO_OLD`;
 *   nothing is left behind then.
 */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { url } = options;
  if (url !== undefined) {
    return {
      url: (database) => urlOfDatabase(url, database),
      version: await readVersion(url),
      stop: async () => {},
    };
  }
  const { url: embeddedUrl, ...server } = await startEmbeddedServer(options);
  try {
    const version = await readVersion(embeddedUrl);
    return { ...server, url: (database) => urlOfDatabase(embeddedUrl, database), version };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function readVersion(url: string): Promise<string> {
  const version = await withConnection(url, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return rows[0]?.server_version ?? '0';
  });
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return version;
  throw new TestServerError(
    'TESTING.TOO_OLD',
    `The test server is PostgreSQL ${version}; ${OLDEST_MAJOR} is the oldest that is supported. Use a newer server.`,
  );
}
