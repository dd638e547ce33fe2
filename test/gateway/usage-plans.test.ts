import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

const ROWS = 100_000;
const ACTORS = 500;

/** Each user has a key and an account; their logs lie mixed over 200 days. */
const FILL = `
  with u as (
    insert into users (email, password_hash) select n || '@example.com', 'hash' from generate_series(1, ${ACTORS}) n
    returning id
  ), k as (
    insert into api_keys (user_id, key, name) select id, 'key ' || id, 'key' from u returning id
  ), a as (
    insert into accounts (name, platform, type) select 'account', 'anthropic', 'oauth' from u returning id
  )
  insert into usage_logs (user_id, api_key_id, account_id, model, created_at, total_cost, actual_cost)
    select us[1 + n % ${ACTORS}], ks[1 + n % ${ACTORS}], accounts[1 + n % ${ACTORS}], 'model ' || n % 7,
      timestamptz '2026-01-01 00:00+00' + n * interval '172.8 seconds', 1, 1
    from generate_series(0, ${ROWS - 1}) n, (select array_agg(id) as us from u) x, (select array_agg(id) as ks from k) y,
      (select array_agg(id) as accounts from a) z`;

let gateway: Gateway;
let actor: { user: string; key: string; account: string };
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.rows(FILL);
  await gateway.rows('analyze usage_logs');
  const [found] = await gateway.rows<typeof actor>(
    'select user_id as user, api_key_id as key, account_id as account from usage_logs order by id limit 1',
  );
  if (!found) throw new Error('There are no logs.');
  actor = found;
});
afterAll(() => gateway.close());

const reports = (): GatewayRepositories['usageReports'] =>
  gatewayRepositories(gateway.em(), { timeZone: 'UTC' }).usageReports;
const logs = (): GatewayRepositories['usageLogs'] => gatewayRepositories(gateway.em()).usageLogs;

/** The plans of the statements that the work sends. */
async function plansOf(work: () => Promise<unknown>): Promise<string[]> {
  gateway.statements();
  await work();
  const plans: string[] = [];
  for (const sql of gateway.statements()) {
    const rows = await gateway.rows<{ 'QUERY PLAN': string }>(
      `explain (analyze, timing off, costs off) ${sql.replace(/ \[took .*$/s, '')}`,
    );
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  return plans;
}

/** A scan of the index whose condition holds both the key and the instant, and none of the whole table. */
function expectRange(plan: string | undefined, index: string, key: string): void {
  expect(plan).toContain(index);
  expect(plan).toMatch(new RegExp(`Index Cond: \\(\\(${key} = [^\\n]*created_at >=`));
  expect(plan).not.toContain('Seq Scan on usage_logs');
  expect(plan).not.toContain('usage_logs_pkey');
}

/** The last 20 days of 200. */
const RANGE = { start: new Date('2026-06-30T00:00:00Z'), end: new Date('2026-07-20T00:00:00Z') };

describe(`plans on ${ROWS} usage logs`, () => {
  it('6.8: the window cost of an account reads the range of its index, in one statement', async () => {
    const plans = await plansOf(() => reports().getAccountWindowStats(actor.account, RANGE.start));
    expect(plans).toHaveLength(1);
    expectRange(plans[0], 'idx_usage_logs_account_created_at', 'account_id');
    expect(Number(/usage_logs .*?rows=(\d+)/.exec(plans[0] ?? '')?.[1])).toBeLessThan(50);
    const [today] = await plansOf(() => reports().getAccountTodayStats(actor.account));
    expect(today).not.toContain('Seq Scan on usage_logs');
  });

  it('6.8: without that index the same window reads the logs of everyone', async () => {
    const work = gateway.em().transactional(async (em) => {
      await em.execute('drop index idx_usage_logs_account_created_at');
      const rows = await em.execute<{ 'QUERY PLAN': string }[]>(
        'explain select sum(total_cost) from usage_logs where account_id = ? and created_at >= ?',
        [actor.account, RANGE.start],
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toContain('Filter: (account_id = ');
      throw new Error('rolled back');
    });
    await expect(work).rejects.toThrow('rolled back');
  });

  it('reports of a user, a key, an account and a model read theirs', async () => {
    const works = [
      ['user', () => reports().getUserStats(actor.user, RANGE)],
      ['user', () => reports().getUserStatsAggregated(actor.user, RANGE)],
      ['user', () => reports().getDailyStatsAggregated(actor.user, RANGE)],
      ['user', () => reports().getUserUsageTrendByUserId(actor.user, RANGE, 'hour')],
      ['user', () => reports().getUserModelStats(actor.user, RANGE)],
      ['api_key', () => reports().getApiKeyStatsAggregated(actor.key, RANGE)],
      ['account', () => reports().getAccountStatsAggregated(actor.account, RANGE)],
      ['account', () => reports().getModelStatsWithFilters(RANGE, { accountId: actor.account })],
      ['account', () => reports().getAccountUsageStats(actor.account, RANGE)],
    ] as const;
    for (const [name, work] of works)
      for (const plan of await plansOf(work)) {
        const index = name === 'user' ? 'idx_usage_logs_user_created' : `idx_usage_logs_${name}_created_at`;
        expectRange(plan, index, `${name}_id`);
      }
    const [model] = await plansOf(() => reports().getModelStatsAggregated('model 1', RANGE));
    expect(model).toMatch(/idx_usage_logs_(model_)?created_at/);
  });

  it('reports of all read the range of the instants', async () => {
    const closed = { startTime: RANGE.start, endTime: RANGE.end };
    for (const work of [
      () => reports().getGlobalStats(closed),
      () => reports().getUsageTrendWithFilters(RANGE, 'day', {}),
      () => reports().getUserUsageTrend(RANGE, 'day', 5),
    ]) {
      const [plan] = await plansOf(work);
      expect(plan).toContain('idx_usage_logs_created_at');
      expect(plan).not.toContain('Seq Scan on usage_logs');
    }
  });

  it('lists of a time range read theirs, and do not walk back over the whole table by id', async () => {
    const [user] = await plansOf(() => logs().listByUserAndTimeRange(actor.user, RANGE));
    expectRange(user, 'idx_usage_logs_user_created', 'user_id');
    const [key] = await plansOf(() => logs().listByApiKeyAndTimeRange(actor.key, RANGE));
    expectRange(key, 'idx_usage_logs_api_key_created_at', 'api_key_id');
    const [account] = await plansOf(() => logs().listByAccountAndTimeRange(actor.account, RANGE));
    expectRange(account, 'idx_usage_logs_account_created_at', 'account_id');
  });

  it('F32: a part of a list reads no more than it gives, where a deep page reads all before it', async () => {
    const rowsRead = (plan = ''): number => Number(/usage_logs_pkey.*rows=(\d+)/.exec(plan)?.[1]);
    const [, page] = await plansOf(() => logs().listWithFilters({ page: 900, pageSize: 100 }, {}));
    expect(rowsRead(page)).toBe(90_000);
    const [slice] = await plansOf(() => logs().listSlice({ before: '50001', limit: 100 }, {}));
    expect(rowsRead(slice)).toBe(101);
    expect(slice).toMatch(/Index Cond: \(id < /);
  });

  it('an hour is added up from the range of the instants', async () => {
    const hour = { start: new Date('2026-07-19T19:10:00Z'), end: new Date('2026-07-19T19:12:00Z') };
    const { dashboardAggregation } = gatewayRepositories(gateway.em(), { timeZone: 'Asia/Kolkata' });
    const plans = await plansOf(() => dashboardAggregation.aggregateRange(hour));
    const ofLogs = plans.filter((plan) => plan.includes('on usage_logs'));
    expect(ofLogs).toHaveLength(2);
    for (const plan of ofLogs) {
      expect(plan).not.toContain('Seq Scan on usage_logs');
      expect(plan).toMatch(/Index Cond: \(\(created_at >= [^\n]*created_at </);
    }
  });
});
