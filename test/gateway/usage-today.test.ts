import { sql, TransactionPropagation } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { startOfDaySql } from '../../src/gateway/usage/reports/zone-sql.ts';
import { insertAccount } from '../support/gateway-rows.ts';
import { insertLogs, mustCreateUsageWorld, type UsageWorld } from '../support/gateway-usage-logs.ts';
import { type Gateway, mustCreateApiKey, mustCreateUser, openGateway } from '../support/gateway.ts';

const ZONE = 'Asia/Kolkata';
const NESTED = { propagation: TransactionPropagation.NESTED };
let gateway: Gateway;
let ada: UsageWorld;
let bob: UsageWorld;
beforeAll(async () => {
  gateway = await openGateway();
  const em = gateway.em();
  [ada, bob] = [await mustCreateUsageWorld(em), await mustCreateUsageWorld(em)];
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em(), { timeZone: ZONE });
const reports = (): GatewayRepositories['usageReports'] => repositories().usageReports;

/** The instant at which today began in the zone, by the database's clock, and one second before it. */
async function midnight(): Promise<{ today: string; yesterday: string }> {
  const [row] = await gateway.rows<{ today: string; yesterday: string }>(
    `select t as today, t - interval '1 second' as yesterday
     from (select date_trunc('day', now() at time zone ?) at time zone ? as t) m`,
    [ZONE, ZONE],
  );
  if (!row) throw new Error('There is no clock.');
  return row;
}

describe('today', () => {
  it('of an account begins at midnight of the zone, and has the account’s multiplier', async () => {
    const { today, yesterday } = await midnight();
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await insertLogs(gateway.em(), ada, [
      { created_at: yesterday, total_cost: '100', input_tokens: 100 },
      { created_at: today, total_cost: '0.0000000001', account_rate_multiplier: '0.3333', input_tokens: 1 },
      { created_at: today, total_cost: '2', actual_cost: '3', output_tokens: 2, cache_read_tokens: 4 },
    ]);
    await insertLogs(gateway.em(), bob, [{ created_at: today, total_cost: '7' }]);
    const expected = {
      requests: 2,
      tokens: 7,
      cost: '2.00000000003333',
      standardCost: '2.0000000001',
      userCost: '3.0000000000',
    };
    expect(await reports().getAccountTodayStats(ada.account_id)).toEqual(expected);
    const since = (instant: string) => reports().getAccountWindowStats(ada.account_id, new Date(instant));
    expect(await since(today)).toEqual(expected);
    expect(await since(yesterday)).toMatchObject({ requests: 3, standardCost: '102.0000000001' });
    const history = await reports().getAccountUsageStats(ada.account_id, {
      start: new Date(yesterday),
      end: new Date(Date.parse(today) + 1),
    });
    expect(history.summary.today).toMatchObject({ requests: 2, actualCost: '2.00000000003333' });
    expect(history.summary.highestCostDay).toMatchObject({ actualCost: '100.00000000000000' });
    expect(history.summary.highestRequestDay).toEqual(history.summary.today);
    expect(history.summary).toMatchObject({ days: 1, actualDaysUsed: 2 });
  });

  it('F35: does not depend on the zone of the session, as the original’s did', async () => {
    const original = `select date_trunc('day', created_at) as day from usage_logs group by 1`;
    const days: unknown[] = [];
    const ours: unknown[] = [];
    for (const session of ['UTC', 'Pacific/Auckland', 'America/Los_Angeles'])
      await gateway.em().transactional(async (em) => {
        await em.execute(`set local time zone '${session}'`);
        days.push(await em.execute(`select extract(epoch from day)::int from (${original}) d order by 1`));
        const { usageReports } = gatewayRepositories(em, { timeZone: ZONE });
        const range = { start: new Date(0), end: new Date(Date.now() + 60_000) };
        ours.push([
          await usageReports.getDailyStatsAggregated(ada.user_id, range),
          await usageReports.getAccountTodayStats(ada.account_id),
          await usageReports.getUserUsageTrend(range, 'hour', 5),
          await usageReports.getAccountUsageStats(ada.account_id, range),
          await usageReports.getBatchUserUsageStats([ada.user_id]),
        ]);
      });
    expect(new Set(days.map((found) => JSON.stringify(found))).size).toBeGreaterThan(1);
    expect(ours[1]).toEqual(ours[0]);
    expect(ours[2]).toEqual(ours[0]);
  });

  it.each([
    // At one o'clock of summer the clock shows midnight again.
    ['2026-10-25', 'Atlantic/Azores', '2026-10-25T00:00:00Z', '2026-10-25T01:00:00Z'],
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00Z', '2026-11-01T05:00:00Z'],
    // There is no midnight; the day begins at one.
    ['2026-03-08', 'America/Havana', '2026-03-08T05:00:00Z', '2026-03-08T05:00:00Z'],
    ['2026-10-26', 'Europe/Berlin', '2026-10-25T23:00:00Z', '2026-10-25T23:00:00Z'],
    ['2026-05-01', 'Asia/Kathmandu', '2026-04-30T18:15:00Z', '2026-04-30T18:15:00Z'],
  ])('F35: begins on %s in %s at the first of two midnights', async (day, zone, first, postgres) => {
    const [row] = await gateway.em().execute<{ ours: number; plain: number }[]>(sql`select
      extract(epoch from ${startOfDaySql(sql`${day}::date`, zone)})::int as ours,
      extract(epoch from ${day}::date::timestamp at time zone ${zone}::text)::int as plain`);
    expect(row).toEqual({ ours: Date.parse(first) / 1000, plain: Date.parse(postgres) / 1000 });
  });
});

describe('batches', () => {
  it('have every id, today and in all, in one statement', async () => {
    const { today, yesterday } = await midnight();
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await insertLogs(gateway.em(), ada, [
      { created_at: yesterday, actual_cost: '1.5' },
      { created_at: today, actual_cost: '0.0000000001' },
    ]);
    await repositories().users.delete(bob.user_id);
    await insertLogs(gateway.em(), bob, [{ created_at: yesterday, actual_cost: '4' }]);
    gateway.statements();
    const found = await reports().getBatchUserUsageStats([ada.user_id, bob.user_id, '999', ada.user_id]);
    expect(gateway.statements()).toHaveLength(1);
    expect(Object.fromEntries(found)).toEqual({
      [ada.user_id]: { todayActualCost: '0.0000000001', totalActualCost: '1.5000000001' },
      [bob.user_id]: { todayActualCost: '0.0000000000', totalActualCost: '4.0000000000' },
      999: { todayActualCost: '0.0000000000', totalActualCost: '0.0000000000' },
    });
    const keys = await reports().getBatchApiKeyUsageStats([ada.api_key_id]);
    expect(keys.get(ada.api_key_id)?.totalActualCost).toBe('1.5000000001');
    gateway.statements();
    expect(await reports().getBatchUserUsageStats([])).toEqual(new Map());
    expect(gateway.statements()).toEqual([]);
  });
});

describe('dashboards', () => {
  it('of a user count live keys, all and today, and the last five minutes', async () => {
    const { today } = await midnight();
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await insertLogs(gateway.em(), ada, [
      { created_at: '2026-01-01T00:00:00Z', actual_cost: '1', duration_ms: 100, input_tokens: 50 },
      { created_at: today, actual_cost: '2', duration_ms: null },
      ...Array.from({ length: 11 }, () => ({ input_tokens: 3, output_tokens: 1, duration_ms: 400 })),
    ]);
    const em = gateway.em();
    await mustCreateApiKey(em, { userId: ada.user_id, status: 'disabled' });
    await repositories().apiKeys.delete((await mustCreateApiKey(em, { userId: ada.user_id })).id);
    gateway.statements();
    const found = await reports().getUserDashboardStats(ada.user_id);
    expect(gateway.statements()).toHaveLength(3);
    expect(found).toMatchObject({ totalApiKeys: 2, activeApiKeys: 1, rpm: 2, tpm: 8 });
    expect(found.total).toMatchObject({ requests: 13, totalTokens: 94, actualCost: '3.0000000000' });
    expect(found.today).toMatchObject({ requests: 12, actualCost: '2.0000000000' });
    expect(found.averageDurationMs).toBeCloseTo((100 + 11 * 400) / 12, 6);
  });

  it('of all take totals from the aggregated days, or from the logs of a range', async () => {
    const em = gateway.em();
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await mustCreateUser(em);
    for (const values of [
      { status: 'error' },
      { schedulable: false },
      { rate_limit_reset_at: new Date(Date.now() + 60_000) },
      { overload_until: new Date(Date.now() + 60_000), rate_limit_reset_at: new Date(0) },
      { deleted_at: new Date() },
    ])
      await insertAccount(em, values);
    await insertLogs(em, ada, [
      { created_at: '2026-01-01T00:00:00Z', total_cost: '5', duration_ms: 90 },
      ...Array.from({ length: 5 }, () => ({ total_cost: '0.1', duration_ms: null })),
    ]);
    const { dashboardAggregation, usageReports } = repositories();
    expect((await usageReports.getDashboardStats()).total).toMatchObject({
      requests: 0,
      cost: '0.0000000000',
    });
    const range = await dashboardAggregation.aggregateNewLogs();
    gateway.statements();
    const found = await usageReports.getDashboardStats();
    expect(gateway.statements()).toHaveLength(3);
    expect(found).toMatchObject({
      totalUsers: 2, // and one that is deleted
      todayNewUsers: 2,
      totalApiKeys: 3,
      activeApiKeys: 2,
      totalAccounts: 6,
      normalAccounts: 4,
      errorAccounts: 1,
      rateLimitedAccounts: 1,
      overloadedAccounts: 1,
      activeUsers: 1,
      hourlyActiveUsers: 1,
      rpm: 1,
      averageDurationMs: 15,
      aggregatedUntil: range?.end,
    });
    expect(found.total).toMatchObject({ requests: 6, cost: '5.5000000000' });
    expect(found.today).toMatchObject({ requests: 5, cost: '0.5000000000' });
    const ofRange = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T00:00:00.001Z') };
    gateway.statements();
    const ranged = await usageReports.getDashboardStatsWithRange(ofRange);
    expect(gateway.statements()).toHaveLength(4);
    expect(ranged).toMatchObject({ averageDurationMs: 90, totalUsers: 2 });
    expect(ranged.total).toMatchObject({ requests: 1, cost: '5.0000000000' });
    const backwards = { start: ofRange.end, end: ofRange.end };
    await expect(usageReports.getDashboardStatsWithRange(backwards)).rejects.toMatchObject({
      code: 'INVALID_TIME_RANGE',
    });
  });

  it('F42: fail when a part of them fails, instead of leaving it out', async () => {
    await gateway
      .em()
      .transactional(async (em) => {
        await em.execute('alter table usage_dashboard_hourly rename to gone');
        const { usageReports } = gatewayRepositories(em);
        await expect(usageReports.getDashboardStats()).rejects.toMatchObject({ code: 'DATA.QUERY' });
        throw new Error('rolled back');
      })
      .catch((error: Error) => expect(error.message).toBe('rolled back'));
  });
});

describe('reports', () => {
  it('F42: of an account fail with the read of its models, which the original leaves out then', async () => {
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await insertLogs(gateway.em(), ada, [{ model: 'claude', total_cost: '1' }]);
    const range = { start: new Date(0), end: new Date(Date.now() + 60_000) };
    const original = async (em: DataEntityManager): Promise<unknown> => {
      const [row] = await em.execute<object[]>('select count(*)::int as requests from usage_logs');
      const byModel = 'select model, count(*)::int as requests from usage_logs group by model';
      const models = em.transactional((tx) => tx.execute<object[]>(byModel), NESTED);
      return { ...row, models: await models.catch(() => []) };
    };
    const broken = gateway.em().transactional(async (em) => {
      await em.execute('alter table usage_logs rename column model to gone');
      // One request, and none of any model.
      expect(await original(em)).toEqual({ requests: 1, models: [] });
      return gatewayRepositories(em).usageReports.getAccountUsageStats(ada.account_id, range);
    });
    await expect(broken).rejects.toMatchObject({ code: 'DATA.QUERY', sqlState: '42703' });
    const whole = await reports().getAccountUsageStats(ada.account_id, range);
    expect(whole.models).toMatchObject([{ model: 'claude', requests: 1 }]);
  });

  it('refuse bad input before any statement', async () => {
    gateway.statements();
    const range = { start: new Date(0), end: new Date(1) };
    const calls = [
      reports().getUserStats('x', range),
      reports().getUserStatsAggregated('1', { ...range, end: new Date(Number.NaN) }),
      reports().getModelStatsAggregated('a\0', range),
      reports().getGlobalStats({ startTime: range.start } as never),
      reports().getStatsWithFilters({ accountId: 'x' }),
      reports().getAccountWindowStats('1', 'yesterday' as never),
      reports().getUsageTrendWithFilters(range, 'day', { userId: '1e3' }),
      reports().getUserUsageTrend(range, 'day', 0),
      reports().getBatchUserUsageStats(['x']),
      reports().getDashboardStatsWithRange(null as never),
      reports().getAccountUsageStats('1', null as never),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });

  it('F30: put equal ones in one order: users by id descending, models by name, the earliest day first', async () => {
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    const equal = { input_tokens: 5, total_cost: '1' };
    const on = (day: number, model: string) => ({ ...equal, model, created_at: `2026-05-0${day}T10:00:00Z` });
    await insertLogs(gateway.em(), ada, [on(2, 'b'), on(1, 'a')]);
    await insertLogs(gateway.em(), bob, [on(1, 'B'), on(2, 'c')]);
    const original = `select model from usage_logs group by model order by sum(input_tokens) desc`;
    const theirs = await gateway.rows<{ model: string }>(original);
    const range = { start: new Date('2026-05-01T00:00:00Z'), end: new Date('2026-05-03T00:00:00Z') };
    const models = (await reports().getModelStatsWithFilters(range, {})).map(({ model }) => model);
    expect(models).toEqual(['B', 'a', 'b', 'c']);
    // Whatever the plan gives: the order of a hash table.
    expect(theirs.map(({ model }) => model)).not.toEqual(models);
    const trend = await reports().getUserUsageTrend(range, 'day', 5);
    expect(trend.map(({ date, userId }) => [date.slice(8), userId])).toEqual([
      ['01', bob.user_id],
      ['01', ada.user_id],
      ['02', bob.user_id],
      ['02', ada.user_id],
    ]);
    const top = await reports().getUserUsageTrend(range, 'day', 1);
    expect(new Set(top.map(({ userId }) => userId))).toEqual(new Set([bob.user_id]));
    const { summary } = await reports().getAccountUsageStats(ada.account_id, range);
    expect(summary.highestCostDay?.label).toBe('05/01');
    expect(summary.highestRequestDay?.label).toBe('05/01');
  });

  it('run in the transaction of the caller, on a pool of one connection', async () => {
    const own = await openGateway({ pool: { min: 1, max: 1 } });
    await own.em().transactional(async (em) => {
      const world = await mustCreateUsageWorld(em);
      await insertLogs(em, world, [{ actual_cost: '1' }]);
      const { usageReports } = gatewayRepositories(em);
      const range = { start: new Date(0), end: new Date(Date.now() + 60_000) };
      expect((await usageReports.getUserStats(world.user_id, range)).totalRequests).toBe(1);
      expect((await usageReports.getAccountTodayStats(world.account_id)).requests).toBe(1);
      expect((await usageReports.getDashboardStatsWithRange(range)).total.requests).toBe(1);
      expect((await usageReports.getUserDashboardStats(world.user_id)).total.requests).toBe(1);
      expect((await usageReports.getUserUsageTrend(range, 'day', 5)).length).toBe(1);
      expect((await usageReports.getAccountUsageStats(world.account_id, range)).history).toHaveLength(1);
    });
    await own.close();
  });
});
