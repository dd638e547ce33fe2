import { describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { typeChange } from '../../src/kit/migrations/adopt/align/type-change.ts';
import { aligning, idsOf, temporaries, wanted } from './fixtures/aligning.ts';

const BRIEF: readonly (readonly [from: string, to: string, value: string])[] = [
  ['varchar(20)', 'varchar(50)', `'a'`],
  ['varchar(20)', 'varchar', `'a'`],
  ['varchar(20)', 'text', `'a'`],
  ['varchar(20) collate "C"', 'varchar(50) collate "C"', `'a'`],
  ['text', 'varchar', `'a'`],
  ['numeric(20,8)', 'numeric(22,8)', '1.5'],
  ['numeric(20,8)', 'numeric', '1.5'],
  ['timestamptz(3)', 'timestamptz', 'now()'],
  ['timestamp(3)', 'timestamp(6)', 'now()'],
  ['time(0)', 'time(3)', 'now()::time'],
];

const COPIED: readonly (readonly [from: string, to: string, value: string])[] = [
  ['numeric(20,8)', 'numeric(22,10)', `'12'`],
  ['int', 'bigint', `'12'`],
  ['bigint', 'numeric(20,0)', `'12'`],
  ['numeric(20,0)', 'bigint', `'12'`],
  ['text', 'varchar(9)', `'12'`],
  ['text collate "C"', 'varchar(9) collate "C"', `'12'`],
  ['bigint', 'int', `'12'`],
  ['double precision', 'numeric(20,10)', `'12'`],
  ['json', 'jsonb', `'{"a": 1}'`],
  ['timestamptz', 'timestamptz(3)', `'2020-01-01'`],
];

const tables = (table: (at: number) => string, { length }: readonly unknown[]): string =>
  Array.from({ length }, (_, at) => table(at)).join('; ');

async function nodes({ client }: { readonly client: Client }): Promise<unknown> {
  const { rows } = await client.query(
    `select relname, pg_relation_filenode(oid) as node from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i') order by 1`,
  );
  return rows;
}

describe('changes of type', () => {
  const large = { rows: 0, bytes: 0 };

  it('change the catalogue only where the server does', async () => {
    const table = (at: number, type: string): string =>
      `create table t${at} (id int primary key, v ${type}); create index t${at}_v on t${at} (v)`;
    const target = await wanted(tables((at) => table(at, BRIEF[at]?.[1] ?? ''), BRIEF));
    const db = await aligning(
      target,
      tables(
        (at) => `${table(at, BRIEF[at]?.[0] ?? '')}; insert into t${at} values (1, ${BRIEF[at]?.[2]})`,
        BRIEF,
      ),
    );
    const before = await nodes(db);
    const { steps } = await db.align({ small: large });
    expect(steps.map(({ text }) => text.split(': ')[1])).toEqual(BRIEF.map(() => 'no row is read'));
    expect(await nodes(db)).toEqual(before);
  });

  it.each([
    ['go by a second column in a large table', large, 'batches and takes its place'],
    ['are made at once in a small one', undefined, 'rewritten'],
  ])('%s', async (_, small, how) => {
    const table = (at: number, type: string): string =>
      `create table t${at} (id int primary key, v ${type} not null default ${COPIED[at]?.[2]}, w int)`;
    const target = await wanted(tables((at) => table(at, COPIED[at]?.[1] ?? ''), COPIED));
    const db = await aligning(
      target,
      tables(
        (at) =>
          `${table(at, COPIED[at]?.[0] ?? '')}; insert into t${at} (id, w) values (1, 2), (2, 3); comment on column t${at}.v is 'kept'`,
        COPIED,
      ),
    );
    const { steps } = await db.align({ small });
    expect(steps.filter(({ text }) => text.endsWith(how))).toHaveLength(COPIED.length);
    for (const [at, [, to, value]] of COPIED.entries()) {
      const { rows } = await db.client.query(
        `select v = (${value})::${to} as same, w, col_description('t${at}'::regclass, attnum) as comment from t${at}, pg_attribute where attrelid = 't${at}'::regclass and attname = 'v' order by id`,
      );
      expect([to, rows]).toEqual([
        to,
        [
          { same: true, w: 2, comment: 'kept' },
          { same: true, w: 3, comment: 'kept' },
        ],
      ]);
    }
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('count what would be lost, and only that', async () => {
    const db = await aligning(await wanted('select 1'), 'select 1');
    const cases: [from: string, to: string, fits: string, lost: string][] = [
      ['numeric(20,8)', 'numeric(10,4)', '999999.1234', '1.00001'],
      ['numeric(20,8)', 'numeric(10,4)', '-999999.9999', '1000000'],
      ['numeric', 'numeric(10,4)', '1', `'NaN'`],
      ['double precision', 'numeric(20,10)', '0.1', `'Infinity'`],
      ['bigint', 'integer', '2147483647', '2147483648'],
      ['numeric', 'bigint', '5.0', '5.5'],
      ['text', 'character varying(3)', `'äöü'`, `'abcd'`],
      [
        'timestamp with time zone',
        'timestamp(0) with time zone',
        `'2020-01-01 00:00:01'`,
        `'2020-01-01 00:00:01.5'`,
      ],
      ['json', 'jsonb', `'{"a": 1}'`, `'"\\u0000"'`],
    ];
    for (const [from, to, fits, lost] of cases) {
      const sql = typeChange(from, to)?.isLost?.('v') ?? 'null';
      const { rows } = await db.client.query<{ lost: boolean }>(
        `select ${sql} as lost from (values (1, ${fits}::${from}), (2, ${lost}::${from})) x (n, v) order by n`,
      );
      expect([from, to, ...rows.map((row) => row.lost)]).toEqual([from, to, false, true]);
    }
    expect(typeChange('text', 'integer')).toBeUndefined();
    expect(typeChange('timestamp without time zone', 'timestamp with time zone')).toBeUndefined();
  });

  it('are refused where a row comes behind the count that would be cut', async () => {
    const db = await aligning(
      await wanted('create table t (id int primary key, v varchar(3))'),
      `create table t (id int primary key, v text); insert into t values (1, 'a')`,
    );
    const { steps } = await db.plan();
    await db.client.query(`insert into t values (2, 'abcd')`);
    await expect(db.run(steps)).rejects.toThrow('Rows stand against it');
    expect((await db.client.query('select v from t order by id')).rows).toEqual([{ v: 'a' }, { v: 'abcd' }]);
    await db.client.query('delete from t where id = 2');
    await db.align();
    expect(await temporaries(db.client)).toEqual([]);
  });

  it('are refused where something hangs on the column that a second column would lose', async () => {
    const of = (
      type: string,
    ): string => `create table t (id int primary key, a ${type} check (a > 0), b ${type}, c ${type}, d ${type}, e ${type});
      create index t_b on t (id) where b > 0; create view v as select c from t; create function f() returns trigger language plpgsql as 'begin return new; end';
      create trigger f before update of d on t for each row execute function f(); grant select (e) on t to public`;
    const db = await aligning(await wanted(of('numeric(22,10)')), of('numeric(20,8)'));
    const { blockers } = await db.plan({ small: { rows: 0, bytes: 0 } });
    expect(blockers.map(({ object, text }) => `${object} ${text.split('\n').at(-1)?.split('.')[0]}`)).toEqual(
      [
        'public.t.a It is used by constraint t_a_check on table public',
        'public.t.b The index public',
        'public.t.c It is used by rule _RETURN on view v',
        'public.t.d It is used by trigger f on table t',
        'public.t.e There are rights on the column alone',
      ].map((line) => line.replace(' on table public', ' on table t')),
    );
    // A small one is rewritten with its index and check.
    expect((await db.plan()).blockers.map(({ object }) => object)).toEqual(['public.t.c', 'public.t.d']);
    expect(idsOf(await db.plan())).toContain('column public.t.a: change the type');
  });

  it('are refused where a foreign key would have a large table read', async () => {
    const of = (type: string): string =>
      `create table p (id ${type} primary key); create table c (id bigint primary key, p_id bigint references p)`;
    const db = await aligning(
      await wanted(of('bigint')),
      `${of('int')}; insert into p values (1); insert into c select n, 1 from generate_series(1, 50) n; analyze`,
    );
    const { blockers } = await db.plan({ small: { rows: 10, bytes: 1e9 } });
    expect(blockers.map(({ object, text }) => `${object} ${text.split('\n').at(-1)?.split('.')[0]}`)).toEqual(
      ['public.p.id It is used by constraint c_p_id_fkey on table c'],
    );
    await db.align();
  });

  it('do not fire the triggers of the table for the copying, and are refused where one would change the value later', async () => {
    const of = (
      type: string,
    ): string => `create table t (id int primary key, v ${type}, updated int default 0);
      create function touch() returns trigger language plpgsql as 'begin new.updated := new.updated + 1; return new; end';
      create trigger touch before update on t for each row execute function touch()`;
    const target = await wanted(of('numeric(22,10)'));
    const db = await aligning(target, `${of('numeric(20,8)')}; insert into t values (1, 5)`);
    const { blockers } = await db.plan({ small: { rows: 0, bytes: 0 } });
    expect(blockers[0]?.text).toContain('The trigger touch may change its value after it was copied.');
    const renamed = of('numeric(20,8)').replace('create trigger touch', 'create trigger a_touch');
    const other = await aligning(
      await wanted(renamed.replace('numeric(20,8)', 'numeric(22,10)')),
      `${renamed}; insert into t values (1, 5)`,
    );
    await other.align({ small: { rows: 0, bytes: 0 } });
    expect((await other.client.query('select updated from t')).rows).toEqual([{ updated: 0 }]);
    await other.client.query('update t set v = 6');
    expect((await other.client.query('select updated from t')).rows).toEqual([{ updated: 1 }]);
  });
});
