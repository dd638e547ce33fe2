import { describe, expect, it } from '@jest/globals';
import { aligning, idsOf, openClient, temporaries, wanted } from './fixtures/aligning.ts';

const PARENTS =
  'create table users (id bigint primary key); create table plans (id bigint primary key, code text unique)';
const CHILD = `create table keys (id bigint primary key, user_id bigint, plan_id bigint, n int)`;
const TARGET = `${PARENTS}; ${CHILD};
  alter table keys add constraint keys_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    add constraint keys_plan_id_fkey foreign key (plan_id) references plans (id) on delete set null,
    add constraint keys_n check (n > 0)`;
const ROWS =
  'insert into users values (1); insert into plans values (2); insert into keys values (1, 1, 2, 3), (2, null, null, null)';

describe('foreign keys and checks', () => {
  it('are added for new rows first, and validated while everybody works', async () => {
    const db = await aligning(await wanted(TARGET), `${PARENTS}; ${CHILD}; ${ROWS}`);
    expect(idsOf(await db.align())).toEqual([
      'constraint public.keys.keys_n: add',
      'constraint public.keys.keys_plan_id_fkey: add',
      'constraint public.keys.keys_user_id_fkey: add',
    ]);
    expect(db.held.map(({ table, lock }) => `${table} ${lock}`).toSorted()).toEqual([
      'public.keys ACCESS EXCLUSIVE',
      'public.keys SHARE ROW EXCLUSIVE',
      'public.keys SHARE ROW EXCLUSIVE',
      'public.plans SHARE ROW EXCLUSIVE',
      'public.users SHARE ROW EXCLUSIVE',
    ]);
  });

  it('take the place of those with another action, of whatever name', async () => {
    const db = await aligning(
      await wanted(TARGET),
      `${PARENTS}; ${CHILD}; ${ROWS};
      alter table keys add constraint keys_user_id_fkey foreign key (user_id) references users (id),
        add constraint fk_plans_keys foreign key (plan_id) references plans (id) on update cascade,
        add constraint keys_n check (n > 1)`,
    );
    const { used } = await db.align();
    expect(used).toEqual(['constraint public.keys.fk_plans_keys']);
    const { rows } = await db.client.query(
      `select conname from pg_constraint where conrelid = 'keys'::regclass and contype in ('f', 'c') order by 1`,
    );
    expect(rows.map(({ conname }) => conname)).toEqual(['keys_n', 'keys_plan_id_fkey', 'keys_user_id_fkey']);
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('are renamed where they are the same, and validated where they were not', async () => {
    const db = await aligning(
      await wanted(TARGET),
      `${PARENTS}; ${CHILD}; ${ROWS};
      alter table keys add constraint fk_users_keys foreign key (user_id) references users (id) on delete cascade,
        add constraint keys_plan_id_fkey foreign key (plan_id) references plans (id) on delete set null not valid,
        add constraint chk_n check (n > 0)`,
    );
    expect(idsOf(await db.align())).toEqual([
      'constraint public.keys.keys_n: rename',
      'constraint public.keys.keys_plan_id_fkey: add',
      'constraint public.keys.keys_user_id_fkey: rename',
    ]);
  });

  it('go on where a run was broken off between adding and exchanging', async () => {
    const db = await aligning(
      await wanted(TARGET),
      `${PARENTS}; ${CHILD}; ${ROWS};
      alter table keys add constraint keys_user_id_fkey foreign key (user_id) references users (id),
        add constraint tombstone_adopt_keys_user_id_fkey foreign key (user_id) references users (id) on delete cascade not valid,
        add constraint tombstone_adopt_keys_old foreign key (user_id) references users (id)`,
    );
    const ids = idsOf(await db.align());
    expect(ids[0]).toBe('clear constraint public.keys.tombstone_adopt_keys_old');
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('leave nothing behind that refuses rows when orphans stand against them', async () => {
    const db = await aligning(await wanted(TARGET), `${PARENTS}; ${CHILD}; insert into keys values (1, 7)`);
    const { steps } = await db.plan();
    const step = steps.filter(({ id }) => id.includes('user_id_fkey'));
    await expect(db.run(step)).rejects.toMatchObject({
      code: 'MIGRATION.FAILED',
      details: { sqlState: '23503' },
    });
    await db.client.query('insert into keys values (2, 8)');
  });

  it('are not taken from under a key that others need', async () => {
    const db = await aligning(
      await wanted(
        'create table p (id int primary key, a int); create unique index p_a on p (a) where a > 0; create table c (a int)',
      ),
      'create table p (id int primary key, a int, constraint uni_p_a unique (a)); create table c (a int references p (a))',
    );
    const { blockers } = await db.plan();
    expect(blockers.map(({ object }) => object)).toEqual(['public.p.uni_p_a']);
    expect(blockers[0]?.text).toContain('c.c_a_fkey');
  });
});

describe('a lock that does not come', () => {
  it('is asked for again, and then told with those who hold the table', async () => {
    const db = await aligning(await wanted('create table t (a int default 1)'), 'create table t (a int)');
    const other = await openClient(db.url);
    await other.query('begin; select from t');
    const { steps } = await db.plan();
    const context = {
      session: db.session,
      timeouts: { lockMs: 20, attempts: 3, backOffMs: 1 },
      tell: () => undefined,
      held: () => undefined,
    };
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    await expect(steps[0]?.run(context)).rejects.toMatchObject({
      code: 'MIGRATION.LOCK_TIMEOUT',
      message: expect.stringContaining(`pid ${rows[0]?.pid}`),
    });
    await other.query('commit');
    await steps[0]?.run(context);
    expect(await db.missing()).toEqual([]);
  });
});

describe('what no step can settle', () => {
  it.each([
    [
      'a table that is divided',
      'create table t (id int) partition by range (id)',
      'create table t (id int)',
      'table public.t',
    ],
    [
      'another primary key',
      'create table t (id int not null, b int, constraint t_pkey primary key (id))',
      'create table t (id int, b int not null, constraint t_key primary key (b))',
      'constraint public.t.t_pkey',
    ],
    [
      'an identity',
      'create table t (id int generated always as identity)',
      'create table t (id serial)',
      'column public.t.id',
    ],
    [
      'a generated column',
      'create table t (id int, b int generated always as (id * 2) stored)',
      'create table t (id int, b int)',
      'column public.t.b',
    ],
    [
      'a sequence of another type',
      'create table t (id bigserial)',
      'create table t (id bigint); create sequence t_id_seq as int owned by t.id; alter table t alter id set not null, alter id set default nextval($$t_id_seq$$)',
      'sequence public.t_id_seq',
    ],
    [
      'a function with another body',
      `create function f() returns int language sql as 'select 1'`,
      `create function f() returns int language sql as 'select 2'`,
      'function public.f()',
    ],
    [
      'a type without a rule',
      'create table t (id timestamptz)',
      'create table t (id text)',
      'column public.t.id',
    ],
    [
      'a column of a view',
      'create table t (id text); create view v as select id from t',
      'create table t (id varchar(9)); create view v as select id from t',
      'column public.t.id',
    ],
  ])('%s is told with both sides', async (_, target, live, object) => {
    const db = await aligning(await wanted(target), live);
    const { blockers } = await db.plan();
    expect(blockers[0]?.text).toContain(`${object}\n  expected   `);
    expect(blockers[0]?.text).toContain('\n  actual     ');
  });
});

describe('programs', () => {
  it('makes functions, triggers, views, types, sequences, comments and rights that are missing', async () => {
    const base = 'create table t (id int, deleted boolean, n bigint not null)';
    const target = await wanted(`create schema s; create type mood as enum ('sad', 'ok'); ${base};
      create sequence free increment 2; create sequence t_n_seq owned by t.n; alter table t alter n set default nextval('t_n_seq');
      create function touch() returns trigger language plpgsql security definer set search_path to 'public' as 'begin return new; end';
      revoke execute on function touch() from public;
      create trigger touched before update on t for each row execute function touch();
      create trigger quiet before update on t for each row execute function touch(); alter table t disable trigger quiet;
      create view b as select id from t; create view a as select id from b; comment on column t.id is 'it''s an id';
      create materialized view m as select count(*) from t; alter table t add m mood default 'ok'`);
    const db = await aligning(target, `${base}; insert into t values (1, true, 41)`);
    await db.align();
    await db.client.query('insert into t (id) values (2)');
    expect((await db.client.query('select n::int from t order by n')).rows).toEqual([{ n: 41 }, { n: 42 }]);
  });
});
