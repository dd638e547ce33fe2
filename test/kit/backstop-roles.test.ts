import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { emptyTestDatabase } from '../support/database.ts';
import { addBackstop, connect, DANGLING, stateOf, undone } from './fixtures/backstop.ts';

// Roles belong to the whole server: names of their own, and gone at the end.
const id = randomBytes(4).toString('hex');
const [app, member, owner, other] = ['app', 'member', 'owner', 'other'].map((name) => `bs_${name}'${id}`) as [
  string,
  string,
  string,
  string,
];
const q = (name: string) => `"${name}"`;

let client: Client;
/** A superuser's session that acts as a role from its very start. */
const sessions: Record<string, Client> = {};

beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  client = await connect(url);
  await client.query(`
    create role ${q(app)} login; create role ${q(member)} login; create role ${q(owner)} login; create role ${q(other)} login;
    grant ${q(app)} to ${q(member)};
    grant all on schema public to public;
    set role ${q(owner)};
    create table country (id int primary key);
    create table parent (id int primary key, country_id int references country on delete cascade, deleted_at timestamptz);
    create table child (id int primary key, parent_id int references parent on delete cascade, deleted_at timestamptz);
    grant all on country, parent, child to public;`);
  await addBackstop(
    client,
    ['parent', 'child'].map((table) => ({ table, deletedAt: 'deleted_at' })),
    { roles: ['not_there', app] },
  );
  await client.query(`
    create function purge() returns void language sql security definer as 'delete from child';
    create function purge_aloud() returns void language plpgsql security definer as $$ begin
      perform set_config('tombstone.skip_soft_delete', 'on', true);
      delete from child;
      perform set_config('tombstone.skip_soft_delete', 'off', true);
    end $$;
    reset role`);
  for (const name of [app, member, owner, other]) {
    const own = (sessions[name] = await connect(url));
    await own.query(`set session authorization ${q(name)}`);
  }
});
beforeEach(async () => {
  await client.query(`truncate country, parent, child;
    insert into country values (1); insert into parent values (1, 1, null), (2, null, now()); insert into child values (10, 1, now())`);
});
afterAll(async () => {
  await Promise.all(Object.values(sessions).map((own) => own.end()));
  const names = [app, member, owner, other].map(q).join(', ');
  await client.query(`reset role; drop owned by ${names}; drop role ${names}`);
  await client.end();
});

const session = (name: string) => sessions[name] as Client;

describe('a backstop for a role', () => {
  it.each([
    ['the role', app],
    ['a role that inherits from it', member],
  ])('holds for %s', async (_, name) => {
    expect(await stateOf(session(name), 'delete from child')).toBe('TS001');
    expect(await stateOf(session(name), 'update parent set country_id = 1 where id = 2')).toBe('TS002');
    expect(await stateOf(session(name), 'update parent set deleted_at = now() where id = 1')).toBeUndefined();
  });

  it.each([
    ['another role', other],
    ['the owner of the table', owner],
  ])('does not hold for %s', async (_, name) => {
    await undone(session(name), async () => {
      expect(await stateOf(session(name), 'update parent set country_id = 1 where id = 2')).toBeUndefined();
      expect((await session(name).query('delete from child returning id')).rows).toEqual([{ id: 10 }]);
    });
  });

  it('does not hold for a superuser, but for one that has become the role', async () => {
    await undone(client, async () => {
      expect((await client.query('delete from child')).rowCount).toBe(1);
    });
    await client.query(`set role ${q(app)}`);
    expect(await stateOf(client, 'delete from child')).toBe('TS001');
    await client.query('reset role');
    await undone(client, async () => {
      await client.query(`set local role ${q(app)}`);
      expect(await stateOf(client, 'delete from child')).toBe('TS001');
    });
  });

  it('does not hold for the role after it has become another one', async () => {
    const own = session(member);
    await own.query(`set role ${q(app)}`);
    expect(await stateOf(own, 'delete from child')).toBe('TS001');
    await own.query('reset role');
    await client.query(`grant ${q(other)} to ${q(app)}`);
    await undone(session(app), async () => {
      await session(app).query(`set local role ${q(other)}`);
      expect(await stateOf(session(app), 'delete from child')).toBeUndefined();
    });
  });

  it('refuses the CASCADE that it starts, which runs as the owner of the table', async () => {
    const { rows } = await session(app).query('select current_user::text as name');
    expect(rows).toEqual([{ name: app }]);
    expect(await stateOf(session(app), 'delete from country')).toBe('TS001');
    expect((await client.query(DANGLING)).rows).toEqual([{ n: 0 }]);
    await undone(session(other), async () => {
      expect((await session(other).query('delete from country')).rowCount).toBe(1);
      expect((await session(other).query('select * from child')).rows).toEqual([]);
    });
  });

  it('refuses a function of the owner that the role calls, unless the function says so', async () => {
    expect(await stateOf(session(app), 'select purge()')).toBe('TS001');
    await undone(session(app), async () => {
      await session(app).query('select purge_aloud()');
      expect((await session(app).query('select * from child')).rows).toEqual([]);
      expect(await stateOf(session(app), 'delete from parent')).toBe('TS001');
    });
  });

  it('lets the role do it in a transaction that says so', async () => {
    await undone(session(app), async () => {
      await session(app).query(`set local tombstone.skip_soft_delete = 'on'`);
      expect((await session(app).query('delete from country')).rowCount).toBe(1);
    });
  });
});
