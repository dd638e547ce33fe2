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
  const user = parsed.username ? `${decode(parsed.username)}@` : '';
  // The driver decodes the password; where it cannot, its error would repeat the text.
  decode(parsed.password);
  const database = decode(parsed.pathname.slice(1)) || decode(parsed.username) || 'postgres';
  return `${user}${host}:${parsed.port || '5432'}/${database}`;
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && (parsed.protocol === 'postgres:' || parsed.protocol === 'postgresql:')) return parsed;
  throw badUrl();
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl();
  }
}

function badUrl(): MigrationError {
  return new MigrationError(
    'MIGRATION.BAD_URL',
    'The database URL is not a PostgreSQL URL. Write postgresql://user:password@host:5432/database, with special characters of the password percent-encoded.',
  );
}
