import type { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type DataEntityManager, runPrepared } from 'tombstone';
import { MAX_NAMED } from '../../src/kit/orm/statement-names.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let library: Library;
let em: DataEntityManager;
/** Messages that the driver has read on the one connection, by their names; rows are read before it. */
const got: string[] = [];
beforeAll(async () => {
  library = await openLibrary({ pool: { min: 0, max: 1 } });
  em = library.em();
  const pool = await em.getConnection().getNativeClient();
  const client = await pool.connect();
  const { connection } = client as unknown as { connection: EventEmitter };
  for (const name of ['rowDescription', 'parseComplete', 'bindComplete', 'dataRow'])
    connection.on(name, () => got.push(name));
  client.release();
});
afterAll(() => library.close());

const messages = async (work: () => Promise<unknown>): Promise<string[]> => {
  got.length = 0;
  await work();
  return [...got];
};
let made = 0;
const statement = (text: string) => ({ name: `kit_short_${(made += 1)}`, text });

const VALUES = `select 1::int as int, 9007199254740993::bigint as big, 1.50::numeric as amount, true as flag,
  'two'::text as text, null::text as nothing, '{"a":[1,null]}'::jsonb as json, array[1,null,3] as ints,
  array['a','b,c',null] as texts, '\\xdeadbeef'::bytea as bytes, 'x'::text as twice, 'y'::text as twice,
  1.5::float8 as float, '2024-01-02'::date as day, point(1,2) as point, row(1, 'a') as record`;

describe('a prepared statement', () => {
  it('is described once for a connection, and answers the same from then on', async () => {
    const values = statement(`${VALUES}, $1::int as given`);
    const first = await runPrepared(em, values, [7]);
    expect(await messages(() => runPrepared(em, values, [7]))).toEqual([]);
    expect(await runPrepared(em, values, [7])).toStrictEqual(first);
    // The guard: without the layer each call has its columns described.
    const client = new Client({ connectionString: library.url });
    await client.connect();
    const described: string[] = [];
    const { connection } = client as unknown as { connection: EventEmitter };
    for (const name of ['rowDescription', 'dataRow']) connection.on(name, () => described.push(name));
    for (let n = 0; n < 2; n += 1) await client.query({ ...values, values: [7] });
    expect(described).toEqual(['rowDescription', 'dataRow', 'rowDescription', 'dataRow']);
    await client.end();
  });

  it('gives what the ORM gives by statements without a name, in a transaction too', async () => {
    const [bare] = await em.execute<object[]>(VALUES);
    const values = statement(VALUES);
    for (let n = 0; n < 3; n += 1) {
      expect(await runPrepared(em, values, [])).toStrictEqual([bare]);
      expect(await em.transactional((tx) => runPrepared(tx, values, []))).toStrictEqual([bare]);
    }
    expect(bare).toMatchObject({ nothing: null, twice: 'y', texts: ['a', 'b,c', null] });
  });

  it('answers many rows, none, and what has no rows at all', async () => {
    const many = statement(`select n, nullif(n, 2) as gap from generate_series(1, $1::int) as n`);
    const rows = [1, 2, 3].map((n) => ({ n, gap: n === 2 ? null : n }));
    for (let n = 0; n < 2; n += 1) {
      expect(await runPrepared(em, many, [3])).toStrictEqual(rows);
      expect(await runPrepared(em, many, [0])).toStrictEqual([]);
    }
    const marks = statement(`set application_name = 'short'`);
    const empty = statement('');
    for (let n = 0; n < 2; n += 1) {
      expect(await runPrepared(em, marks, [])).toEqual([]);
      expect(await runPrepared(em, empty, [])).toEqual([]);
    }
  });

  it('has the last one of columns with one name, also where that one is null', async () => {
    const bare = new Client({ connectionString: library.url });
    await bare.connect();
    const joined = `select l.*, r.* from (values (1, 'l')) as l (id, side)
      left join (values (2, 'r')) as r (id, side) on r.id = l.id + $1::int`;
    const twins = statement(joined);
    for (const gap of [0, 1, 0]) {
      const { rows } = await bare.query(joined, [gap]);
      expect(rows).toEqual([gap === 1 ? { id: 2, side: 'r' } : { id: null, side: null }]);
      expect(await runPrepared(em, twins, [gap])).toStrictEqual(rows);
    }
    await bare.end();
  });

  it('has the columns of the cursor or the statement that its text names', async () => {
    const fetches = statement('/* all */ fetch all from shelf');
    const executes = statement('-- again\n execute shelf');
    const answers = [
      ['select 1 as a', [{ a: 1 }]],
      [`select 'x' as text, 2 as n`, [{ text: 'x', n: 2 }]],
      ['select 3::bigint as a', [{ a: '3' }]],
    ] as const;
    for (const [text, rows] of answers)
      await em.transactional(async (tx) => {
        await tx.execute(`declare shelf cursor for ${text}`);
        await tx.execute(`prepare shelf as ${text}`);
        expect(await runPrepared(tx, fetches, [])).toStrictEqual(rows);
        expect(await runPrepared(tx, executes, [])).toStrictEqual(rows);
        await tx.execute('deallocate shelf');
      });
  });

  it('fails once where a pooler has prepared it anew with another column', async () => {
    const grown = statement('select 1 as a');
    for (let n = 0; n < 2; n += 1) expect(await runPrepared(em, grown, [])).toEqual([{ a: 1 }]);
    await em.execute(`deallocate ${grown.name}`);
    await em.execute(`prepare ${grown.name} as select 'x' as text, 2 as n`);
    await expect(runPrepared(em, grown, [])).rejects.toThrow();
    expect(await runPrepared(em, grown, [])).toEqual([{ text: 'x', n: 2 }]);
  });

  it('gives a column whose name is that of the prototype', async () => {
    const named = statement(`select '{"a":1}'::json as "__proto__", $1::int as n`);
    for (const n of [1, 2]) {
      const [row] = (await runPrepared(em, named, [n])) as [object];
      expect(Object.entries(row)).toEqual([
        ['__proto__', { a: 1 }],
        ['n', n],
      ]);
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    }
  });

  it('is never that of another call where its name is empty', async () => {
    const nameless = (n: number) => ({ name: '', text: `select ${n} + $1::int as n` });
    for (const n of [1, 2, 1]) expect(await runPrepared(em, nameless(n), [1])).toEqual([{ n: n + 1 }]);
  });

  it('leaves the connection usable after each kind of failure', async () => {
    const divides = statement('select 1 / $1::int as part');
    const wrong = statement('select none from (select 1 as one) as ones');
    const throws = {
      toPostgres: () => {
        throw new Error('no value');
      },
    };
    for (let n = 0; n < 2; n += 1) {
      await expect(runPrepared(em, divides, [0])).rejects.toMatchObject({ sqlState: '22012' });
      await expect(runPrepared(em, divides, [throws])).rejects.toThrow();
      await expect(runPrepared(em, wrong, [])).rejects.toMatchObject({ sqlState: '42703' });
      expect(await runPrepared(em, divides, [1])).toEqual([{ part: 1 }]);
    }
  });

  it('fails where a row stops in the middle, and where copying is asked for', async () => {
    const late = statement('select 1 / (3 - n) as part from generate_series(1, $1::int) as n');
    expect(await runPrepared(em, late, [2])).toHaveLength(2);
    await expect(runPrepared(em, late, [3])).rejects.toMatchObject({ sqlState: '22012' });
    await expect(runPrepared(em, statement('copy book from stdin'), [])).rejects.toMatchObject({
      code: expect.stringMatching(/./),
    });
    expect(await runPrepared(em, late, [1])).toEqual([{ part: 0 }]);
  });

  it('is described anew when its name was taken from the connection', async () => {
    const oldest = statement('select $1::int as n');
    await runPrepared(em, oldest, [1]);
    for (let n = 0; n < MAX_NAMED; n += 1) await runPrepared(em, statement(`select ${n} as n`), []);
    const ask = () => runPrepared(em, oldest, [2]);
    expect(await messages(ask)).toEqual(['parseComplete', 'rowDescription']);
    expect(await ask()).toEqual([{ n: 2 }]);
    // More than are remembered.
    for (let n = 0; n < 2 * MAX_NAMED; n += 1) await runPrepared(em, statement(`select ${n} as n`), []);
    expect(await ask()).toEqual([{ n: 2 }]);
  });

  it('leaves no clock of query_timeout behind, also where a name was taken from the connection', async () => {
    const timed = await openLibrary({
      url: library.url,
      pool: { min: 1, max: 1 },
      driverOptions: { query_timeout: 600_000 },
    });
    const clocks = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    await runPrepared(timed.em(), statement('select 1 as n'), []);
    const before = clocks();
    for (let n = 0; n < MAX_NAMED + 5; n += 1)
      await runPrepared(timed.em(), statement(`select ${n} as n`), []);
    expect(clocks()).toBe(before);
    await timed.close();
  });

  it('that the connection is lost under says so, and the next one is answered', async () => {
    const other = new Client({ connectionString: library.url });
    await other.connect();
    const [{ pid }] = (await runPrepared(em, statement('select pg_backend_pid() as pid'), [])) as [
      { pid: number },
    ];
    const waiting = runPrepared(em, statement('select pg_sleep(60)'), []);
    const lost = expect(waiting).rejects.toMatchObject({ code: 'DATA.UNAVAILABLE' });
    await other.query(`select pg_terminate_backend($1)`, [pid]);
    await lost;
    expect(await runPrepared(em, statement('select 1 as n'), [])).toEqual([{ n: 1 }]);
    await other.end();
  });
});
