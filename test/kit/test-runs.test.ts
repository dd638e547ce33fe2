import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { Client } from 'pg';
import { createTestDatabase } from 'tombstone/testing';
import { testServer } from '../support/database.ts';
import { announceRun, dropAbandonedDatabases } from '../support/drop-databases.ts';

it('several test runs on one server leave each other’s databases alone while they live', async () => {
  const server = await testServer();
  const url = server.url();
  // A run on a server of its own does not announce itself, and would lose its databases here.
  const withdrawThis = await announceRun(url, process.env['TOMBSTONE_TEST_RUN'] ?? '');
  const other = randomBytes(4).toString('hex');
  const withdrawOther = await announceRun(url, other);
  const names = [`tombstone_template_${other}`, `tombstone_test_${other}_1_x`];
  for (const name of names) await createTestDatabase(server, { name });
  const left = async (): Promise<string[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query<{ datname: string }>(
        'select datname from pg_database where datname = any ($1) order by datname',
        [names],
      );
      return rows.map((row) => row.datname);
    } finally {
      await client.end();
    }
  };

  await dropAbandonedDatabases(url);
  expect(await left()).toEqual(names);
  await withdrawOther();
  await expectEventually(async () => {
    await dropAbandonedDatabases(url);
    return left();
  });
  await withdrawThis();
});

/** The server ends a session a moment after its client has said goodbye. */
async function expectEventually(remaining: () => Promise<string[]>): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await remaining()).length > 0; attempt += 1);
  expect(await remaining()).toEqual([]);
}
