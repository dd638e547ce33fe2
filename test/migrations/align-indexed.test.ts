import { describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import {
  aligning,
  type Aligning,
  dieAt,
  openClient,
  openSession,
  temporaries,
  wanted,
} from './fixtures/aligning.ts';

const small = { rows: 0, bytes: 0 };

const LOGS = (type: string): string => `
  create table logs (id bigserial primary key, model ${type} not null, at timestamptz not null default now(), cost int not null default 0, "User" bigint, gone timestamptz);
  create index logs_model on logs (model);
  create index logs_model_at on logs (model, at);
  create index logs_at_model on logs (at desc, model desc nulls last) with (fillfactor = 70);
  create index logs_pattern on logs (model text_pattern_ops, "User");
  create index logs_c on logs (model collate "C");
  create index logs_hash on logs using hash (model);
  create index logs_upper on logs ((cost + 1), model);
  create index "Logs live" on logs ("User", model) where gone is null;
  create unique index logs_covering on logs (id) include (model, cost);
  create unique index logs_unique on logs (model, id) where cost >= 0;
  alter table logs add constraint logs_key unique (id, model) deferrable initially deferred;
  comment on index logs_model is 'it''s kept';
  comment on constraint logs_key on logs is 'this too';
  alter table logs cluster on logs_model_at;`;
const filled = (rows: number): string =>
  `${LOGS('text')} insert into logs (model, "User") select 'model ' || n % 100, n % 7 from generate_series(1, ${rows}) n; analyze logs`;
const target = wanted(LOGS('varchar(100)'));

/** Writes rows and counts them, until it is told to stop. */
async function write(
  url: string,
  me: number,
  rows: number,
  isDone: () => boolean,
): Promise<[number, number]> {
  const client = await openClient(url);
  let [changed, added] = [0, 0];
  while (!isDone()) {
    const id = 1 + Math.floor(Math.random() * rows);
    await client.query(`update logs set model = $2, cost = cost + 1 where id = $1`, [id, `by ${me}`]);
    changed += 1;
    await client.query(`insert into logs (model, "User") values ('new', $1)`, [me]);
    added += 1;
  }
  return [changed, added];
}

async function nodes(client: Client): Promise<unknown> {
  return (await client.query(`select pg_relation_filenode('logs') as node`)).rows;
}

/** Rows as the table has them, and as its index has them. */
async function counts({ client }: Aligning): Promise<unknown[]> {
  const sql = `select count(*)::int as n, sum(cost)::int as cost, count(*) filter (where model = 'new')::int as added,
    count(*) filter (where model ~ '^by [1-4]$')::int = count(*) filter (where cost > 0)::int as same from logs`;
  await client.query(
    'set enable_indexscan to off; set enable_bitmapscan to off; set enable_indexonlyscan to off',
  );
  const { rows } = await client.query(sql);
  await client.query('reset all; set enable_seqscan to off');
  const { rows: found } = await client.query(`select count(*)::int as added from logs where model = 'new'`);
  return [...rows, ...found];
}

describe('a column of a large table that stands in indexes', () => {
  const ROWS = 30_000;

  it('gets another type with them while programs write, also when the run is killed before the exchange', async () => {
    const db = await aligning(await target, filled(ROWS));
    const before = await nodes(db.client);
    let isDone = false;
    const writers = [1, 2, 3, 4].map((me) => write(db.url, me, ROWS, () => isDone));
    const { steps, blockers } = await db.plan({ small });
    expect(blockers).toEqual([]);
    expect(steps.map(({ id }) => id)).toEqual(['column public.logs.model: change the type']);
    const session = await openSession(db.url);
    const killed = new Proxy(session, {
      get(from, property) {
        const value: unknown = Reflect.get(from, property, from);
        if (typeof value !== 'function') return value;
        return (...values: unknown[]): unknown => {
          if (String(values[0]).includes('DROP TRIGGER tombstone_adopt_model ON')) throw new Error('killed');
          return value.apply(from, values);
        };
      },
    });
    const context = { session: killed, tell: () => undefined, held: () => undefined };
    await expect(steps[0]?.run(context)).rejects.toThrow('killed');
    await db.client.query('select pg_terminate_backend($1)', [session.processId]);
    // All are built.
    expect((await temporaries(db.client)).filter((name) => /logs/i.test(name)).length).toBeGreaterThanOrEqual(
      11,
    );
    await db.align({ small });
    isDone = true;
    const done = await Promise.all(writers);
    const [changed, added] = [0, 1].map((at) => done.reduce((sum, each) => sum + (each[at] ?? 0), 0));
    expect(changed).toBeGreaterThan(100);
    expect(await db.missing()).toEqual([]);
    const known = `select from pg_stats where tablename = 'logs' and attname = 'model'`;
    expect((await db.client.query(known)).rowCount).toBe(1);
    expect(await nodes(db.client)).toEqual(before);
    expect(await counts(db)).toEqual([
      { n: ROWS + (added ?? 0), cost: changed, added, same: true },
      { added },
    ]);
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('is finished whatever statement the run was killed before', async () => {
    const db = await aligning(await target, filled(50));
    let at = 0;
    for (; await dieAt(db, at, { small }); at += 1) {
      await db.align({ small });
      expect([at, await temporaries(db.client)]).toEqual([at, []]);
      await db.client.query(`drop schema public cascade; create schema public; ${filled(50)}`);
    }
    expect(at).toBeGreaterThan(15);
  });

  it('leaves nothing of a broken run where the type was changed by hand since', async () => {
    const db = await aligning(await target, filled(50));
    for (let at = 0; (await temporaries(db.client)).every((name) => !name.includes('logs')); at += 1) {
      await dieAt(db, at, { small });
      expect(at).toBeLessThan(30);
    }
    await db.client.query('alter table logs alter model type varchar(100)');
    const { steps } = await db.align({ small });
    expect(steps.map(({ id }) => id.split(' ')[0])).toEqual(['clear']);
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('is refused where a row comes that the new type would cut, and the row is as it was written', async () => {
    const db = await aligning(await target, filled(50));
    const { steps } = await db.plan({ small });
    const long = 'x'.repeat(101);
    // Behind the trigger: the rows that stand in the way were counted before.
    let written: Promise<unknown> | undefined;
    const held = (): void => {
      written ??= db.client.query('update logs set model = $1 where id = 50', [long]);
    };
    const context = { session: db.session, tell: () => undefined, held };
    await expect(steps[0]?.run(context)).rejects.toMatchObject({
      code: 'MIGRATION.FAILED',
      message: expect.stringContaining('Rows stand against it'),
    });
    await written;
    const { rows } = await db.client.query('select model from logs where id = 50');
    expect(rows).toEqual([{ model: long }]);
    await db.client.query(`update logs set model = 'short' where id = 50`);
    await db.align({ small });
    expect(await temporaries(db.client)).toEqual([]);
  });
});

describe('an index that cannot be made over another column', () => {
  it.each([
    ['its predicate names the column', `create index i on t (id) where v > 0`, 'The index public.i names it'],
    ['it is over an expression', `create index i on t (id, (v + 1))`, 'The index public.i names it'],
    [
      'its predicate names the column that is a key of it too',
      `create index i on t (v) where v > 0`,
      'The index public.i names it in an expression or in its predicate.',
    ],
    [
      'a foreign key relies on it',
      `create unique index i on t (id) include (v); create table c (id bigint references t (id)); alter table t drop constraint t_pkey cascade; alter table c add foreign key (id) references t (id)`,
      'The index public.i is what foreign keys rely on.',
    ],
    [
      'replication uses it',
      `create unique index i on t (id) include (v); alter table t replica identity using index i`,
      'The index public.i is what replication tells the rows of the table by.',
    ],
    ['it is of an exclusion', `alter table t add constraint i exclude (v with =)`, 'used by constraint i'],
    [
      'it belongs to the primary key',
      `alter table t drop constraint t_pkey; alter table t add primary key (id, v)`,
      'used by constraint t_pkey',
    ],
  ])('is a reason to refuse: %s', async (_, sql, text) => {
    const of = (type: string): string =>
      `create table t (id bigint primary key, v ${type} not null); ${sql}; insert into t values (1, 1)`;
    const db = await aligning(await wanted(of('numeric(22,10)')), of('numeric(20,8)'));
    const { blockers } = await db.plan({ small });
    expect(blockers.map((blocker) => blocker.object)).toEqual(['public.t.v']);
    expect(blockers[0]?.text).toContain(text);
  });

  it('is one whose operators do not take the new type', async () => {
    const of = (type: string): string =>
      `create table t (id bigint primary key, v ${type}); create index i on t (v ${type === 'int' ? 'int4' : 'int8'}_ops)`;
    // The default of the one becomes the default of the other.
    const db = await aligning(await wanted(of('bigint')), `${of('int')}; insert into t values (1, 1)`);
    expect((await db.align({ small })).blockers).toEqual([]);
    const pattern = (type: string): string =>
      `create table t (id bigint primary key, v ${type}); create index i on t (v varchar_pattern_ops)`;
    const other = await aligning(
      await wanted(pattern('varchar(9)')),
      `${pattern('text')}; insert into t values (1, 1)`,
    );
    expect((await other.align({ small })).blockers).toEqual([]);
  });

  it('is one whose chosen operators are those of the old type', async () => {
    const of = (type: string, operators: string): string =>
      `create table t (id bigint primary key, v ${type}); create index i on t using brin (v ${operators})`;
    const db = await aligning(
      await wanted(of('bigint', 'int8_minmax_multi_ops')),
      `${of('int', 'int4_minmax_multi_ops')}; insert into t values (1, 1)`,
    );
    const { blockers } = await db.plan({ small });
    expect(blockers[0]?.text).toContain(
      'The index public.i has an operator class that does not take bigint.',
    );
  });

  it('stops the change also when it comes behind the plan', async () => {
    const db = await aligning(await target, filled(50));
    const { steps } = await db.plan({ small });
    await db.client.query(`create index late on logs (id) where model <> ''`);
    await expect(db.run(steps)).rejects.toMatchObject({
      code: 'MIGRATION.FAILED',
      message: expect.stringContaining('public.late has come since'),
    });
    await db.client.query('drop index late');
    await db.align({ small });
    expect(await temporaries(db.client)).toEqual([]);
  });
});
