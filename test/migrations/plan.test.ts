import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { parseMigration, type PlanOptions } from 'tombstone/migrations';
import { loadParser, treesOf } from '../../src/kit/migrations/lint/build.ts';
import { effectOf, LOCK_MODES, locksOf } from '../../src/kit/migrations/lint/locks.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { refusal, setup } from './fixtures/shop.ts';

const SCHEMA = `
create table t (id int primary key, a int, b int, u_id int);
create table u (id int primary key);
create unique index t_a on t (a);
create table p (k int) partition by list (k);
create table p1 partition of p for values in (1);
create table p2 (k int);
create materialized view m as select 1 as one;
create unique index m_one on m (one);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert on t for each row execute function f();
alter table t add constraint later check (b > 0) not valid;
insert into t select n, n, n, null from generate_series(1, 10) n;
`;

const STATEMENTS = [
  'create index i on t (b)',
  'alter table t add c int',
  'alter table t add c uuid default gen_random_uuid()',
  'alter table t add foreign key (u_id) references u (id)',
  'alter table t add foreign key (u_id) references u (id) not valid',
  'alter table t add check (a > 0)',
  'alter table t add check (a > 0) not valid',
  'alter table t validate constraint later',
  'alter table t add unique using index t_a',
  'alter table t alter b set not null',
  'alter table t alter b type bigint',
  'alter table t alter b set statistics 10',
  'alter table t set (fillfactor = 90)',
  'alter table t disable trigger g',
  'alter table t rename a to z',
  'alter table t rename to z',
  'alter table p attach partition p2 for values in (2)',
  'alter table p detach partition p1',
  'create trigger h before insert on t for each row execute function f()',
  'create table n (u_id int references u (id))',
  'create table p3 partition of p for values in (3)',
  'insert into t (id) values (99)',
  'insert into u select id from t',
  'update t set a = 1 where id = 1',
  'delete from u where id in (select id from t)',
  'select * from t join u using (id)',
  'select * from t for update',
  'lock table t in share mode',
  'lock table t, u in exclusive mode',
  'truncate u',
  'drop table u',
  'drop index t_a',
  'reindex table t',
  'refresh materialized view m',
  'refresh materialized view concurrently m',
  'cluster t using t_pkey',
];

const STRONG = /^(ShareUpdateExclusive|Share|ShareRowExclusive|Exclusive|AccessExclusive)Lock$/;

/** The syntax tree of one statement, as that of a file that holds nothing else. */
function treeOf(
  sql: string,
  parse: Awaited<ReturnType<typeof loadParser>>,
): ReturnType<typeof treesOf>['statements'][number] | undefined {
  const parsed = parseMigration('m/001_a.sql', `-- +goose Up\n${sql};`);
  const file = {
    name: '',
    module: '',
    version: 1,
    checksum: '',
    path: '',
    order: 'number',
    timeouts: {},
  } as const;
  return treesOf({ ...parsed, ...file }, parse).statements[0];
}

describe('the locks of a statement', () => {
  it('are those that the server reports on tables that were there, and effects are those that it shows', async () => {
    const parse = await loadParser();
    const { url } = await emptyTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(SCHEMA);
    const before = `select c.relname as name, c.oid, c.relfilenode as file, c.relkind as kind from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'p', 'm', 'i')`;
    interface Relation {
      readonly name: string;
      readonly oid: number;
      readonly file: number;
      readonly kind: string;
    }
    const relations = (await client.query<Relation>(before)).rows;
    const seen: unknown[] = [];
    const said: unknown[] = [];
    for (const sql of STATEMENTS) {
      const tree = treeOf(sql, parse);
      if (!tree) throw new Error(sql);
      const claimed = locksOf(tree).filter(({ table }) => relations.some(({ name }) => name === table));
      await client.query('begin');
      await client.query(sql);
      const held = await client.query<{ oid: number; mode: string }>(
        `select relation as oid, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation'`,
      );
      const after = (await client.query<Relation>(before)).rows;
      await client.query('rollback');
      const modes = claimed.map(({ table }) => {
        const oid = relations.find(({ name }) => name === table)?.oid;
        const own = held.rows
          .filter((row) => row.oid === oid)
          .map((row) =>
            LOCK_MODES.findIndex((mode) => `${mode.replaceAll(' ', '')}LOCK` === row.mode.toUpperCase()),
          );
        return { table, mode: LOCK_MODES[Math.max(...own)] };
      });
      const strong = new Set(held.rows.filter(({ mode }) => STRONG.test(mode)).map(({ oid }) => oid));
      const silent = relations.filter(
        ({ name, oid, kind }) =>
          kind !== 'i' && strong.has(oid) && !claimed.some(({ table }) => table === name),
      );
      // The text of DROP INDEX does not tell the table.
      if (sql !== 'drop index t_a') expect([sql, silent]).toEqual([sql, []]);
      const isRewritten = relations.some(
        ({ oid, file, name }) => name === 't' && after.some((row) => row.oid === oid && row.file !== file),
      );
      seen.push([sql, modes, isRewritten]);
      said.push([sql, claimed, effectOf(tree) === 'rewrites']);
      expect([sql, claimed.length > 0]).toEqual([sql, true]);
    }
    await client.end();
    expect(said).toEqual(seen);
  });

  it('says what scans', async () => {
    const parse = await loadParser();
    const effect = (sql: string): unknown => {
      const tree = treeOf(sql, parse);
      return tree && effectOf(tree);
    };
    expect(
      ['alter table t add check (a > 0)', 'alter table t alter a set not null', 'create index on t (a)'].map(
        effect,
      ),
    ).toEqual(['scans', 'scans', 'scans']);
    expect(
      [
        'alter table t add check (a > 0) not valid',
        'alter table t add unique using index i',
        'alter table t add a int',
      ].map(effect),
    ).toEqual([undefined, undefined, undefined]);
  });
});

describe('plan', () => {
  it('lists what up would run, and runs nothing', async () => {
    const { migrator, folder, tables } = await setup();
    await migrator().up({ to: '1' });
    folder.write(
      '004_own.sql',
      "-- +goose ENVSUB ON\n-- +goose Up\ncreate table o (id int);\ncreate index o_id on o (id);\nselect '${UNSET}';\n",
    );
    const files = await migrator().plan();
    expect(files).toMatchObject([
      {
        name: 'shop/002_prices.sql',
        transactional: true,
        statements: [
          {
            line: 2,
            text: 'alter table items add price numeric;',
            locks: [{ table: 'items', mode: 'ACCESS EXCLUSIVE' }],
          },
        ],
      },
      { name: 'shop/003_rows.sql', statements: [{ locks: [{ table: 'items', mode: 'ROW EXCLUSIVE' }] }] },
      { name: 'shop/004_own.sql', statements: [{}, { locks: [] }, { text: "select '${UNSET}';" }] },
    ]);
    expect(await migrator().plan({ to: '2' })).toHaveLength(1);
    expect(await migrator().plan({ steps: 1 })).toMatchObject([{ name: 'shop/002_prices.sql' }]);
    expect(await tables()).toEqual(['items']);
  });

  it('lists what down and redo would run, newest first, and runs nothing', async () => {
    const { migrator, names, tables } = await setup();
    await migrator().up();
    const inShort = async (options: PlanOptions): Promise<string[]> =>
      (await migrator().plan(options)).map(({ name, direction }) => `${direction} ${name}`);
    expect(await migrator().plan({ direction: 'down', steps: 2 })).toMatchObject([
      {
        name: 'shop/003_rows.sql',
        direction: 'down',
        statements: [
          { line: 4, text: 'delete from items;', locks: [{ table: 'items', mode: 'ROW EXCLUSIVE' }] },
        ],
      },
      {
        name: 'shop/002_prices.sql',
        statements: [
          { text: 'alter table items drop price;', locks: [{ table: 'items', mode: 'ACCESS EXCLUSIVE' }] },
        ],
      },
    ]);
    expect(await inShort({ direction: 'down' })).toEqual(['down shop/003_rows.sql']);
    expect(await inShort({ direction: 'down', to: '2' })).toEqual(['down shop/003_rows.sql']);
    expect(await inShort({ direction: 'down', to: 0 })).toHaveLength(3);
    expect(await inShort({ direction: 'redo' })).toEqual(['down shop/003_rows.sql', 'up shop/003_rows.sql']);
    expect([await names(), await tables()]).toMatchObject([{ length: 3 }, ['items']]);
  });

  it('says which statement runs in parts', async () => {
    const { migrator } = await setup({
      '001_a.sql': [
        '-- +goose NO TRANSACTION',
        '-- +goose Up',
        'create table t (id int);',
        '-- +tombstone partitioned-index',
        'create index concurrently i on t (id);',
        'create index concurrently j on t (id);',
      ].join('\n'),
    });
    const [file] = await migrator().plan();
    expect(file?.statements.map(({ isSplit }) => isSplit)).toEqual([false, true, false]);
  });

  it('refuses what down would refuse', async () => {
    const { migrator, folder } = await setup({ '001_a.sql': 'select 1;' });
    await migrator().up();
    for (const direction of ['down', 'redo'] as const)
      expect(await refusal(migrator().plan({ direction }))).toMatchObject({ code: 'MIGRATION.IRREVERSIBLE' });
    expect(await refusal(migrator().plan({ direction: 'down', to: '7' }))).toMatchObject({
      code: 'MIGRATION.NO_SUCH_FILE',
    });
    folder.write('002_half.sql', '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\nselect nothing;\n');
    await refusal(migrator().up());
    expect(await refusal(migrator().plan({ direction: 'down' }))).toMatchObject({
      code: 'MIGRATION.UNFINISHED',
    });
    // What up would do is go on behind the statement that is done.
    expect(await migrator().plan()).toMatchObject([{ statements: [{ isDone: true }, { isDone: false }] }]);
  });
});
