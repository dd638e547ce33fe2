import { describe, expect, it } from '@jest/globals';
import type { HeldLock } from '../../src/kit/migrations/adopt/align/align-step.ts';
import {
  afterChanges,
  aligning,
  type Aligning,
  openClient,
  openSession,
  temporaries,
  wanted,
} from './fixtures/aligning.ts';

const usersOf = (type: string, rows: number): string => `
  create table users (id bigserial primary key, email text not null, balance ${type} not null default 0, updated_at timestamptz not null default now());
  insert into users (email, balance, updated_at) select 'u' || n, n, '2020-01-01' from generate_series(1, ${rows}) n; analyze users`;
const target = wanted(usersOf('numeric(22,10)', 0));

/** Charges users at random until it is told to stop; answers what it has charged and how often. */
async function charge(
  url: string,
  rows: number,
  isDone: () => boolean,
): Promise<{ charged: number; added: number }> {
  const client = await openClient(url);
  let [charged, added] = [0, 0];
  for (let turn = 0; !isDone(); turn += 1) {
    // Two rows in one transaction, in the order of their keys, as the repositories lock them.
    const [one, two] = [1 + Math.floor(Math.random() * rows), 1 + Math.floor(Math.random() * rows)].toSorted(
      (a, b) => a - b,
    );
    await client.query('begin');
    for (const id of [one, two])
      await client.query('update users set balance = balance - 0.5 where id = $1', [id]);
    await client.query('commit');
    charged += 1;
    if (turn % 10 !== 0) continue;
    await client.query(`insert into users (email, balance, updated_at) values ('new', 7, '2020-01-01')`);
    added += 1;
  }
  return { charged, added };
}

const sums = async ({ client }: Aligning): Promise<unknown> =>
  (
    await client.query(
      `select sum(balance)::numeric(30,4)::text as sum, count(*)::int as n, count(*) filter (where updated_at <> '2020-01-01')::int as touched from users`,
    )
  ).rows[0];

describe('a large table that programs write while a column gets another type', () => {
  const ROWS = 200_000;

  it('loses nothing, is never rewritten, and holds no lock while rows are copied', async () => {
    const db = await aligning(await target, usersOf('numeric(20,8)', ROWS));
    const nodeOf = async (): Promise<unknown> =>
      (await db.client.query(`select pg_relation_filenode('users') as node`)).rows;
    const before = await nodeOf();
    let isDone = false;
    const writers = [1, 2, 3, 4].map(() => charge(db.url, ROWS, () => isDone));
    const watch = await openClient(db.url);
    // What the session holds within a batch, seen from outside.
    const modes = new Set<string>();
    const session = afterChanges(db.session, async () => {
      const { rows } = await watch.query<{ mode: string }>(
        `select mode from pg_locks where granted and relation = 'users'::regclass and pid = $1`,
        [db.session.processId],
      );
      for (const { mode } of rows) modes.add(mode);
    });
    const { steps, blockers } = await db.plan();
    expect(blockers).toEqual([]);
    expect(steps.map(({ id }) => id)).toEqual(['column public.users.balance: change the type']);
    let reported = 0;
    const context = { session, tell: () => (reported += 1), held: (lock: HeldLock) => db.held.push(lock) };
    for (const step of steps) await step.run(context);
    isDone = true;
    const done = await Promise.all(writers);
    const charged = done.reduce((sum, each) => sum + each.charged, 0);
    const added = done.reduce((sum, each) => sum + each.added, 0);
    expect(await db.missing()).toEqual([]);
    expect(await nodeOf()).toEqual(before);
    const sum = (ROWS * (ROWS + 1)) / 2 - charged + 7 * added;
    expect(await sums(db)).toEqual({ sum: sum.toFixed(4), n: ROWS + added, touched: 0 });
    // Else nothing was tried at the same time.
    expect(charged).toBeGreaterThan(100);
    expect(reported).toBeGreaterThanOrEqual(100);
    expect([...modes].toSorted()).toEqual(['RowExclusiveLock', 'RowShareLock']);
    expect(db.held.map(({ table, lock }) => `${table} ${lock}`)).toEqual([
      'public.users ACCESS EXCLUSIVE',
      'public.users ACCESS EXCLUSIVE',
      'public.users ACCESS EXCLUSIVE',
      'public.users ACCESS EXCLUSIVE',
    ]);
    expect(await temporaries(db.client)).toEqual([]);
  });
});

describe('a program that keeps a row for long', () => {
  it('is waited for without the rows of others, and named when it does not end', async () => {
    const db = await aligning(await target, usersOf('numeric(20,8)', 50));
    const small = { rows: 0, bytes: 0 };
    const [slow, quick] = await Promise.all([openClient(db.url), openClient(db.url)]);
    const { steps } = await db.plan({ small });
    // The trigger is there before the row is taken: what follows is the copying.
    let taken: Promise<unknown> | undefined;
    const context = {
      session: db.session,
      tell: () => undefined,
      held: () => (taken ??= slow.query('begin; update users set balance = 5 where id = 40')),
    };
    const { rows } = await slow.query<{ pid: number }>('select pg_backend_pid() as pid');
    await expect(
      steps[0]?.run({ ...context, timeouts: { attempts: 3, backOffMs: 1, lockMs: 100 } }),
    ).rejects.toMatchObject({
      code: 'MIGRATION.LOCK_TIMEOUT',
      message: expect.stringContaining(`pid ${rows[0]?.pid}`),
    });
    await taken;
    let isAligned = false;
    const running = steps[0]?.run(context).then(() => (isAligned = true));
    // It waits with the rows before this one in its hands, for ever if it did not give way.
    for (let waits = 0; waits < 2;) {
      const { rows: found } = await quick.query(
        `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`,
        [db.session.processId],
      );
      if (found.length === 0) continue;
      await quick.query('update users set balance = balance - 1 where id = 3');
      waits += 1;
    }
    expect(isAligned).toBe(false);
    await slow.query('commit');
    await running;
    expect(await db.missing()).toEqual([]);
    const sum = (50 * 51) / 2 - 35 - 2;
    expect(await sums(db)).toEqual({ sum: sum.toFixed(4), n: 50, touched: 0 });
  });
});

describe('a run that is killed', () => {
  const ROWS = 12_000;
  const small = { rows: 0, bytes: 0 };

  /** Runs the steps until this says so; then the program sends nothing more, and the server ends its session. */
  async function kill(
    db: Aligning,
    isTime: (event: 'held' | 'rows', count: number) => boolean,
  ): Promise<void> {
    const session = await openSession(db.url);
    const { steps } = await db.plan({ small });
    const counts = { held: 0, rows: 0 };
    const at = (event: 'held' | 'rows'): void => {
      counts[event] += 1;
      if (isTime(event, counts[event])) throw new Error('killed');
    };
    const run = async (): Promise<void> => {
      for (const step of steps) await step.run({ session, tell: () => at('rows'), held: () => at('held') });
    };
    await expect(run()).rejects.toThrow('killed');
    await db.client.query('select pg_terminate_backend($1)', [session.processId]);
  }

  it.each([
    ['before the first batch', (event: string) => event === 'held'],
    ['between batches', (event: string, count: number) => event === 'rows' && count === 2],
    ['behind the last batch', (event: string, count: number) => event === 'rows' && count === 7],
    ['when the copies were validated', (event: string, count: number) => event === 'held' && count === 3],
  ])('%s is gone on with, and leaves nothing', async (_, isTime) => {
    const db = await aligning(await target, usersOf('numeric(20,8)', ROWS));
    await kill(db, isTime);
    expect(await temporaries(db.client)).not.toEqual([]);
    await db.client.query('update users set balance = balance - 1 where id <= 100');
    await db.align({ small });
    expect(await sums(db)).toEqual({ sum: ((ROWS * (ROWS + 1)) / 2 - 100).toFixed(4), n: ROWS, touched: 0 });
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('is cleared away where the column was changed by hand since', async () => {
    const db = await aligning(await target, usersOf('numeric(20,8)', ROWS));
    await kill(db, (event, count) => event === 'rows' && count === 2);
    await db.client.query('alter table users alter balance type numeric(22,10)');
    const { steps } = await db.align({ small });
    expect(steps).toHaveLength(1);
    expect(await temporaries(db.client)).toEqual([]);
  });
});
