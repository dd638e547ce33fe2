import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway, gatewayAdoption } from 'tombstone/gateway';
import type { DataRule } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { COMPLETE, createOriginal, LEGACY, type OriginalShape } from '../support/original-gateway.ts';
import { snapshotRows } from '../support/original/snapshot.ts';

const open: Client[] = [];
afterAll(() => Promise.all(open.map((client) => client.end())));

async function original(shape: OriginalShape): Promise<Client> {
  const { url } = await emptyTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  open.push(client);
  await createOriginal(client, shape, { users: 400, logs: 1200 });
  return client;
}

/** A legacy database with what the alignment would have made before the rules that come after it. */
async function aligned(): Promise<Client> {
  const client = await original({ ...LEGACY, hasOldCacheColumns: true });
  await client.query(`alter table usage_logs add column cache_creation_5m_tokens integer not null default 0,
    add column cache_creation_1h_tokens integer not null default 0`);
  await client.query('update usage_logs set cache_creation_5m_tokens = 77 where id = 6');
  await client.query(`create table usage_dashboard_aggregation_watermark (id integer primary key,
    last_aggregated_at timestamptz not null default '1970-01-01 00:00:00+00', updated_at timestamptz not null default now())`);
  return client;
}

async function keysLeft(client: Client, rule: DataRule): Promise<string[]> {
  const { rows } = await client.query<unknown[]>({ text: rule.left, rowMode: 'array' });
  return rows.map(([key]) => String(key));
}

/** All rows of the rule's table by key, as text. */
async function rowsOf(client: Client, { table, key }: DataRule): Promise<Map<string, string>> {
  const { rows } = await client.query<{ key: string; row: string }>(
    `select ${key}::text as key, t::text as row from ${table} t`,
  );
  return new Map(rows.map(({ key: of, row }) => [of, row]));
}

/** Goes through the keys that are left, a few at a time; gives how many rows were changed. */
async function apply(client: Client, rule: DataRule, width = 7): Promise<number> {
  const keys = await keysLeft(client, rule);
  let changed = 0;
  for (let start = 0; start < keys.length; start += width) {
    const window = keys.slice(start, start + width);
    const { rowCount } = await client.query(rule.statement, [window[0], window.at(-1)]);
    changed += rowCount ?? 0;
  }
  return changed;
}

describe('the rules over a legacy database', () => {
  let client: Client;
  beforeAll(async () => {
    client = await aligned();
  });

  it('change every row that they find, once, and no other row', async () => {
    const changes: Record<string, number> = {};
    const before = await snapshotRows(client);
    for (const rule of gatewayAdoption.rules) {
      const [keys, rows] = [await keysLeft(client, rule), await rowsOf(client, rule)];
      changes[rule.name] = await apply(client, rule);
      const after = await rowsOf(client, rule);
      const different = [...after.keys()].filter((key) => after.get(key) !== rows.get(key));
      expect([rule.name, different.toSorted()]).toEqual([rule.name, keys.toSorted()]);
      expect(await keysLeft(client, rule)).toEqual([]);
      const { rowCount } = await client.query(rule.statement, ['0', '2000000000']);
      expect([rule.name, rowCount]).toEqual([rule.name, 0]);
    }
    expect(changes).toEqual({
      'empty request ids become NULL': 24,
      'repeated request ids become NULL': 60,
      'cache_creation5m_tokens goes over to cache_creation_5m_tokens': 1028,
      'cache_creation1h_tokens goes over to cache_creation_1h_tokens': 960,
      'official accounts get their type by scope': 20,
      'subscriptions end in 2099 at the latest': 16,
      'the watermark of the dashboard is there': 1,
    });
    // Nothing else of any row: the snapshot holds what a rule changes in the form that it has in the end.
    const { sums } = await snapshotRows(client, before);
    const watermark = { usage_dashboard_aggregation_watermark: expect.any(String) };
    expect(sums).toEqual({ ...before.sums, ...watermark });
  });

  it('come to the same in windows over all keys', async () => {
    const other = await aligned();
    for (const rule of gatewayAdoption.rules.filter(({ table }) => !table.endsWith('watermark'))) {
      for (let low = -100; low < 1500; low += 37) await other.query(rule.statement, [low, low + 36]);
      expect([rule.name, ...(await keysLeft(other, rule))]).toEqual([rule.name]);
    }
    const logs = `select md5(string_agg(l::text, '' order by id)) as sum from usage_logs l`;
    expect((await other.query(logs)).rows).toEqual((await client.query(logs)).rows);
  });

  it('give the first log of a request its id, and every other one none', async () => {
    const { rows } = await client.query(
      `select id, request_id from usage_logs where id in (2, 3, 4, 50, 5) order by id`,
    );
    expect(rows).toEqual([
      { id: '2', request_id: 'req-2' },
      { id: '3', request_id: null },
      { id: '4', request_id: null },
      { id: '5', request_id: 'req-5' },
      { id: '50', request_id: null },
    ]);
  });

  it('keep tokens that the new column has, and the old column', async () => {
    const { rows } = await client.query(
      'select cache_creation_5m_tokens as new, cache_creation5m_tokens as old from usage_logs where id in (5, 6) order by id',
    );
    expect(rows).toEqual([
      { new: 5, old: 5 },
      { new: 77, old: 6 },
    ]);
  });

  it('tell a setup token by its scope, and say when', async () => {
    const { rows } = await client.query(
      `select credentials ->> 'scope' as scope, type, count(*)::int, bool_and(updated_at > now() - interval '1 hour') as touched
       from accounts where id % 3 = 1 group by 1, 2 order by 1`,
    );
    expect(rows).toEqual([
      { scope: '["user:inference", "user:profile"]', type: 'oauth', count: 5, touched: true },
      { scope: 'user:inference', type: 'setup-token', count: 5, touched: true },
      { scope: 'user:profile user:inference', type: 'oauth', count: 5, touched: true },
      { scope: null, type: 'oauth', count: 5, touched: true },
    ]);
  });

  it('cap what ends half a second too late as well, and leave what ends in time', async () => {
    const { rows } = await client.query(
      `select max(expires_at)::text as latest, count(*) filter (where updated_at > now() - interval '1 hour')::int as touched,
         count(*) filter (where expires_at = '2099-12-31 23:59:59+00')::int as capped from user_subscriptions`,
    );
    expect(rows).toEqual([{ latest: '2099-12-31 23:59:59+00', touched: 16, capped: 24 }]);
  });
});

it('the snapshot sees a row that is changed, one that goes, and one that comes', async () => {
  const client = await original(COMPLETE);
  const before = await snapshotRows(client);
  const differing = async (sql: string): Promise<string[]> => {
    await client.query('begin');
    await client.query(sql);
    const { sums } = await snapshotRows(client, before);
    await client.query('rollback');
    return Object.keys(sums).filter((table) => sums[table] !== before.sums[table]);
  };
  expect(await differing('select')).toEqual([]);
  expect(await differing(`update users set balance = balance + 0.00000001 where id = 7`)).toEqual(['users']);
  expect(await differing('delete from settings where id = 1')).toEqual(['settings']);
  expect(await differing(`insert into user_allowed_groups values (1, 1)`)).toEqual(['the allowed groups']);
  expect(await differing('alter table users alter column balance type numeric(22,10)')).toEqual([]);
  expect(await differing(`update usage_logs set request_id = null where request_id = ''`)).toEqual([]);
  expect(await differing(`update usage_logs set request_id = null where id = 5`)).toEqual(['usage_logs']);
  expect(await differing(`alter table groups drop column description`)).toEqual(['groups']);
});

describe('what the gateway says of its origin', () => {
  it('goes with the module to whoever runs its migrations', () => {
    const { migrations } = defineDataConfig({ clientUrl: 'postgresql://localhost/none', modules: [gateway] });
    expect(migrations).toMatchObject({ modules: [{ name: 'gateway', adoption: gatewayAdoption }] });
    expect(gatewayAdoption.known.filter(({ isOptional }) => !isOptional)).toHaveLength(43);
    expect(gatewayAdoption.known.map(({ name }) => name)).toEqual(
      gatewayAdoption.known
        .map(({ name }) => name)
        .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    for (const { checksums } of gatewayAdoption.known) {
      for (const checksum of checksums) expect(checksum).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('asks only for columns that it names', async () => {
    const client = await original(COMPLETE);
    // No state has all of them: the array goes when the promo codes are not there yet.
    await client.query('alter table users add column allowed_groups bigint[]');
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I.%I', table_schema, table_name, column_name) as name from information_schema.columns`,
    );
    const there = new Set(rows.map(({ name }) => name));
    const asked = [
      ...gatewayAdoption.warnings.map(({ columns, count }) => ({ columns, sql: count })),
      ...(gatewayAdoption.obstacles ?? []).flatMap(({ columns, count, query }) => [
        { columns, sql: count },
        { columns, sql: query },
      ]),
    ];
    for (const { columns, sql } of asked) {
      expect(columns.filter((column) => !there.has(column))).toEqual([]);
      await client.query(sql);
    }
  });

  const counted = async (client: Client, part: RegExp): Promise<number[]> => {
    const questions = [...gatewayAdoption.warnings, ...(gatewayAdoption.obstacles ?? [])].filter(({ text }) =>
      part.test(text),
    );
    return Promise.all(
      questions.map(async ({ count }) => (await client.query<{ count: number }>(count)).rows[0]?.count ?? -1),
    );
  };

  it('tells of an administrator of the first script, and of no other', async () => {
    const client = await original(COMPLETE);
    const administrator = /active administrator/;
    expect(await counted(client, administrator)).toEqual([0, 0]);
    await client.query(`begin; update groups set name = 'default', created_at = now() where id = 2;
      insert into users (email, password_hash, role) values ('admin@example.test', 'hash', 'admin'); commit`);
    expect(await counted(client, administrator)).toEqual([1, 0]);
    await client.query(`update groups set name = 'renamed' where id = 2;
      update schema_migrations set applied_at = (select max(created_at) from users) where filename = '001_init.sql'`);
    expect(await counted(client, administrator)).toEqual([0, 1]);
    await client.query(`update users set status = 'disabled' where role = 'admin'`);
    expect(await counted(client, administrator)).toEqual([0, 0]);
  });

  it('counts texts, tiers and promo codes that wait for a decision', async () => {
    const client = await original(COMPLETE);
    expect(await counted(client, /wechat/)).toEqual([133]);
    expect(await counted(client, /Gemini/)).toEqual([8]);
    expect(await counted(client, /Promo codes/)).toEqual([0]);
    await client.query(`insert into promo_codes (code) values ('Welcome2')`);
    expect(await counted(client, /Promo codes/)).toEqual([2]);
  });
});
