import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MikroORM } from '@mikro-orm/core';
import { type DataEntityManager, defineDataConfig } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { type Break, type BreakingWay, BREAKS, openBreakingWay, STARTUP } from '../support/breaking-way.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

// A pool of one session: a single one that is lost for ever leaves the next call waiting for ever.

let url: string;
let way: BreakingWay;
let library: Library;

beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
});
beforeEach(async () => {
  way = await openBreakingWay(url);
});
afterEach(async () => {
  await way.stop();
});

/** What a program sets that wants an answer from a network that gives none. */
const LIMITS = { query_timeout: 1000, connectionTimeoutMillis: 1000 };

const open = (driverOptions: object = {}): Promise<Library> =>
  openLibrary({ url: way.url, unwatched: true, pool: { min: 0, max: 1 }, driverOptions });

const select = (em: DataEntityManager): Promise<unknown> => em.execute('select 1 as one');
const named = (ctx?: object): Promise<unknown> =>
  library.orm.driver
    .getConnection()
    .executeNamed({ name: 'first_parse', text: 'select $1::int as parsed', values: [1] }, ctx);

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await within(work).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return (error as { code?: string } | undefined)?.code ?? String(error);
}

/** A call that never settles is what these tests are about. */
async function within<T>(work: Promise<T>, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('has not settled')), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** The next calls are served, by the pool and in a transaction, and the pool lets itself be closed. */
async function expectRecovery(): Promise<void> {
  const em = library.em();
  await within(select(em));
  await within(em.transactional(select));
  await within(library.orm.close());
}

const MOMENTS: readonly [what: string, text: string, call: (em: DataEntityManager) => Promise<unknown>][] = [
  ['the connection is made', STARTUP, select],
  ['a statement runs', 'select 1', select],
  ['a prepared statement is parsed', 'parsed', () => named()],
  ['a transaction connects', STARTUP, (em) => em.transactional(select)],
  ['BEGIN runs', 'begin', (em) => em.transactional(select)],
  ['BEGIN runs, by hand', 'begin', (em) => em.begin()],
  ['BEGIN with its options runs', 'start transaction', (em) => em.transactional(select, { readOnly: true })],
  [
    'BEGIN of Kysely runs',
    'begin',
    (em) =>
      em
        .getKysely()
        .transaction()
        .execute(() => Promise.resolve()),
  ],
  ['a statement of a transaction runs', 'select 1', (em) => em.transactional(select)],
  [
    'a prepared one of a transaction is parsed',
    'parsed',
    (em) => em.transactional((tx) => named(tx.getTransactionContext())),
  ],
  ['COMMIT runs', 'commit', (em) => em.transactional(select)],
];

describe.each(BREAKS)('a session that ends (%s)', (how: Break) => {
  beforeEach(async () => {
    library = await open(how === 'silence' ? LIMITS : {});
  });

  it.each(MOMENTS)(
    'when %s: the call fails with a code, and the pool recovers',
    async (_what, text, call) => {
      way.breakAt(text, how);
      expect(await codeOf(call(library.em()))).toMatch(/^DATA\.(UNAVAILABLE|TIMEOUT)$/);
      expect(way.isBroken()).toBe(true);
      await expectRecovery();
    },
  );

  it('when ROLLBACK runs: the call fails with the error of its work, and the pool recovers', async () => {
    way.breakAt('rollback', how);
    const work = library.em().transactional(async (em) => {
      await select(em);
      throw new Error('of the work');
    });
    await expect(within(work)).rejects.toThrow('of the work');
    expect(way.isBroken()).toBe(true);
    await expectRecovery();
  });

  it('while others wait for it: all of them get an answer, and the pool recovers', async () => {
    way.breakAt('select 1', how);
    const calls = Array.from({ length: 6 }, (_, index) => {
      const em = library.em();
      return codeOf(index % 2 ? em.transactional(select) : select(em));
    });
    for (const code of await Promise.all(calls))
      expect(code).toMatch(/^(undefined|DATA\.UNAVAILABLE|DATA\.TIMEOUT)$/);
    expect(way.isBroken()).toBe(true);
    await expectRecovery();
  });

  it.each([
    ['it is opened', 'generate_series'],
    ['its rows are read', 'wanted'],
  ])('when a stream is broken while %s: it fails with a code, and the pool recovers', async (_what, text) => {
    // The name of the portal stands in each order for more rows.
    if (text === 'generate_series') way.breakAt(text, how);
    const read = async (): Promise<void> => {
      const rows = library.orm.driver.getConnection().stream('select * from generate_series(1, 1000)');
      for await (const _row of rows) if (way.isBroken() && text !== 'generate_series') way.breakAt('C_', how);
    };
    expect(await codeOf(read())).toMatch(/^DATA\.(UNAVAILABLE|TIMEOUT)$/);
    expect(way.isBroken()).toBe(true);
    await expectRecovery();
  });
});

describe('an ORM that is closed', () => {
  it('refuses the calls that wait for a place in the pool, and ends when those that have one have ended', async () => {
    library = await open();
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const running = library.em().transactional(async (em) => {
      await select(em);
      begin();
      await over;
      return select(em);
    });
    await begun;
    const waiting = [
      codeOf(select(library.em())),
      codeOf(library.em().transactional(select)),
      codeOf(named()),
    ];
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closing = library.orm.close();
    expect(await Promise.all(waiting)).toEqual(Array(3).fill('DATA.UNAVAILABLE'));
    end();
    expect(await within(running)).toHaveLength(1);
    await within(closing);
  });

  it('ends its sessions, also where all that it sent were statements of the ORM', async () => {
    const driverOptions = { application_name: 'closed' };
    const discovery = { warnWhenNoEntities: false };
    const orm = new MikroORM(defineDataConfig({ clientUrl: url, modules: [], driverOptions, discovery }));
    // As the command of MikroORM connects: without a question whether the database is there.
    await orm.em.getConnection().connect({ skipOnConnect: true });
    const sessions = `select count(*)::int as count from pg_stat_activity where application_name = 'closed'`;
    expect(await orm.em.fork().execute(sessions)).toEqual([{ count: 1 }]);
    await within(orm.close());
    library = await open();
    // A session ends some time after its socket.
    const end = Date.now() + 5_000;
    let left: unknown;
    do [left] = await library.rows(sessions);
    while ((left as { count: number }).count > 0 && Date.now() < end);
    expect(left).toEqual({ count: 0 });
    await library.orm.close();
  });
});
