import { Client } from 'pg';
import { TestServerError, errorCodeOf } from './errors.ts';

const CONNECT_MS = 10_000;

/** Connects, works, disconnects. `work` sees a connection of its own; errors inside it pass through untouched. */
export async function withConnection<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const target = describeTarget(url);
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  // A connection cut while no query runs is reported by the next query; unheard, this event would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw unreachable(target, error);
  }
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The same server's URL with another database in it. */
export function urlOfDatabase(url: string, database: string | undefined): string {
  if (database === undefined) return url;
  const result = parseUrl(url);
  result.pathname = `/${encodeURIComponent(database)}`;
  return result.toString();
}

function describeTarget(url: string): string {
  const { hostname, port, pathname, searchParams } = parseUrl(url);
  const host = hostname || (searchParams.get('host') ?? 'localhost');
  return `${host}${port && `:${port}`}${pathname}`;
}

// The URL's own error would print the whole text, password included.
function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && /^postgres(ql)?:$/.test(parsed.protocol)) return parsed;
  throw new TestServerError(
    'TESTING.UNREACHABLE',
    'The URL of the test server cannot be read. Write it as postgresql://user:password@host:port/database.',
  );
}

function unreachable(target: string, error: unknown): TestServerError {
  return new TestServerError(
    'TESTING.UNREACHABLE',
    `No PostgreSQL connection to ${target} (${errorCodeOf(error)}). Check that the server runs there and that the ` +
      "URL's user, password and database are right.",
  );
}
