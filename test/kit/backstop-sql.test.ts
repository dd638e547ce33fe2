import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { backstopMigration, type BackstopTable } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { addBackstop, connect, DANGLING, dropBackstop, stateOf, undone } from './fixtures/backstop.ts';

const table = (name: string, schema?: string): BackstopTable => ({
  table: name,
  deletedAt: 'deleted_at',
  schema,
});
const REFUSED_DELETE = 'TS001';
const REFUSED_UPDATE = 'TS002';

let url: string;
let client: Client;
beforeAll(async () => {
  url = (await emptyTestDatabase()).url;
  client = await connect(url);
  await client.query(`
    create table country (id int primary key);
    create table parent (id int primary key, country_id int references country on delete cascade on update cascade,
      name text, deleted_at timestamptz);
    create table child (id int primary key, parent_id int references parent on delete cascade, deleted_at timestamptz);
    create table note (id int primary key, country_id int references country on delete set null on update cascade, deleted_at timestamptz);
    create schema "odd ""schema";
    create table "odd ""schema"."it's a.table" (id int primary key, "gone ""at" timestamptz);`);
});
beforeEach(async () => {
  await client.query(`
    truncate country, parent, child, note, "odd ""schema"."it's a.table";
    insert into country values (1), (2);
    insert into parent values (1, 1, 'live', null), (2, 2, 'dead', now());
    insert into child values (10, 1, null), (20, 2, now());
    insert into note values (1, 1, null), (2, 2, now());
    insert into "odd ""schema"."it's a.table" values (1, null), (2, now());`);
});
afterAll(() => client.end());

const GUARDED = [table('parent'), table('child'), table('note')];

describe('a table with a backstop', () => {
  const refused: Record<string, [string, string]> = {
    'DELETE of a live row': ['delete from parent where id = 1', REFUSED_DELETE],
    'DELETE of a dead row': ['delete from child where id = 20', REFUSED_DELETE],
    'DELETE of all rows': ['delete from child', REFUSED_DELETE],
    'DELETE … USING': ['delete from child using parent where parent_id = parent.id', REFUSED_DELETE],
    'DELETE in a CTE': [
      'with d as (delete from child where id = 10 returning *) select * from d',
      REFUSED_DELETE,
    ],
    'UPDATE of a dead row': [`update parent set name = 'x' where id = 2`, REFUSED_UPDATE],
    'UPDATE of all rows': [`update parent set name = 'x'`, REFUSED_UPDATE],
    'a restore by hand': ['update parent set deleted_at = null where id = 2', REFUSED_UPDATE],
    'a second soft delete': ['update parent set deleted_at = now() where id = 2', REFUSED_UPDATE],
    'an upsert onto a dead row': [
      `insert into parent (id) values (2) on conflict (id) do update set name = 'x'`,
      REFUSED_UPDATE,
    ],
    'CASCADE of a parent without a backstop': ['delete from country where id = 1', REFUSED_DELETE],
    'ON UPDATE CASCADE into a dead row': ['update country set id = 3 where id = 2', REFUSED_UPDATE],
  };

  beforeAll(() => addBackstop(client, GUARDED));
  afterAll(() => dropBackstop(client, GUARDED));

  it.each(Object.entries(refused))(
    'refuses %s, and would not without the backstop',
    async (_, [sql, state]) => {
      expect(await stateOf(client, sql)).toBe(state);
      expect((await client.query(DANGLING)).rows).toEqual([{ n: 0 }]);
      const without = await undone(client, async () => {
        for (const text of backstopMigration(GUARDED).down) await client.query(text);
        return client.query(sql);
      });
      expect(without).not.toMatchObject({ rowCount: 0 });
    },
  );

  it('refuses a MERGE that deletes', async () => {
    const { rows } = await client.query<{ n: number }>(
      `select current_setting('server_version_num')::int as n`,
    );
    const isKnown = (rows[0]?.n ?? 0) >= 150_000;
    const merge = 'merge into child c using country k on k.id * 10 = c.id when matched then delete';
    expect(await stateOf(client, merge)).toBe(isKnown ? REFUSED_DELETE : '42601');
  });

  it('refuses SET NULL into a dead row, and lets it into a live one', async () => {
    await client.query('truncate parent, child');
    expect(await stateOf(client, 'delete from country where id = 2')).toBe(REFUSED_UPDATE);
    expect(await stateOf(client, 'delete from country where id = 1')).toBeUndefined();
    expect((await client.query('select country_id from note order by id')).rows).toEqual([
      { country_id: null },
      { country_id: 2 },
    ]);
  });

  it('marks a row by its key, with RETURNING, and leaves updates of live rows alone', async () => {
    const marked = await client.query(
      'update parent set deleted_at = now() where id = 1 and deleted_at is null returning id, deleted_at',
    );
    expect(marked.rows).toEqual([{ id: 1, deleted_at: expect.any(Date) }]);
    const changed = await client.query(
      'update child set parent_id = 2 where id = 10 returning id, parent_id',
    );
    expect(changed.rows).toEqual([{ id: 10, parent_id: 2 }]);
    const written = await client.query(`insert into parent (id, name) values (3, 'new')
      on conflict (id) do update set name = 'twice' returning id, name`);
    expect(written.rows).toEqual([{ id: 3, name: 'new' }]);
  });

  it('lets a transaction that says so remove and change, with RETURNING and CASCADE, and no other one', async () => {
    await undone(client, async () => {
      await client.query(`set local tombstone.skip_soft_delete = 'on'`);
      expect((await client.query('delete from child where id = 20 returning id')).rows).toEqual([{ id: 20 }]);
      expect((await client.query('delete from country where id = 1')).rowCount).toBe(1);
      expect((await client.query('select id from parent')).rows).toEqual([{ id: 2 }]);
      expect((await client.query(`update parent set name = 'x' where id = 2`)).rowCount).toBe(1);
    });
    expect(await stateOf(client, 'delete from child')).toBe(REFUSED_DELETE);
  });

  it('takes no other word than on', async () => {
    for (const word of ['true', 'ON', '1', '']) {
      await undone(client, async () => {
        await client.query(`set local tombstone.skip_soft_delete = '${word}'`);
        expect(await stateOf(client, 'delete from child')).toBe(REFUSED_DELETE);
      });
    }
  });

  it('leaves TRUNCATE, locks, foreign key checks and a session that replicates alone', async () => {
    expect(await stateOf(client, 'select * from parent for update')).toBeUndefined();
    expect(await stateOf(client, 'insert into child values (11, 2, null)')).toBeUndefined();
    await undone(client, async () => {
      await client.query('set local session_replication_role = replica');
      expect((await client.query('delete from child')).rowCount).toBe(3);
    });
    await client.query('truncate parent, child');
    expect((await client.query('select * from parent')).rows).toEqual([]);
  });

  it('names the table and what to do, and no value of a row', async () => {
    const error: Record<string, unknown> = await client.query('delete from child').catch((reason) => reason);
    expect(error).toMatchObject({ schema: 'public', table: 'child' });
    expect(String(error['message'])).toBe('rows of public.child are marked as deleted, not removed');
    expect(String(error['hint'])).toContain('tombstone.skip_soft_delete');
    expect(error['detail']).toBeUndefined();
  });

  it('can be given twice by two modules; the function goes with the last trigger', async () => {
    const functions = async () =>
      (await client.query(`select from pg_proc where proname = 'tombstone_backstop'`)).rowCount;
    await undone(client, async () => {
      await dropBackstop(client, [table('child')]);
      expect(await functions()).toBe(1);
      await addBackstop(client, [table('child')]);
      await dropBackstop(client, GUARDED);
      expect(await functions()).toBe(0);
    });
  });
});

it('guards names that need quotes, in their schema', async () => {
  const odd = { schema: 'odd "schema', table: `it's a.table`, deletedAt: 'gone "at' };
  await addBackstop(client, [odd]);
  const name = `"odd ""schema"."it's a.table"`;
  expect(await stateOf(client, `delete from ${name}`)).toBe(REFUSED_DELETE);
  expect(await stateOf(client, `update ${name} set "gone ""at" = now() where id = 2`)).toBe(REFUSED_UPDATE);
  expect(await stateOf(client, `update ${name} set "gone ""at" = now() where id = 1`)).toBeUndefined();
  await dropBackstop(client, [odd]);
  expect(await stateOf(client, `delete from ${name}`)).toBeUndefined();
  expect((await client.query(`select from pg_proc where proname = 'tombstone_backstop'`)).rowCount).toBe(0);
});

it('holds for every partition, also one that is attached later', async () => {
  await client.query(`
    create table part (id int, region text, deleted_at timestamptz, primary key (id, region)) partition by list (region);
    create table part_a partition of part for values in ('a');`);
  await addBackstop(client, [table('part')]);
  await client.query(`
    create table part_b partition of part for values in ('b');
    insert into part values (1, 'a', null), (2, 'b', null), (3, 'b', now())`);
  for (const name of ['part', 'part_a', 'part_b'])
    expect(await stateOf(client, `delete from ${name}`)).toBe(REFUSED_DELETE);
  expect(await stateOf(client, `update part set id = 4 where id = 3`)).toBe(REFUSED_UPDATE);
  expect(await stateOf(client, `update part set deleted_at = now() where id = 1`)).toBeUndefined();
  // PostgreSQL moves a row to another partition by a DELETE: refused aloud, since it cannot be told from a real one.
  expect(await stateOf(client, `update part set region = 'a' where id = 2`)).toBe(REFUSED_DELETE);
  await undone(client, async () => {
    await client.query(`set local tombstone.skip_soft_delete = 'on'`);
    expect((await client.query(`update part set region = 'a' where id = 2`)).rowCount).toBe(1);
  });
  await dropBackstop(client, [table('part')]);
  expect(await stateOf(client, 'delete from part_b')).toBeUndefined();
});

describe('the text', () => {
  it.each<[string, Parameters<typeof backstopMigration>]>([
    ['no table', [[]]],
    ['a table that occurs twice', [[table('a'), table('a')]]],
    ['a name that PostgreSQL would cut', [[table('x'.repeat(64))]]],
    ['an empty name', [[table('')]]],
    ['an empty role', [[table('a')], { roles: [''] }]],
    ['a name that ends the text of a function', [[table('a', '$unused$')]]],
  ])('is refused for %s', (_, args) => {
    expect(() => backstopMigration(...args)).toThrow(TypeError);
  });
});
