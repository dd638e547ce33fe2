import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('test databases', () => {
  it('gives every caller a database of its own', async () => {
    const [one, two] = await Promise.all([cloneTestDatabase(), emptyTestDatabase()]);
    await query(one.url, 'create table only_here (id int)');
    expect(await query(two.url, "select to_regclass('only_here') as found")).toEqual([{ found: null }]);
  });
});
