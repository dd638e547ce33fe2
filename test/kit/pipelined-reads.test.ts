import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, defaults, type Pool } from 'pg';
import { runPrepared } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let url: string;
let library: Library;
/** Holds what reads wait for. */
let holder: Client;

beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('create table pebble (id int primary key, weight int not null)');
  await client.query('insert into pebble select n, n * n from generate_series(0, 199) n');
  await client.end();
});
beforeEach(async () => {
  holder = new Client({ connectionString: url });
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await library.close();
});

const open = async (max: number, options: object = {}): Promise<void> => {
  library = await openLibrary({ url, pool: { min: 0, max }, unwatched: true, ...options });
};
const pool = (): Promise<Pool> => library.em().getConnection().getNativeClient();

const READ = {
  name: 'kit_pebble',
  text: 'select weight, 100 / (150 - $1::int) as share from pebble where id = $1::int',
  isPipelined: true,
};
const ALONE = { ...READ, name: 'kit_pebble_alone', isPipelined: false };
/** So that one caller at least always waits for its answer. */
const SLOW = {
  ...READ,
  name: 'kit_pebble_slow',
  text: 'select weight from pebble, pg_sleep(0.002) where id = $1::int',
};
const read = async (id: number, statement = READ): Promise<number | undefined> => {
  const [row] = await runPrepared<{ weight: number }>(library.em(), statement, [id]);
  return row?.weight;
};
const FAILS = 150;

/** Lets no read of the table through until the answer is called. */
async function hold(): Promise<() => Promise<unknown>> {
  await holder.query('begin; lock table pebble in access exclusive mode');
  return () => holder.query('commit');
}

/** The end of each statement. */
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);

/** Statements that the one connection of the pool has sent since, answered or not. */
async function countSent(): Promise<() => number> {
  const client = await (await pool()).connect();
  const { stream } = (client as unknown as { connection: { stream: { write(bytes: Buffer): unknown } } })
    .connection;
  const write = stream.write.bind(stream);
  let sent = 0;
  stream.write = (bytes) => {
    if (bytes.subarray(-SYNC.length).equals(SYNC)) sent += 1;
    return write(bytes);
  };
  client.release();
  return () => sent;
}

const turn = (ms = 100): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const outcomeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: { code?: string }) => error.code);

describe('reads that may be pipelined', () => {
  it('are sent before the one ahead is answered, and others are not', async () => {
    await open(1);
    await read(0);
    await read(0, ALONE);
    const sent = await countSent();
    for (const [statement, expected] of [
      [READ, 8],
      [ALONE, 1],
    ] as const) {
      const before = sent();
      const release = await hold();
      const calls = Array.from({ length: 12 }, (_, n) => read(n, statement));
      await turn();
      expect(sent() - before).toBe(expected);
      await release();
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 12 }, (_, n) => n * n));
    }
  });

  it('answer each call with its own row, whatever the number of callers, and a refusal is that of one call', async () => {
    await open(3);
    const callers = Array.from({ length: 128 }, async (_, caller) => {
      for (let n = 0; n < 20; n += 1) {
        const id = (caller * 7 + n * 13) % 160;
        expect(await outcomeOf(read(id))).toBe(id === FAILS ? 'DATA.INVALID' : id * id);
      }
    });
    await Promise.all(callers);
    expect((await pool()).totalCount).toBe(3);
    expect((await pool()).idleCount).toBe(3);
  });

  it('open connections before they share one', async () => {
    await open(3);
    const release = await hold();
    const calls = Array.from({ length: 3 }, (_, n) => read(n));
    await turn();
    expect((await pool()).totalCount).toBe(3);
    await release();
    expect(await Promise.all(calls)).toEqual([0, 1, 4]);
  });

  it('let a transaction have a connection while they never cease', async () => {
    await open(2);
    const over = new AbortController();
    const callers = Array.from({ length: 16 }, async () => {
      while (!over.signal.aborted) await read(1, SLOW);
    });
    for (let n = 0; n < 20; n += 1) {
      const sum = await library.em().transactional(async (tx) => {
        await tx.execute('update pebble set weight = weight where id = 2');
        return tx.execute('select count(*)::int as rows from pebble');
      });
      expect(sum).toEqual([{ rows: 200 }]);
    }
    over.abort();
    await Promise.all(callers);
  });

  it('are read by the connection of a transaction in one', async () => {
    await open(1);
    await library.em().transactional(async (tx) => {
      await tx.execute('update pebble set weight = -1 where id = 3');
      const rows = await Promise.all([1, 3].map((id) => runPrepared(tx, READ, [id])));
      expect(rows.flat()).toMatchObject([{ weight: 1 }, { weight: -1 }]);
      await tx.execute('update pebble set weight = 9 where id = 3');
    });
  });

  it('fail together when their session ends, and the next ones are served', async () => {
    await open(1);
    await read(0);
    const release = await hold();
    const calls = Array.from({ length: 12 }, (_, n) => outcomeOf(read(n)));
    await turn();
    await holder.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state = 'active'`);
    await turn();
    await release();
    const outcomes = await Promise.all(calls);
    // Eight were sent; four waited, and got the next connection.
    expect(outcomes.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 'DATA.UNAVAILABLE'));
    expect(outcomes.slice(8)).toEqual([64, 81, 100, 121]);
    expect((await pool()).totalCount).toBe(1);
  });

  it('do not follow a statement that is being prepared, and may fail at that', async () => {
    await open(1);
    await read(0);
    library.statements();
    const wrong = { ...READ, name: 'kit_nowhere', text: 'select weight from nowhere where id = $1::int' };
    const calls = Array.from({ length: 6 }, (_, n) => outcomeOf(read(n, wrong)));
    expect(new Set(await Promise.all(calls)).size).toBe(1);
    // Said of a pooler, whose sessions do not have what was prepared.
    expect(library.statements().filter((line) => line.includes('was lost'))).toEqual([]);
  });

  it('are sent under a new name when their table has changed', async () => {
    await open(1);
    const star = { name: 'kit_star', text: 'select * from pebble where id = $1', isPipelined: true };
    await runPrepared(library.em(), star, [5]);
    const release = await hold();
    await holder.query('alter table pebble add column colour text default $$red$$');
    const calls = Array.from({ length: 6 }, (_, n) => runPrepared(library.em(), star, [n]));
    await turn();
    await release();
    const rows = await Promise.all(calls);
    expect(rows.flat()).toEqual(
      Array.from({ length: 6 }, (_, n) => ({ id: n, weight: n * n, colour: 'red' })),
    );
    await holder.query('alter table pebble drop column colour');
  });

  it('wait no longer for a connection than the program says', async () => {
    await open(1, { driverOptions: { connectionTimeoutMillis: 500 } });
    await read(0);
    await library.em().transactional(async (tx) => {
      await tx.execute('select 1');
      const start = performance.now();
      const calls = Array.from({ length: 20 }, (_, n) => outcomeOf(read(n)));
      const outcomes = await Promise.all(calls);
      expect(performance.now() - start).toBeLessThan(1400);
      expect(new Set(outcomes)).toEqual(new Set(['DATA.UNAVAILABLE']));
    });
    expect(await read(4)).toBe(16);
  });

  it('settle when the pool ends', async () => {
    await open(1);
    await read(0);
    const release = await hold();
    const calls = Array.from({ length: 20 }, (_, n) => outcomeOf(read(n)));
    await turn();
    const closed = library.orm.close();
    await turn();
    await release();
    await closed;
    const outcomes = await Promise.all(calls);
    for (const [n, outcome] of outcomes.entries()) expect([n * n, 'DATA.UNAVAILABLE']).toContain(outcome);
  });

  it.each(['options of the pool', 'defaults of the driver'])(
    'are not pipelined where a statement that lasts too long ends its connection, by the %s',
    async (where) => {
      const isDefault = where === 'defaults of the driver';
      if (isDefault) defaults.query_timeout = 5000;
      try {
        await open(1, isDefault ? {} : { driverOptions: { query_timeout: 5000 } });
        await read(0);
      } finally {
        defaults.query_timeout = false as never;
      }
      const sent = await countSent();
      const release = await hold();
      const calls = Array.from({ length: 3 }, (_, n) => read(n));
      await turn();
      expect(sent()).toBe(1);
      await release();
      expect(await Promise.all(calls)).toEqual([0, 1, 4]);
    },
  );
});
