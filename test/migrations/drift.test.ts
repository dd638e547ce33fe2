import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import {
  describeDifference,
  differenceOf,
  findDrift,
  Migrator,
  readSchema,
  type SchemaDifference,
} from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { CHANGES, EVERYTHING } from './fixtures/everything.ts';
import { refusal, setup } from './fixtures/shop.ts';

const namesOf = (differences: readonly SchemaDifference[]): string[] =>
  differences.map(({ kind, name }) => `${kind} ${name}`);

async function run(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** A database of its own, with this in it. */
async function databaseWith(sql: string): Promise<string> {
  const { url } = await emptyTestDatabase();
  await run(url, sql);
  return url;
}

describe('the description of a schema', () => {
  it('is the same for two databases that were made in different orders, and knows every kind', async () => {
    const other = `create schema zzz; drop schema zzz; create table refs_old (x int); drop table refs_old; ${EVERYTHING}`;
    const [one, two] = await Promise.all([databaseWith(EVERYTHING), databaseWith(other)]);
    const first = await readSchema(one);
    expect(await readSchema(two)).toEqual(first);
    const kinds = new Set(first.map(({ kind }) => kind));
    expect([...kinds].toSorted()).toMatchInlineSnapshot(`
     [
       "aggregate",
       "column",
       "comment",
       "composite type",
       "constraint",
       "domain",
       "enum",
       "event trigger",
       "extension",
       "function",
       "index",
       "policy",
       "privilege",
       "range",
       "rule",
       "schema",
       "sequence",
       "statistics",
       "table",
       "trigger",
       "view",
     ]
    `);
    // An OID would differ between the two; a definition without its text would differ from nothing.
    expect(first.filter(({ kind, definition }) => kind !== 'schema' && definition === '')).toEqual([]);
  });

  it('does not depend on the order of columns', async () => {
    const one = await databaseWith('create table t (a int, b text)');
    const two = await databaseWith('create table t (b text, a int)');
    expect(differenceOf(await readSchema(one), await readSchema(two))).toEqual([]);
  });

  it('leaves the tables of the engine out, and nothing else whose name begins like theirs', async () => {
    const { migrator, url, client } = await setup({});
    await migrator().up();
    expect(await readSchema(url)).toEqual([{ kind: 'schema', name: 'public', definition: '' }]);
    await client.query(
      'create table schema_migrationes (id int); create schema s; create table s.schema_migrations (id int)',
    );
    const tables = (await readSchema(url)).filter(({ kind }) => kind === 'table').map(({ name }) => name);
    expect(tables).toEqual(['public.schema_migrationes', 's.schema_migrations']);
  });

  it('prints constants and names alike, however the database is set', async () => {
    const sql = `create table t (at timestamptz default '2020-01-01 00:00+02', i interval default '1 day 2 hours', f float8 default 0.1)`;
    const one = await databaseWith(sql);
    const two = await databaseWith(sql);
    const name = new URL(two).pathname.slice(1);
    await run(
      two,
      `alter database "${name}" set timezone to 'Asia/Tokyo'; alter database "${name}" set intervalstyle to 'iso_8601'; alter database "${name}" set search_path to pg_catalog`,
    );
    expect(await readSchema(two)).toEqual(await readSchema(one));
  });
});

describe('the difference of two schemas', () => {
  it.each(CHANGES)('names %s after %s', async (object, sql) => {
    const url = await databaseWith(EVERYTHING);
    const before = await readSchema(url);
    await run(url, sql);
    const after = await readSchema(url);
    const found = differenceOf(before, after);
    expect(namesOf(found)).toContain(object);
    expect(namesOf(differenceOf(after, before))).toEqual(namesOf(found));
    const first = found.find(({ kind, name }) => `${kind} ${name}` === object);
    expect(first?.expected).not.toEqual(first?.actual);
  });

  it('tells a table that is gone once, not with each of its parts', async () => {
    const url = await databaseWith('create table t (id int primary key, a int check (a > 0))');
    const before = await readSchema(url);
    await run(url, 'drop table t');
    expect(namesOf(differenceOf(before, await readSchema(url)))).toEqual(['table public.t']);
  });

  it('is printed with what was expected and what is there', () => {
    const text = describeDifference({
      kind: 'column',
      name: 'public.t.a',
      expected: 'integer',
      actual: undefined,
    });
    expect(text).toBe('column public.t.a\n  expected   integer\n  actual     (not there)');
  });
});

describe('drift', () => {
  const FILES = {
    '001_items.sql':
      '-- +goose Up\ncreate table items (id int primary key, name text);\ncreate view names as select name from items;\n',
    '002_more.sql':
      '-- +goose Up\nalter table items add price numeric;\ncreate index items_price on items (price);\n',
    '003_drop.sql': '-- +goose Up\ndrop view names;\n',
  };

  it('is nothing right after a run, and names object, both sides and the file after changes by hand', async () => {
    const { migrator, url, client, folder } = await setup(FILES);
    await migrator().up();
    const options = { connection: url, modules: [folder] };
    expect(await findDrift(options)).toEqual({
      findings: [],
      pending: [],
      missing: [],
      files: await filesOf(client),
    });
    await client.query(
      'alter table items alter price type numeric(9, 2); drop index items_price; create table extra (id int); create view names as select name from items',
    );
    const { findings } = await findDrift(options);
    expect(findings).toMatchObject([
      { kind: 'table', name: 'public.extra', expected: undefined, actual: 'table', file: undefined },
      {
        kind: 'column',
        name: 'public.items.price',
        expected: 'numeric',
        actual: 'numeric(9,2)',
        file: 'shop/002_more.sql',
      },
      { kind: 'index', name: 'public.items_price', actual: undefined, file: 'shop/002_more.sql' },
      { kind: 'view', name: 'public.names', expected: undefined, file: 'shop/003_drop.sql' },
    ]);
    expect(await findDrift(options)).toEqual(await findDrift(options));
  });

  it('expects nothing of pending files, and says which files are gone', async () => {
    const { migrator, url, folder } = await setup(FILES);
    await migrator().up({ to: '2' });
    expect(await findDrift({ connection: url, modules: [folder] })).toMatchObject({
      findings: [],
      pending: ['shop/003_drop.sql'],
    });
    folder.remove('002_more.sql');
    const { missing, findings } = await findDrift({ connection: url, modules: [folder] });
    expect(missing).toEqual(['shop/002_more.sql']);
    expect(namesOf(findings)).toEqual(['column public.items.price', 'index public.items_price']);
  });

  it('drops the scratch database, also when a file fails in it', async () => {
    const { migrator, url, client, folder } = await setup({
      '001_a.sql': `-- +goose Up\ndo $$ begin if current_database() ~ 'scratch' then raise 'in %', current_database(); end if; end $$;\n`,
    });
    await migrator().up();
    const error = await refusal(findDrift({ connection: url, modules: [folder] }));
    expect(error).toMatchObject({ code: 'MIGRATION.FAILED', file: 'shop/001_a.sql' });
    const name = /in (tombstone_scratch_\w+)/.exec(error.message)?.[1];
    expect(name).toBeDefined();
    expect((await client.query('select from pg_database where datname = $1', [name])).rows).toEqual([]);
  });

  it('drops what a killed process has left', async () => {
    const { migrator, url, client, folder } = await setup(FILES);
    await migrator().up();
    await client.query('create database tombstone_scratch_0123456789ab');
    await findDrift({ connection: url, modules: [folder] });
    const left = await client.query(
      `select from pg_database where datname = 'tombstone_scratch_0123456789ab'`,
    );
    expect(left.rows).toEqual([]);
  });

  it('says what to do when the role may not create databases, and then takes an empty one that is named', async () => {
    const { migrator, url, client, folder } = await setup(FILES);
    await migrator().up();
    const role = `plain_${Math.random().toString(36).slice(2)}`;
    await client.query(
      `create role ${role} login password 'p'; grant select on all tables in schema public to ${role}`,
    );
    const as = (target: string): string => {
      const own = new URL(target);
      [own.username, own.password] = [role, 'p'];
      return own.href;
    };
    const connection = as(url);
    const modules = [folder];
    const error = await refusal(findDrift({ connection, modules }));
    expect(error).toMatchObject({ code: 'MIGRATION.SCRATCH', message: expect.stringContaining('createdb') });

    const { url: empty } = await emptyTestDatabase();
    // The grant above is by hand; it shows that the comparison took place.
    const compare = async (): Promise<string[]> =>
      namesOf((await findDrift({ connection, modules, scratch: empty })).findings);
    expect(await compare()).toEqual(['privilege public.items']);
    expect(await readSchema(empty)).toEqual([{ kind: 'schema', name: 'public', definition: '' }]);
    expect(await compare()).toEqual(['privilege public.items']);
    await run(empty, 'create table mine (id int)');
    const full = await refusal(findDrift({ connection, modules, scratch: empty }));
    expect(full).toMatchObject({
      code: 'MIGRATION.SCRATCH',
      message: expect.stringContaining('table public.mine'),
    });
    expect(await readSchema(empty)).toContainEqual({
      kind: 'table',
      name: 'public.mine',
      definition: 'table',
    });
    await client.query(`drop owned by ${role}; drop role ${role}`);
  });

  it('is nothing for the gateway', async () => {
    const { gateway } = await import('tombstone/gateway');
    const { url } = await emptyTestDatabase();
    await new Migrator({ connection: url, modules: [gateway] }).up();
    const drift = await findDrift({ connection: url, modules: [gateway] });
    expect(drift.findings).toEqual([]);
    expect(drift.files.length).toBeGreaterThan(8);
  });
});

async function filesOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ filename: string }>(
    'select filename from schema_migrations order by 1',
  );
  return rows.map(({ filename }) => filename);
}
