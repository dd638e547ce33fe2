import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { readSchema } from 'tombstone/migrations';
import { createTestDatabase } from 'tombstone/testing';
import { type Ended, ROOT, run } from '../support/command.ts';
import { testServer } from '../support/database.ts';
import { expectSentence, FILES, type Project, project } from './fixtures/project.ts';

interface Filled extends Project {
  readonly database: string;
  reset(args?: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended>;
}

/** A migrated project with a row that shows whether anything was touched. */
async function filled(files: Readonly<Record<string, string>> = FILES): Promise<Filled> {
  const ready = await project(files);
  expect((await ready.tombstone('migrate', 'up')).code).toBe(0);
  await ready.query('insert into items values (1)');
  const database = new URL(ready.url).pathname.slice(1);
  const script = [join(ROOT, 'bin/tombstone.js'), 'migrate', 'reset'];
  return {
    ...ready,
    database,
    reset: (args = ['--database', database, '--yes'], env = {}) =>
      run(
        [...script, ...args],
        { DATABASE_URL: ready.url, NODE_ENV: 'development', ...env },
        ready.folder.root,
      ),
  };
}

const rows = ({ query }: Project): Promise<unknown[]> => query('select id from items');

describe('tombstone migrate reset', () => {
  it('drops everything, leftovers included, and migrates anew', async () => {
    const ready = await filled({
      ...FILES,
      '003_schema.sql': 'create schema "Side"; create extension pg_trgm; create table "Side".t (id int);',
    });
    await ready.query('create table leftover (id int)');
    await ready.query(`comment on schema public is 'ours'; grant usage on schema public to public`);
    const before = await readSchema(ready.url);
    const ended = await ready.reset();
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toContain('dropped public, Side, applied 3 files.');
    expect(await rows(ready)).toEqual([]);
    const left = before.filter(({ name }) => !name.includes('leftover'));
    expect(await readSchema(ready.url)).toEqual(left);
    expect(await ready.query(`select obj_description('public'::regnamespace, 'pg_namespace') as c`)).toEqual([
      { c: 'ours' },
    ]);
    const json = await ready.reset(['--database', ready.database, '--yes', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      schemas: ['public', 'Side'],
      files: [{}, {}, {}].map(() => expect.any(String)),
    });
  });

  it.each<[string, number, (ready: Filled) => Promise<Ended>, string]>([
    [
      'NODE_ENV is production',
      51,
      (ready) => ready.reset(undefined, { NODE_ENV: 'production' }),
      'NODE_ENV is production',
    ],
    ['another database is named', 51, (ready) => ready.reset(['--database', 'other', '--yes']), 'not other'],
    ['no database is named', 2, (ready) => ready.reset(['--yes']), '--database'],
    ['--yes is missing', 2, (ready) => ready.reset(['--database', ready.database]), '--yes'],
    [
      'another tool has rows in the ledger',
      51,
      async (ready) => {
        await ready.query(`insert into schema_migrations (filename, checksum) values ('other/001.sql', 'x')`);
        return ready.reset();
      },
      'other/001.sql',
    ],
    [
      'a view in another schema hangs on a table',
      51,
      async (ready) => {
        await ready.query('create schema reports; create view reports.v as select id from items');
        return ready.reset();
      },
      'view reports.v',
    ],
    [
      'an extension would go that no file creates',
      51,
      async (ready) => {
        await ready.query('create extension pg_trgm');
        return ready.reset();
      },
      'extension pg_trgm',
    ],
    [
      'a file cannot be read',
      17,
      (ready) => {
        ready.folder.write('003_bad.sql', "select '");
        return ready.reset();
      },
      '003_bad.sql',
    ],
    [
      'a variable has no value',
      18,
      (ready) => {
        ready.folder.write('003_v.sql', "-- +goose ENVSUB ON\n-- +goose Up\nselect '${NOT_SET_ANYWHERE}';\n");
        return ready.reset();
      },
      'NOT_SET_ANYWHERE',
    ],
  ])('touches nothing when %s', async (_name, code, attempt, word) => {
    const ready = await filled();
    const ended = await attempt(ready);
    expectSentence(ended, word);
    expect(ended.code).toBe(code);
    expect(await rows(ready)).toEqual([{ id: 1 }]);
  });

  it('touches nothing when others are connected, and names them', async () => {
    const ready = await filled();
    const other = new Client({ connectionString: ready.url, application_name: 'a service' });
    await other.connect();
    const { rows: own } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = await ready.reset();
    await other.end();
    expectSentence(ended, 'a service since', `(pid ${own[0]?.pid})`);
    expect(ended.code).toBe(51);
    expect(await rows(ready)).toEqual([{ id: 1 }]);
  });

  it.each(['shop_prod', 'production', 'live-shop'])(
    'touches nothing when the database is named like %s',
    async (part) => {
      const { name, url, drop } = await createTestDatabase(await testServer(), {
        name: `${part}-${Math.random().toString(36).slice(2, 8).replace(/[a-z]/g, '1')}`,
      });
      const ready = await filled();
      const ended = await ready.reset(['--database', name, '--yes'], { DATABASE_URL: url });
      const schema = await readSchema(url);
      await drop();
      expectSentence(ended, 'looks like production');
      expect(ended.code).toBe(51);
      expect(schema).toEqual([{ kind: 'schema', name: 'public', definition: '' }]);
    },
  );
});
