import { Client, escapeIdentifier } from 'pg';

/** Drops every database whose name starts with the prefix, and cuts the connections to it. */
export async function dropDatabases(url: string, prefix: string): Promise<void> {
  await dropFound(url, 'select datname from pg_database where starts_with(datname, $1)', [prefix]);
}

// Only the role's own: the application names of other roles' connections cannot be seen. Both views have a datname, so
// each column says whose it is.
const ABANDONED = `
  select d.datname from pg_database d
  where d.datname ~ '^tombstone_(template_[0-9a-f]{8}$|test_[0-9a-f]{8}_)'
    and pg_get_userbyid(d.datdba) = current_user
    and not exists (
      select from pg_stat_activity a
      where a.application_name = 'tombstone run ' || substring(d.datname from '_([0-9a-f]{8})')
    )`;

/** Drops the databases of test runs that were killed before their teardown. */
export async function dropAbandonedDatabases(url: string): Promise<void> {
  await dropFound(url, ABANDONED, []);
}

/** Shows other runs on the same server that this one lives, until the returned function is called. */
export async function announceRun(url: string, run: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url, application_name: `tombstone run ${run}` });
  // Should the server go away, the tests tell it better than this connection.
  client.on('error', () => undefined);
  await client.connect();
  return () => client.end();
}

async function dropFound(url: string, search: string, values: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query<{ datname: string }>(search, values);
    for (const { datname } of found.rows) {
      const name = escapeIdentifier(datname);
      if (datname.startsWith('tombstone_template_'))
        await client.query(`alter database ${name} with is_template false`);
      await client.query(`drop database if exists ${name} with (force)`);
    }
  } finally {
    await client.end();
  }
}
