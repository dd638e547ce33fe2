import { Client, escapeIdentifier } from 'pg';

/** Drops every database whose name starts with the prefix, and cuts the connections to it. */
export async function dropDatabases(url: string, prefix: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query<{ datname: string }>(
      'select datname from pg_database where starts_with(datname, $1)',
      [prefix],
    );
    for (const { datname } of found.rows) {
      await client.query(`drop database if exists ${escapeIdentifier(datname)} with (force)`);
    }
  } finally {
    await client.end();
  }
}
