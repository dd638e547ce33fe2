import { describe, expect, it } from '@jest/globals';
import { aligning, idsOf, temporaries, wanted } from './fixtures/aligning.ts';

const USERS = `create table users (id bigserial primary key, email text not null, balance numeric(20,8) not null default 0, deleted_at timestamptz)`;

describe('tables and columns', () => {
  it('makes a table with its columns in order, its sequence, constraints and indexes, and those that refer to each other', async () => {
    const target = await wanted(`${USERS};
      create table keys (zeta int not null, id bigserial primary key, user_id bigint not null references users (id) on delete cascade,
        key varchar(128) not null, constraint keys_key_key unique (key), constraint keys_zeta check (zeta > 0));
      create index keys_user on keys (user_id) where zeta > 1;
      create table uses (id int generated always as identity, key_id bigint references keys, last_id bigint);
      create table ring (id bigint primary key, use_id bigint);
      alter table keys add ring_id bigint references ring;
      alter table ring add key_id bigint references keys`);
    const db = await aligning(target, USERS);
    const { used } = await db.align();
    expect(used).toEqual([]);
    const { rows } = await db.client.query(
      `select string_agg(attname, ' ' order by attnum) as columns from pg_attribute where attrelid = 'keys'::regclass and attnum > 0`,
    );
    expect(rows).toEqual([{ columns: 'zeta id user_id key ring_id' }]);
    expect((await db.plan()).steps).toEqual([]);
  });

  it('adds columns, with defaults that no row is written for', async () => {
    const target =
      await wanted(`create table t (id int primary key, a int not null default 5, b timestamptz not null default now(), c text,
      d int generated always as (id * 2) stored)`);
    const db = await aligning(target, 'create table t (id int primary key); insert into t values (1), (2)');
    expect(idsOf(await db.align())).toEqual([
      'column public.t.a: add',
      'column public.t.b: add',
      'column public.t.c: add',
      'column public.t.d: add',
    ]);
    expect(db.held.every(({ lock }) => lock === 'ACCESS EXCLUSIVE')).toBe(true);
    expect((await db.client.query('select id, a, c, d from t')).rows).toEqual([
      { id: 1, a: 5, c: null, d: 2 },
      { id: 2, a: 5, c: null, d: 4 },
    ]);
  });

  it('refuses a column that nothing tells the values of, and one that would rewrite a large table', async () => {
    const target = await wanted(
      'create table t (id int primary key, a int not null, b uuid default gen_random_uuid())',
    );
    const db = await aligning(target, 'create table t (id int primary key); insert into t values (1)');
    const { steps, blockers } = await db.plan({ small: { rows: 0, bytes: 0 } });
    expect(steps).toEqual([]);
    expect(blockers.map(({ kind, object }) => `${kind} ${object}`)).toEqual([
      'shape public.t.a',
      'shape public.t.b',
    ]);
    await db.client.query('truncate t');
    await db.align({ small: { rows: 0, bytes: 0 } });
  });

  it('changes defaults, and fills and forbids NULL', async () => {
    const target = await wanted(
      `create table t (id int primary key, a int not null default 5, b int default 6, c int, d text)`,
    );
    const db = await aligning(
      target,
      `create table t (id int primary key, a int, b int, c int default 7, d text not null);
      insert into t select n, nullif(n % 3, 0), n, n, 'x' from generate_series(1, 5000) n`,
    );
    const alignment = await db.align({ small: { rows: 0, bytes: 0 } });
    expect(idsOf(alignment)).toEqual([
      'column public.t.a: change the default',
      'column public.t.a: fill',
      'column public.t.a: forbid NULL',
      'column public.t.b: change the default',
      'column public.t.c: change the default',
      'column public.t.d: allow NULL',
    ]);
    expect((await db.client.query('select sum(a)::int as sum, count(*)::int as n from t')).rows).toEqual([
      { sum: 1667 + 2 * 1667 + 5 * 1666, n: 5000 },
    ]);
    expect(
      db.events.filter(({ type }) => type === 'adoption-rows').map((event) => 'rows' in event && event.rows),
    ).toEqual([2000, 4000, 5000, 2000, 4000, 5000]);
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('leaves no check behind when NULLs stand against it and nothing fills them', async () => {
    const target = await wanted('create table t (id int primary key, a int not null)');
    const db = await aligning(target, 'create table t (id int primary key, a int); insert into t values (1)');
    const { steps } = await db.plan();
    await expect(db.run(steps)).rejects.toMatchObject({
      code: 'MIGRATION.FAILED',
      details: { sqlState: '23514' },
    });
    expect(await temporaries(db.client)).toEqual([]);
  });
});

describe('indexes and uniques', () => {
  const TARGET = `${USERS};
    create unique index users_email_unique_active on users (email) where deleted_at is null;
    create index users_balance on users (balance desc) include (id);
    create table keys (id bigserial primary key, key text, code text, constraint keys_key_key unique (key));
    create unique index keys_code on keys (lower(code))`;

  it('builds what is missing, concurrently', async () => {
    const db = await aligning(
      await wanted(TARGET),
      `${USERS}; create table keys (id bigserial, key text, code text);`,
    );
    expect(idsOf(await db.align())).toEqual(
      [
        'constraint public.keys.keys_key_key: add',
        'constraint public.keys.keys_pkey: add',
        'index public.users_email_unique_active: build',
        'index public.keys_code: build',
        'index public.users_balance: build',
      ].toSorted((a, b) => order(a) - order(b)),
    );
    expect(await temporaries(db.client)).toEqual([]);
  });

  const order = (id: string): number =>
    ['keys_key_key', 'keys_pkey', 'keys_code', 'users_email', 'users_balance'].findIndex((part) =>
      id.includes(part),
    );

  it('takes what is the same under another name, and drops what refuses rows that ours allow', async () => {
    const db = await aligning(
      await wanted(TARGET),
      `${USERS}; create table keys (id bigserial, key text, code text, constraint other_pkey primary key (id));
      create unique index idx_keys_key on keys (key);
      create unique index idx_code on keys (lower(code));
      alter table users add constraint uni_users_email unique (email);
      create index idx_balance on users (balance desc) include (id)`,
    );
    const { steps, used } = await db.align();
    expect(used.toSorted()).toEqual([
      'constraint public.keys.other_pkey',
      'constraint public.users.uni_users_email',
      'index public.idx_balance',
      'index public.idx_code',
      'index public.idx_keys_key',
    ]);
    expect(steps.at(-1)?.id).toBe('constraint public.users.uni_users_email: drop');
    const { rows } = await db.client.query(
      `select indexrelid::regclass::text as name from pg_index where indrelid in ('users'::regclass, 'keys'::regclass) order by 1`,
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'keys_code',
      'keys_key_key',
      'keys_pkey',
      'users_balance',
      'users_email_unique_active',
      'users_pkey',
    ]);
  });

  it('replaces an index of the same name and a constraint that should be an index', async () => {
    const db = await aligning(
      await wanted(
        `${USERS}; create unique index users_email on users (email); create index users_balance on users (balance)`,
      ),
      `${USERS}; alter table users add constraint users_email unique (email); create index users_balance on users (id)`,
    );
    const { used } = await db.align();
    expect(used).toEqual(['constraint public.users.users_email']);
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('drops and rebuilds what a build that was broken off has left', async () => {
    const db = await aligning(await wanted(TARGET), TARGET);
    await db.client.query(
      `update pg_index set indisvalid = false where indexrelid = 'users_balance'::regclass`,
    );
    expect(idsOf(await db.align())).toEqual(['index public.users_balance: build']);
  });

  it('leaves no invalid index behind when rows stand against it', async () => {
    const db = await aligning(
      await wanted('create table t (a int); create unique index t_a on t (a)'),
      'create table t (a int); insert into t values (1), (1)',
    );
    const { steps } = await db.plan();
    await expect(db.run(steps)).rejects.toMatchObject({
      code: 'MIGRATION.FAILED',
      details: { sqlState: '23505' },
    });
    expect((await db.client.query(`select from pg_index where indrelid = 't'::regclass`)).rows).toEqual([]);
  });
});
