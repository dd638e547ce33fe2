import { describe, expect, it } from '@jest/globals';
import { type LintFinding, lintMigrations } from 'tombstone/migrations';
import { CATALOGUE_RULES } from '../../src/kit/migrations/lint/rules/catalogue.ts';
import { refusal, setup, type Setup } from './fixtures/shop.ts';

const SCHEMA = `create schema s;
create table plain (id bigint primary key, a int, b int, c int, constraint plain_ab unique (a, b), check (c > 0));
create index plain_c on plain (c);
create unique index plain_bc on plain (b, c);
create table refs (id bigint primary key, plain_id bigint references plain (id));
create table parts (id int, day int) partition by range (day);
create table parts_1 partition of parts for values from (0) to (9);
create index parts_id on parts (id);
create table s.parts (id int) partition by range (id);
create table big (id bigint primary key, a int);
create table small (id bigint primary key, a int);
create table shop (id bigint primary key, kind text constraint kind_known check (kind in ('a', 'b', 'it''s')), size int);
create unique index shop_size on shop (size) where size > 0;`;

/** Up texts that break a rule on this schema, with what the finding is about, and ones that come close. */
const CASES: Readonly<Record<string, { bad: Readonly<Record<string, string>>; good: readonly string[] }>> = {
  L109: {
    bad: {
      '[NT] create index concurrently i on parts (id);': 'parts',
      'create index i on parts (id);': 'parts',
      'create index i on s.parts (id);': 's.parts',
      '[NT] drop index concurrently parts_id;': 'parts_id',
      'drop index public.parts_id;': 'parts_id',
    },
    good: [
      '[NT] -- +tombstone partitioned-index\ncreate index concurrently i on parts (id);',
      '[NT] -- +tombstone partitioned-index\ndrop index concurrently parts_id;',
      'create index i on only parts (id);',
      '[NT] create index concurrently i on plain (a);',
      '[NT] create index concurrently i on parts_1 (id);',
      'drop index s.parts_id;',
      'create table parts (id int) partition by range (id); create index i on parts (id);',
    ],
  },
  L305: {
    bad: {
      'alter table plain drop a;': 'plain.a (plain_ab)',
      'alter table plain drop id;': 'plain.id (plain_pkey)',
      'alter table plain drop constraint plain_ab, drop b;': 'plain.b (plain_bc)',
      'alter table refs drop plain_id;': 'refs.plain_id (refs_plain_id_fkey)',
    },
    good: [
      'alter table plain drop nothing, drop constraint plain_ab;',
      'drop index plain_bc; alter table plain drop constraint plain_ab, drop b;',
      'alter table plain alter a drop not null;',
      'alter table small drop a;',
    ],
  },
  L603: {
    bad: {
      'update big set a = 1 where a is null;': 'big',
      'delete from big where a = 1;': 'big',
      'insert into small select id, a from big where a > 1;': 'big',
    },
    good: [
      'update small set a = 1 where a is null;',
      'insert into big values (1, 2);',
      '[NT] -- +tombstone backfill table=big key=id\nupdate big set a = 1 where id between $1 and $2;\n-- +tombstone verify different\nselect from big where a <> 1;',
      'create table big (id int); update big set id = 1 where id = 2;',
    ],
  },
  L307: {
    bad: {
      "alter table shop drop constraint kind_known, add constraint kind_known check (kind in ('a', 'it''s', 'c'));":
        'shop (kind_known)',
      "alter table shop drop constraint kind_known; alter table shop add check (kind = any (array['a']));":
        'shop (kind_known)',
    },
    good: [
      "alter table shop drop constraint kind_known, add constraint kind_known check (kind in ('a', 'b', 'it''s', 'c'));",
      "alter table shop drop constraint kind_known, add constraint kind_known check (kind in ('a')) not valid;",
      "alter table shop add check (kind in ('a'));",
      'alter table shop drop constraint kind_known, add check (size > 3);',
    ],
  },
  L512: {
    bad: {
      'create table if not exists shop (id bigserial primary key, kind text, size bigint);': 'shop.size',
      'create table if not exists shop (id bigint, kind text, size int, colour text);': 'shop.colour',
      'alter table shop add column if not exists size bigint;': 'shop.size',
      'create unique index if not exists shop_size on shop (size);': 'shop_size',
      'create unique index if not exists shop_size on shop (id) where id > 0;': 'shop_size',
      'create index if not exists shop_size on shop (size) where size > 0;': 'shop_size',
      'create index if not exists shop_size on small (a);': 'shop_size',
    },
    good: [
      'create table if not exists shop (id bigserial primary key, kind text, size integer);',
      'create table if not exists shop (id bigint);',
      'create table if not exists other (id bigint);',
      'create table shop (id text);',
      'alter table shop add column if not exists size int, add column if not exists colour text;',
      'create unique index if not exists shop_size on shop (size) where size > 0;',
      'create index if not exists shop_kind on shop (kind);',
    ],
  },
};

const ready = setup({ '001_schema.sql': `-- +goose Up\n${SCHEMA}` }).then(async (made) => {
  await made.migrator().up();
  await made.client.query('alter table big set (autovacuum_enabled = off)');
  await made.client.query(
    `insert into big select n, n from generate_series(1, 100001) n; analyze big; analyze small`,
  );
  return made;
});

async function lint(made: Setup, sql: string, head = '', isAsked = true): Promise<LintFinding[]> {
  const top = sql.startsWith('[NT]') ? '-- +goose NO TRANSACTION\n' : '';
  made.folder.write('002_next.sql', `${top}${head}-- +goose Up\n${sql.replace('[NT] ', '')}\n`);
  return lintMigrations([made.folder], ['2'], isAsked ? { connection: made.url } : {});
}
const of = (findings: readonly LintFinding[], id: string): string[] =>
  findings.filter(({ rule }) => rule === id || rule === 'L003').map(({ about }) => about);

describe('a rule that asks the database', () => {
  const ids = CATALOGUE_RULES.map(({ id }) => id);

  it('has cases', () => expect(Object.keys(CASES)).toEqual(ids));

  it.each(ids)('%s fires on what breaks it, and not without a database', async (id) => {
    const made = await ready;
    for (const [sql, about] of Object.entries(CASES[id]?.bad ?? {})) {
      expect([sql, of(await lint(made, sql), id)]).toEqual([sql, [about]]);
      expect([sql, of(await lint(made, sql, '', false), id)]).toEqual([sql, []]);
    }
  });

  it.each(ids)('%s leaves alone what only comes close', async (id) => {
    const made = await ready;
    for (const sql of CASES[id]?.good ?? []) expect([sql, of(await lint(made, sql), id)]).toEqual([sql, []]);
  });

  it('L109 is asked about the Down too, the others are not', async () => {
    const made = await ready;
    const found = await lint(
      made,
      '-- nothing\n-- +goose Down\ndrop index parts_id; alter table plain drop a;',
    );
    expect(found.map(({ rule, isInDown }) => [rule, isInDown])).toEqual([['L109', true]]);
  });

  it('is waived like any other; without a database the waiver is left alone', async () => {
    const made = await ready;
    const waiver = '-- +tombstone waive L109: it is empty yet\n';
    const sql = 'create index i on parts (id);';
    expect(of(await lint(made, sql, waiver), 'L109')).toEqual([]);
    expect(of(await lint(made, sql, waiver, false), 'L002')).toEqual([]);
    expect(of(await lint(made, 'select f();', waiver), 'L002')).toEqual(['L109']);
  });

  it('is not asked about files that are applied, and writes nothing', async () => {
    const made = await ready;
    const found = await lintMigrations([made.folder], ['1'], { connection: made.url });
    expect(found.filter(({ rule }) => ids.includes(rule))).toEqual([]);
    const empty = await setup({ '001_a.sql': 'select 1;' });
    await lintMigrations([empty.folder], [], { connection: empty.url });
    expect(
      (await empty.client.query(`select from pg_class where relname like 'schema\\_migr%'`)).rows,
    ).toEqual([]);
    const closed = lintMigrations([empty.folder], [], { connection: 'postgresql://127.0.0.1:1/nowhere' });
    expect((await refusal(closed)).code).toBe('MIGRATION.UNREACHABLE');
  });
});
