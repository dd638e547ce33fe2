import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type Pool } from 'pg';
import { runPrepared } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let url: string;
let library: Library;

beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('create table pebble (id int primary key, weight int not null)');
  await client.query('insert into pebble select n, n * n from generate_series(0, 199) n');
  await client.end();
});
afterEach(() => library.close());

/** A statement of its own for each number, by the way that is asked for. */
const numbered = (n: number, isPipelined: boolean): Promise<{ weight: number; n: number }[]> =>
  runPrepared(
    library.em(),
    {
      name: `kit_numbered_${n}`,
      text: `select weight, ${n} as n from pebble where id = $1::int`,
      isPipelined,
    },
    [n % 200],
  );

describe('a connection that has as many names as it may', () => {
  it.each([1, 3])('answers each call with its own row, with %d connections', async (max) => {
    library = await openLibrary({ url, pool: { min: 0, max }, unwatched: true });
    for (let n = 0; n < 220; n += 1) await numbered(n, false);
    const pool: Pool = await library.em().getConnection().getNativeClient();
    for (let round = 0; round < 20 * max; round += 1) {
      const calls = Array.from({ length: 40 }, (_, n) => {
        const own = 300 + round * 40 + n;
        return numbered(own, n % 3 !== 0).then((rows) =>
          expect(rows).toEqual([{ n: own, weight: (own % 200) ** 2 }]),
        );
      });
      await Promise.all(calls);
    }
    expect([pool.totalCount, pool.idleCount]).toEqual([max, max]);
    expect(await library.em().execute('select count(*)::int as n from pg_prepared_statements')).toEqual([
      { n: 200 },
    ]);
  });
});
