import { MigrationError } from './errors.ts';

/**
 * The target as people may see it: host, port, database and user, never the password, whether it stands in the authority
 * or in the query of the URL.
 *
 * @throws MigrationError `MIGRATION.BAD_URL` when it is no PostgreSQL URL; the text itself is not repeated.
 */
export function describeTarget(url: string): string {
  const parsed = parseUrl(url);
  const host = parsed.searchParams.get('host') ?? (parsed.hostname || 'localhost');
  const user = parsed.username ? `${decodeURIComponent(parsed.username)}@` : '';
  const database = decodeURIComponent(parsed.pathname.slice(1)) || 'postgres';
  return `${user}${host}:${parsed.port || '5432'}/${database}`;
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && (parsed.protocol === 'postgres:' || parsed.protocol === 'postgresql:')) return parsed;
  throw new MigrationError(
    'MIGRATION.BAD_URL',
    'The database URL is not a PostgreSQL URL. Write postgresql://user:password@host:5432/database, with special characters of the password percent-encoded.',
  );
}
