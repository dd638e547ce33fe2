import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/core';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type DataDriver, type DataEntityManager, defineDataConfig } from 'tombstone';
import { gateway, verifyAllowedGroups } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { watched } from '../support/watched.ts';

/** Runs `work` against a transaction that has done its first step before, and the others while `work` waits for it. */
async function during<T>(url: string, [first = '', ...steps]: string[], work: () => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(first);
    const working = work();
    working.catch(() => undefined);
    await sleep(500);
    for (const step of steps) await client.query(step);
    await client.query('commit');
    return await working;
  } finally {
    await client.end();
  }
}

const migrator = (url: string): Migrator => new Migrator({ connection: url, modules: [gateway] });

async function query<T extends object>(url: string, sql: string): Promise<T[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const results = (await client.query(sql)) as unknown as { rows: T[] } | { rows: T[] }[];
    return (Array.isArray(results) ? results.at(-1)?.rows : results.rows) ?? [];
  } finally {
    await client.end();
  }
}

async function withOrm<T>(
  url: string,
  work: (em: DataEntityManager, orm: MikroORM<DataDriver, DataEntityManager>) => Promise<T>,
): Promise<T> {
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  const close = watched(orm);
  try {
    return await work(orm.em.fork(), orm);
  } finally {
    await close();
  }
}

/**
 * Columns, indexes and constraints as the catalogue has them, without the engine's own tables; the order of columns is no
 * part of a schema's meaning.
 */
const SCHEMA = `
  select 'column' as kind, table_name || '.' || column_name as name,
    concat_ws(' ', data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable, column_default) as definition
  from information_schema.columns where table_schema = 'public' and table_name not like 'schema%migration%'
  union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public' and tablename not like 'schema%migration%'
  union all select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace and conrelid::regclass::text not like 'schema%migration%' and contype <> 'n'
  order by 1, 2`;

const PHASE_ZERO_ROWS = `
  insert into groups (id, name, deleted_at) values (11, 'one', null), (12, 'two', null), (13, 'dead', now());
  insert into users (id, email, password_hash, allowed_groups, deleted_at) values
    (1, 'plain', 'h', '{11,12}', null), (2, 'duplicates', 'h', '{11,11,12,11}', null), (3, 'nulls', 'h', '{NULL,11,NULL}', null),
    (4, 'orphans', 'h', '{11,999,998,999}', null), (5, 'empty', 'h', '{}', null), (6, 'none', 'h', null, null),
    (7, 'dead group', 'h', '{13}', null), (8, 'dead user', 'h', '{12,997}', now())`;

const PAIRS = ['1:11', '1:12', '2:11', '2:12', '3:11', '4:11', '7:13', '8:12'];
const pairsOf = async (url: string): Promise<string[]> =>
  (
    await query<{ pair: string }>(
      url,
      `select user_id || ':' || group_id as pair from user_allowed_groups order by user_id, group_id`,
    )
  ).map((row) => row.pair);
const orphansOf = async (url: string): Promise<string[]> =>
  (
    await query<{ pair: string }>(
      url,
      `select user_id || ':' || group_id as pair from orphan_allowed_groups_audit order by user_id, group_id`,
    )
  ).map((row) => row.pair);
const arraysOf = async (url: string): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    (
      await query<{ id: string; groups: string | null }>(
        url,
        'select id, allowed_groups::text as groups from users order by id',
      )
    ).map((row) => [row.id, row.groups]),
  );

async function phaseZero(): Promise<string> {
  const { url } = await emptyTestDatabase();
  await migrator(url).up({ to: '006_widen_user_balance' });
  await query(url, PHASE_ZERO_ROWS);
  return url;
}

describe('the migrations of the gateway', () => {
  it('is the same after up, down to nothing and up again, from every phase', async () => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up();
    const first = await query(url, SCHEMA);
    expect(first.length).toBeGreaterThan(60);
    await migrator(url).down({ to: 0 });
    expect(await query(url, SCHEMA)).toEqual([]);
    for (const phase of [
      '006_widen_user_balance',
      '007_add_user_allowed_groups',
      '008_audit_orphan_allowed_groups',
    ]) {
      await migrator(url).up({ to: phase });
      await migrator(url).up();
      expect(await query(url, SCHEMA)).toEqual(first);
      await migrator(url).down({ to: 0 });
    }
  });

  it('seeds the default group only into an empty table, and takes only its own row back', async () => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up({ to: '003_create_api_keys' });
    await query(url, `insert into groups (name) values ('mine')`);
    await migrator(url).up({ to: '004_seed_default_group' });
    expect(await query(url, 'select name from groups')).toEqual([{ name: 'mine' }]);
    await query(url, 'delete from groups');
    await migrator(url).down();
    await migrator(url).up({ to: '004_seed_default_group' });
    expect(await query(url, 'select name, description from groups')).toEqual([
      { name: 'default', description: 'Default group' },
    ]);
    await query(
      url,
      `insert into users (email, password_hash) values ('a', 'h'); insert into api_keys (user_id, key, name, group_id) select u.id, 'k', 'n', g.id from users u, groups g`,
    );
    await migrator(url).down();
    expect(await query(url, 'select name from groups')).toEqual([{ name: 'default' }]);
  });

  it.each(['rate_multiplier = 2', 'daily_limit_usd = 5', `status = 'disabled'`, 'deleted_at = now()'])(
    'keeps the default group when it was changed by hand to %s',
    async (change) => {
      const { url } = await emptyTestDatabase();
      await migrator(url).up({ to: '004_seed_default_group' });
      await query(url, `update groups set ${change}`);
      await migrator(url).down();
      expect(await query(url, 'select name from groups')).toEqual([{ name: 'default' }]);
    },
  );

  it('keeps all decimals of a balance when the wide column is to be reverted', async () => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up({ to: '006_widen_user_balance' });
    await query(url, `insert into users (email, password_hash, balance) values ('a', 'h', 1.0000000049)`);
    await expect(migrator(url).down()).rejects.toThrow(/more than 8 decimals.*P0001/s);
    expect(await query(url, 'select balance::text from users')).toEqual([{ balance: '1.0000000049' }]);
    await query(url, 'update users set balance = 1.5');
    await migrator(url).down();
    expect(await query(url, 'select balance::text from users')).toEqual([{ balance: '1.50000000' }]);
  });

  it('keeps all decimals of a charge that comes while the wide column is reverted', async () => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up({ to: '006_widen_user_balance' });
    await query(url, `insert into users (email, password_hash, balance) values ('a', 'h', 1)`);
    const charge = 'update users set balance = balance - 0.0000000049';
    await expect(during(url, [charge], () => migrator(url).down())).rejects.toThrow(/more than 8 decimals/);
    expect(await query(url, 'select balance::text from users')).toEqual([{ balance: '0.9999999951' }]);
  });
});

describe('allowed groups, from the array to the table', () => {
  it('writes each pair of a user and an existing group once, deleted ones included', async () => {
    const url = await phaseZero();
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toMatchObject({
      phase: 0,
      pairsExpected: 8,
      pairsWritten: 0,
      missing: 8,
    });
    await migrator(url).up({ to: '007_add_user_allowed_groups' });
    expect(await pairsOf(url)).toEqual(PAIRS);
    expect(await arraysOf(url)).toMatchObject({ 2: '{11,11,12,11}', 6: null });
  });

  it('records the orphans, and proves both anti-joins empty', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '008_audit_orphan_allowed_groups' });
    expect(await orphansOf(url)).toEqual(['4:998', '4:999', '8:997']);
    const proof = {
      phase: 1,
      pairsExpected: 8,
      pairsWritten: 8,
      orphansRecorded: 3,
      missing: 0,
      unexpected: 0,
    };
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toEqual(proof);
    await query(
      url,
      `delete from user_allowed_groups where user_id = 1 and group_id = 11; insert into user_allowed_groups (user_id, group_id) values (5, 12)`,
    );
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toMatchObject({
      pairsExpected: 8,
      pairsWritten: 8,
      missing: 1,
      unexpected: 1,
    });
  });

  it('loses nothing that an old program writes into an array before the column goes', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '008_audit_orphan_allowed_groups' });
    await query(url, `update users set allowed_groups = '{12,777,NULL}' where id = 6`);
    await migrator(url).up();
    expect(await pairsOf(url)).toEqual([...PAIRS.slice(0, 6), '6:12', ...PAIRS.slice(6)]);
    expect(await orphansOf(url)).toEqual(['4:998', '4:999', '6:777', '8:997']);
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toMatchObject({
      phase: 2,
      pairsWritten: 9,
      orphansRecorded: 4,
    });
  });

  it('keeps a pair that one side alone has, whichever side that is', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '008_audit_orphan_allowed_groups' });
    await query(
      url,
      `delete from user_allowed_groups where user_id = 1 and group_id = 11; update users set allowed_groups = '{11}' where id = 2`,
    );
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toMatchObject({ missing: 1, unexpected: 1 });
    await migrator(url).up();
    expect(await pairsOf(url)).toEqual(PAIRS);
  });

  it('changes nothing when an element of an array got into neither the table nor the audit', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '008_audit_orphan_allowed_groups' });
    await query(
      url,
      `create function nothing() returns trigger language plpgsql as 'begin return null; end';
       create trigger nothing before insert on user_allowed_groups for each row execute function nothing();
       update users set allowed_groups = '{12}' where id = 6`,
    );
    await expect(migrator(url).up()).rejects.toThrow(
      /neither in user_allowed_groups nor in the audit.*P0001/s,
    );
    expect(await arraysOf(url)).toMatchObject({ 6: '{12}' });
    expect(await pairsOf(url)).toEqual(PAIRS);
  });

  it('drops the array beside a transaction that has read users and goes on to write them', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '008_audit_orphan_allowed_groups' });
    const steps = ['select count(*) from users', `update users set allowed_groups = '{12}' where id = 6`];
    await during(url, steps, () => migrator(url).up());
    expect(await pairsOf(url)).toContain('6:12');
  });

  it('counts pairs without a user or a group once the table is all there is', async () => {
    const url = await phaseZero();
    await migrator(url).up();
    await query(
      url,
      `set session_replication_role = replica; insert into user_allowed_groups (user_id, group_id) values (1, 999)`,
    );
    const proof = { phase: 2, pairsExpected: 8, pairsWritten: 9, missing: 0, unexpected: 1 };
    expect(await withOrm(url, (em) => verifyAllowedGroups(em))).toMatchObject(proof);
  });

  it('fills the array from the table when the drop is reverted', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '025_drop_users_allowed_groups' });
    await migrator(url).down();
    expect(await arraysOf(url)).toEqual({
      1: '{11,12}',
      2: '{11,12}',
      3: '{11}',
      4: '{11}',
      5: null,
      6: null,
      7: '{13}',
      8: '{12}',
    });
    await migrator(url).up();
    expect(await pairsOf(url)).toEqual(PAIRS);
  });

  it('writes pairs that only the table has back into the arrays when the table is reverted', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '007_add_user_allowed_groups' });
    await query(url, `insert into user_allowed_groups (user_id, group_id) values (6, 12), (6, 11), (4, 12)`);
    await migrator(url).down();
    expect(await arraysOf(url)).toMatchObject({
      4: '{11,999,998,999,12}',
      5: '{}',
      6: '{11,12}',
      2: '{11,11,12,11}',
    });
    await migrator(url).up({ to: '007_add_user_allowed_groups' });
    expect(await pairsOf(url)).toContain('6:12');
  });

  it('brings no pair back that is removed while the drop is reverted', async () => {
    const url = await phaseZero();
    await migrator(url).up({ to: '025_drop_users_allowed_groups' });
    await during(url, ['delete from user_allowed_groups where user_id = 1 and group_id = 11'], () =>
      migrator(url).down(),
    );
    expect(await arraysOf(url)).toMatchObject({ 1: '{12}' });
  });

  it('writes a pair back that comes while the table is reverted, or its drop', async () => {
    const pair = 'insert into user_allowed_groups (user_id, group_id) values (6, 12)';
    for (const from of ['007_add_user_allowed_groups', '025_drop_users_allowed_groups']) {
      const url = await phaseZero();
      await migrator(url).up({ to: from });
      await during(url, [pair], () => migrator(url).down());
      expect(await arraysOf(url)).toMatchObject({ 6: '{12}' });
    }
  });
});
