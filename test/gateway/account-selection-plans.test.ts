import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

/** 2,000 accounts of 10 platforms, each in 3 of 200 groups; some are dead, disabled or paused, and half have a proxy. */
const FILL = [
  `insert into groups (name) select 'plan ' || n from generate_series(1, 200) n`,
  `insert into proxies (name, protocol, host, port) select 'p', 'http', 'h', 1 from generate_series(1, 50)`,
  `insert into accounts (name, platform, type, proxy_id, priority, status, schedulable, deleted_at, overload_until)
   select 'a', coalesce((array['anthropic', 'openai', 'gemini', 'antigravity'])[n % 10], 'other ' || n % 10), 'oauth', case when n % 2 = 0 then (select min(id) from proxies) + n % 50 end,
     n % 7, case when n % 11 = 0 then 'error' else 'active' end, n % 13 <> 0,
     case when n % 5 = 0 then now() end, case when n % 17 = 0 then now() + interval '1 hour' end
   from generate_series(1, 2000) n`,
  `insert into account_groups (account_id, group_id, priority)
   select a.id, (select min(id) from groups where name like 'plan %') + (a.id * 7 + k * 61) % 200, k
   from accounts a cross join generate_series(1, 3) k`,
  'analyze accounts, account_groups, groups, proxies',
];

let gateway: Gateway;
let group: string;
beforeAll(async () => {
  gateway = await openGateway();
  for (const sql of FILL) await gateway.rows(sql);
  const [row] = await gateway.rows<{ id: string }>(`select id from groups where name = 'plan 77'`);
  group = row?.id ?? '';
});
afterAll(() => gateway.close());

type Accounts = GatewayRepositories['accounts'];

/** How many rows there are, and the plan of the one statement. Inside a transaction its text is in the log, with values. */
async function planOf(
  work: (accounts: Accounts) => Promise<unknown[]>,
  explain = 'explain',
): Promise<{ rows: number; plan: string }> {
  gateway.statements();
  const found = await gateway.em().transactional((tx) => work(gatewayRepositories(tx).accounts));
  const [sql, ...others] = gateway.statements();
  expect(others).toEqual([]);
  const lines = await gateway.rows<{ 'QUERY PLAN': string }>(
    `${explain} ${sql?.replace(/ \[took .*$/s, '')}`,
  );
  return { rows: found.length, plan: lines.map((line) => line['QUERY PLAN']).join('\n') };
}

const INDEX = 'idx_accounts_schedulable_platform_priority';

it('of a platform the partial index gives the accounts', async () => {
  const { rows, plan } = await planOf((accounts) => accounts.listSchedulableByPlatform('gemini'));
  expect(rows).toBeGreaterThan(50);
  expect(plan).toContain(INDEX);
  expect(plan).not.toMatch(/Seq Scan on (accounts|account_groups)/);
});

it('no table is scanned once for each account', async () => {
  for (const work of [
    (accounts: Accounts) => accounts.listSchedulableByPlatform('gemini'),
    (accounts: Accounts) => accounts.listSchedulableByGroupId(group),
  ]) {
    const { plan } = await planOf(work, 'explain (analyze, costs off, timing off, summary off)');
    expect(plan).toMatch(/Scan on .*loops=1\)/);
    expect(
      plan.split('\n').filter((line) => /Seq Scan/.test(line) && !/loops=1\)|never executed/.test(line)),
    ).toEqual([]);
  }
});

it('of several platforms too', async () => {
  const { rows, plan } = await planOf((accounts) =>
    accounts.listSchedulableByPlatforms(['gemini', 'antigravity']),
  );
  expect(rows).toBeGreaterThan(100);
  expect(plan).toContain(INDEX);
  expect(plan).not.toMatch(/Seq Scan on (accounts|account_groups)/);
});

it('of a group the bindings lead to the accounts, whatever their number', async () => {
  for (const work of [
    (accounts: Accounts) => accounts.listSchedulableByGroupId(group),
    (accounts: Accounts) => accounts.listSchedulableByGroupIdAndPlatform(group, 'gemini'),
    (accounts: Accounts) => accounts.listSchedulableByGroupIdAndPlatforms(group, ['gemini', 'openai']),
  ]) {
    const { plan } = await planOf(work);
    expect(plan).toContain('idx_account_groups_group_id');
    expect(plan).not.toMatch(/Seq Scan on (accounts|account_groups)/);
  }
});

it('without their groups, the accounts of a group are read by the bindings of that group alone', async () => {
  const { rows, plan } = await planOf((accounts) =>
    accounts.listSchedulableByGroupId(group, { groups: false }),
  );
  expect(rows).toBeGreaterThan(0);
  expect(plan.match(/on account_groups/g)).toHaveLength(1);
  const { plan: whole } = await planOf((accounts) => accounts.listSchedulableByGroupId(group));
  expect(whole.match(/on account_groups/g)?.length).toBeGreaterThan(1);
});

it('F29: is one statement, with the proxies and groups of all rows', async () => {
  const { rows } = await planOf((accounts) => accounts.listSchedulable());
  expect(rows).toBeGreaterThan(1000);
  const found = await gatewayRepositories(gateway.em()).accounts.listSchedulable();
  expect(found.every((account) => account.groupIds.length === 3)).toBe(true);
});
