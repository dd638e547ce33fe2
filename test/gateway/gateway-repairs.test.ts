import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway, gatewayRepairs } from 'tombstone/gateway';
import { lintMigrations, Migrator } from 'tombstone/migrations';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { COMPLETE, createOriginal } from '../support/original-gateway.ts';

const open: Client[] = [];
afterAll(() => Promise.all(open.map((client) => client.end())));

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  open.push(client);
  return client;
}

/** A complete original, and the repairs over it; they need no file of the gateway. */
async function damaged(): Promise<{ client: Client; repairs: Migrator }> {
  const { url } = await emptyTestDatabase();
  const client = await connect(url);
  await createOriginal(client, COMPLETE, { users: 400 });
  return { client, repairs: new Migrator({ connection: url, modules: [gatewayRepairs] }) };
}

async function one(client: Client, sql: string): Promise<unknown> {
  const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
  return rows[0]?.[0];
}

const VALUES = `select count(*)::int from user_attribute_values where attribute_id = 1`;
const HAS_COLUMN = `select exists (select from pg_attribute where attrelid = 'users'::regclass and attname = 'wechat' and not attisdropped)`;
const DEFINITION = `select count(*)::int from user_attribute_definitions where key = 'wechat' and deleted_at is null`;

/** All that is stored of users and values, but for what the repair is about. */
const OTHERS = `select md5(string_agg((to_jsonb(u) - 'wechat')::text, '' order by id)) || (select md5(string_agg(v::text, '' order by id))
  from user_attribute_values v where attribute_id <> 1) from users u`;

describe('the attribute wechat', () => {
  it('comes back with the texts of all users, and the column goes', async () => {
    const { client, repairs } = await damaged();
    await client.query(
      `insert into user_attribute_values (user_id, attribute_id, value) values (3, 1, 'newer')`,
    );
    const others = await one(client, OTHERS);
    expect(await one(client, DEFINITION)).toBe(0);
    await repairs.up({ to: '002' });
    expect(await one(client, DEFINITION)).toBe(1);
    expect(await one(client, HAS_COLUMN)).toBe(true);
    const wrong = `select count(*)::int from users u left join user_attribute_values v on v.user_id = u.id and v.attribute_id = 1
      where u.id <> 3 and coalesce(u.wechat, '') <> coalesce(v.value, '')`;
    expect(await one(client, wrong)).toBe(0);
    await repairs.up();
    expect(await one(client, HAS_COLUMN)).toBe(false);
    expect(await one(client, VALUES)).toBe(133);
    expect(
      await one(client, 'select value from user_attribute_values where user_id = 3 and attribute_id = 1'),
    ).toBe('newer');
    const dead = `select count(*)::int from user_attribute_values v join users u on u.id = v.user_id where attribute_id = 1 and u.deleted_at is not null`;
    expect(await one(client, dead)).toBe(13);
    expect(await one(client, OTHERS)).toBe(others);
    expect((await repairs.up()).steps).toEqual([]);
  });

  it('gets what an old program writes after the texts went over', async () => {
    const { client, repairs } = await damaged();
    await repairs.up({ to: '001' });
    await client.query(`update users set wechat = 'late' where id = 4`);
    await repairs.up();
    expect(
      await one(client, 'select value from user_attribute_values where user_id = 4 and attribute_id = 1'),
    ).toBe('late');
  });

  it('gets what was written while the column was about to go', async () => {
    const { client, repairs } = await damaged();
    await repairs.up({ to: '002' });
    // It has its number before the copy begins, writes, and ends when the copy waits for it.
    await client.query(`begin; update users set wechat = 'in between' where id in (4, 7)`);
    const dropping = repairs.up();
    const waiting = `select count(*)::int from pg_locks where not granted and mode = 'AccessExclusiveLock' and relation = 'users'::regclass`;
    while ((await one(client, waiting)) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await client.query('commit');
    await dropping;
    const late = `select count(*)::int from user_attribute_values where attribute_id = 1 and value = 'in between'`;
    expect(await one(client, late)).toBe(2);
  });

  it('is defined where the original never defined it', async () => {
    const { client, repairs } = await damaged();
    await client.query(`delete from user_attribute_definitions where key = 'wechat'`);
    await repairs.up();
    const moved = `select count(*)::int from user_attribute_values v join user_attribute_definitions d on d.id = v.attribute_id where d.key = 'wechat'`;
    expect(await one(client, moved)).toBe(133);
  });

  it('loses no text when somebody deletes the definition before the column goes', async () => {
    const { client, repairs } = await damaged();
    await repairs.up({ to: '002' });
    await client.query(`delete from user_attribute_values where attribute_id = 1`);
    await client.query(`update user_attribute_definitions set deleted_at = now() where id = 1`);
    await expect(repairs.up()).rejects.toThrow(/restore its definition/);
    expect(await one(client, HAS_COLUMN)).toBe(true);
    expect(await one(client, `select count(*)::int from users where wechat <> ''`)).toBe(133);
  });
});

describe('the tier of Gemini accounts', () => {
  it('is LEGACY where one is needed and was lost, and the scheduler hears of it', async () => {
    const { client, repairs } = await damaged();
    const { rows: before } = await client.query(
      'select id, credentials, updated_at from accounts order by id',
    );
    await repairs.up();
    const { rows: after } = await client.query(
      'select id, credentials, updated_at from accounts order by id',
    );
    const changed = after.filter((row, index) => JSON.stringify(row) !== JSON.stringify(before[index]));
    // Every third is one of Gemini; of five of these one says code_assist, one has a project only, and others need none.
    expect(changed.map(({ id }) => Number(id))).toEqual([6, 15, 21, 30, 36, 45, 51, 60]);
    expect(changed[0]).toMatchObject({ credentials: { project_id: 'p', tier_id: 'LEGACY' } });
    const events = await client.query(`select event_type, payload from scheduler_outbox where id > 50`);
    expect(events.rows).toEqual([
      { event_type: 'account_bulk_changed', payload: { account_ids: [6, 15, 21, 30, 36, 45, 51, 60] } },
    ]);
    expect(await one(client, `select credentials ->> 'tier_id' from accounts where id = 3`)).toBe('STANDARD');
  });
});

describe('the repairs in a database that ours have made', () => {
  it('do nothing', async () => {
    const { url } = await cloneTestDatabase();
    const client = await connect(url);
    await client.query(`insert into users (email, password_hash) values ('a@example.test', 'h')`);
    await client.query(
      `insert into user_attribute_definitions (key, name, type, deleted_at) values ('wechat', 'WeChat', 'text', now())`,
    );
    const everything = `select md5((select string_agg(u::text, '') from users u) || (select string_agg(d::text, '') from user_attribute_definitions d)
      || (select count(*) from user_attribute_values) || (select count(*) from scheduler_outbox))`;
    const before = await one(client, everything);
    expect(before).toEqual(expect.any(String));
    const migrator = new Migrator({ connection: url, modules: [gateway, gatewayRepairs] });
    expect((await migrator.up()).steps).toHaveLength(3);
    expect(await one(client, everything)).toBe(before);
  });
});

it('the files of the repairs pass the rules for migrations', async () => {
  expect(await lintMigrations([gateway, gatewayRepairs])).toEqual([]);
});
