import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Granularity,
  type GatewayRepositories,
  gatewayRepositories,
  type HalfOpenRange,
} from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import {
  accountCost,
  accountUnits,
  averageDuration,
  decimal,
  groupedBy,
  labelOf,
  listCost,
  type ModelLog,
  sum,
  tokensOf,
  userCost,
} from '../support/usage-model.ts';
import { mustCreateActors, randomLogs, storeLogs, type UsageActors } from '../support/usage-rows.ts';

/** Days on which a clock is changed somewhere, and one on which none is. */
const AROUND = [
  '2026-03-29T01:00:00Z',
  '2026-10-25T01:00:00Z',
  '2026-04-04T15:00:00Z',
  '2026-07-01T16:00:00Z',
];
const ZONES = [
  'UTC',
  'Asia/Shanghai',
  'Asia/Kolkata', // half an hour
  'Asia/Kathmandu', // three quarters
  'Europe/Berlin', // clocks change at night
  'Atlantic/Azores', // back at one o'clock, so that midnight comes twice
  'Australia/Lord_Howe', // by half an hour
];
const RANGE: HalfOpenRange = {
  start: new Date('2026-03-28T12:00:00Z'),
  end: new Date('2026-10-25T20:00:00Z'),
};

let gateway: Gateway;
let actors: UsageActors;
let logs: ModelLog[];
beforeAll(async () => {
  gateway = await openGateway();
  actors = await mustCreateActors(gateway.em());
  logs = randomLogs(actors, AROUND, 1500, 42);
  // On the ends of the range themselves, and just before and after them.
  const ends = [RANGE.start, RANGE.end].map((end) => BigInt(end.getTime()) * 1000n);
  logs = logs.map((log, n) => ({
    ...log,
    micros: [...ends, ...ends.map((end) => end - 1n)][n] ?? log.micros,
  }));
  await storeLogs(gateway.em(), logs);
});
afterAll(() => gateway.close());

const reports = (timeZone = 'UTC'): GatewayRepositories['usageReports'] =>
  gatewayRepositories(gateway.em(), { timeZone }).usageReports;
const micros = (date: Date): bigint => BigInt(date.getTime()) * 1000n;
const inRange = (log: ModelLog): boolean =>
  log.micros >= micros(RANGE.start) && log.micros < micros(RANGE.end);

function statsOf(rows: readonly ModelLog[], average: 'all' | 'measured') {
  return {
    totalRequests: rows.length,
    totalInputTokens: sum(rows, (log) => log.input),
    totalOutputTokens: sum(rows, (log) => log.output),
    totalCacheTokens: sum(rows, (log) => log.written + log.read),
    totalTokens: sum(rows, tokensOf),
    totalCost: listCost(rows),
    totalActualCost: userCost(rows),
    averageDurationMs: expect.closeTo(averageDuration(rows, average), 6),
  };
}

function pointsOf(rows: readonly ModelLog[], zone: string, granularity: string) {
  return groupedBy(rows, (log) => labelOf(log.micros, zone, granularity)).map(([date, of]) => ({
    date,
    requests: of.length,
    inputTokens: sum(of, (log) => log.input),
    outputTokens: sum(of, (log) => log.output),
    cacheTokens: sum(of, (log) => log.written + log.read),
    totalTokens: sum(of, tokensOf),
    cost: listCost(of),
    actualCost: userCost(of),
  }));
}

function modelsOf(rows: readonly ModelLog[], cost: (rows: readonly ModelLog[]) => string) {
  return groupedBy(rows, (log) => log.model)
    .map(([model, of]) => ({
      model,
      requests: of.length,
      inputTokens: sum(of, (log) => log.input),
      outputTokens: sum(of, (log) => log.output),
      totalTokens: sum(of, tokensOf),
      cost: listCost(of),
      actualCost: cost(of),
    }))
    .toSorted((a, b) => b.totalTokens - a.totalTokens);
}

const GRANULARITIES: Granularity[] = ['day', 'hour'];

describe('reports agree with a model of the same rows', () => {
  it('of a user, a key, an account and a model, deleted ones too', async () => {
    for (const user of actors.users) {
      const of = logs.filter((log) => inRange(log) && log.user === user);
      expect(of.length).toBeGreaterThan(50);
      expect(await reports().getUserStatsAggregated(user, RANGE)).toEqual(statsOf(of, 'all'));
      expect(await reports().getUserStats(user, RANGE)).toEqual({
        totalRequests: of.length,
        totalTokens: sum(of, tokensOf),
        totalCost: userCost(of),
        inputTokens: sum(of, (log) => log.input),
        outputTokens: sum(of, (log) => log.output),
        cacheReadTokens: sum(of, (log) => log.read),
      });
    }
    for (const key of actors.keys) {
      const of = logs.filter((log) => inRange(log) && log.key === key);
      expect(await reports().getApiKeyStatsAggregated(key, RANGE)).toEqual(statsOf(of, 'all'));
    }
    for (const account of actors.accounts) {
      const of = logs.filter((log) => inRange(log) && log.account === account);
      expect(await reports().getAccountStatsAggregated(account, RANGE)).toEqual(statsOf(of, 'all'));
    }
    const of = logs.filter((log) => inRange(log) && log.model === 'gpt');
    expect(await reports().getModelStatsAggregated('gpt', RANGE)).toEqual(statsOf(of, 'all'));
  });

  it('F36: with the end where the report is closed, and without durations that are not there', async () => {
    const closed = { startTime: RANGE.start, endTime: RANGE.end };
    const of = logs.filter(
      (log) => log.micros >= micros(RANGE.start) && log.micros < micros(RANGE.end) + 1000n,
    );
    expect(of.length).toBe(logs.filter(inRange).length + 1);
    expect(await reports().getGlobalStats(closed)).toEqual(statsOf(of, 'measured'));
    expect(await reports().getStatsWithFilters(closed)).toEqual(statsOf(of, 'measured'));
    const [account = ''] = actors.accounts;
    const ofAccount = of.filter((log) => log.account === account);
    expect(await reports().getStatsWithFilters({ ...closed, accountId: account })).toEqual({
      ...statsOf(ofAccount, 'measured'),
      totalAccountCost: accountCost(ofAccount),
    });
    expect(averageDuration(of, 'all')).not.toBeCloseTo(averageDuration(of, 'measured'), 0);
  });

  it('of nothing, with zeros', async () => {
    expect(await reports().getUserStatsAggregated('999', RANGE)).toEqual(statsOf([], 'all'));
    expect(await reports().getDailyStatsAggregated('999', RANGE)).toEqual([]);
    const backwards = { start: RANGE.end, end: RANGE.start };
    expect((await reports().getUserStats(actors.users[0] ?? '', backwards)).totalRequests).toBe(0);
  });

  it.each(ZONES)('per day and hour of %s', async (zone) => {
    const [user = ''] = actors.users;
    const of = logs.filter((log) => inRange(log) && log.user === user);
    const days = groupedBy(of, (log) => labelOf(log.micros, zone, 'day'));
    expect(await reports(zone).getDailyStatsAggregated(user, RANGE)).toEqual(
      days.map(([date, rows]) => ({ date, ...statsOf(rows, 'all') })),
    );
    for (const granularity of GRANULARITIES) {
      const points = pointsOf(of, zone, granularity);
      expect(await reports(zone).getUserUsageTrendByUserId(user, RANGE, granularity)).toEqual(points);
      const ofModel = logs.filter((log) => inRange(log) && log.model === 'Opus');
      const trend = reports(zone).getUsageTrendWithFilters(RANGE, granularity, { model: 'Opus' });
      expect(await trend).toEqual(pointsOf(ofModel, zone, granularity));
    }
  });

  it.each(ZONES)('of the users and keys with the most tokens in %s', async (zone) => {
    const names = await gateway.rows<{ id: string; email: string }>('select id, email from users');
    const keys = await gateway.rows<{ id: string; name: string }>('select id, name from api_keys');
    for (const granularity of GRANULARITIES) {
      const expected = (of: 'user' | 'key') => {
        const rows = logs.filter(inRange);
        const ids = groupedBy(rows, (log) => log[of])
          .toSorted(([, a], [, b]) => sum(b, tokensOf) - sum(a, tokensOf))
          .map(([id]) => id);
        const top = new Set(ids.slice(0, 3));
        return groupedBy(
          rows.filter((log) => top.has(log[of])),
          (log) => `${labelOf(log.micros, zone, granularity)}|${log[of]}`,
        )
          .map(([label, group]) => ({
            date: label.split('|')[0] ?? '',
            id: label.split('|')[1] ?? '',
            group,
          }))
          .toSorted((a, b) => {
            if (a.date !== b.date) return a.date < b.date ? -1 : 1;
            return sum(b.group, tokensOf) - sum(a.group, tokensOf) || Number(b.id) - Number(a.id);
          });
      };
      expect(await reports(zone).getUserUsageTrend(RANGE, granularity, 3)).toEqual(
        expected('user').map(({ date, id, group }) => ({
          date,
          userId: id,
          email: names.find((user) => user.id === id)?.email,
          requests: group.length,
          tokens: sum(group, tokensOf),
          cost: listCost(group),
          actualCost: userCost(group),
        })),
      );
      expect(await reports(zone).getApiKeyUsageTrend(RANGE, granularity, 3)).toEqual(
        expected('key').map(({ date, id, group }) => ({
          date,
          apiKeyId: id,
          keyName: keys.find((key) => key.id === id)?.name,
          requests: group.length,
          tokens: sum(group, tokensOf),
        })),
      );
    }
  });

  it('shows the name of a deleted user and of a deleted key', async () => {
    const all = await reports().getUserUsageTrend(RANGE, 'day', 100);
    const deleted = all.find((point) => point.userId === actors.users.at(-1));
    expect(deleted?.email).toMatch(/@example\.com$/);
    const keys = await reports().getApiKeyUsageTrend(RANGE, 'day', 100);
    expect(keys.find((point) => point.apiKeyId === actors.keys.at(-1))?.keyName).toMatch(/^key/);
  });

  it('per model, with the side of the account where it is asked for alone', async () => {
    const [user = '', , last = ''] = actors.users;
    const [account = ''] = actors.accounts;
    const of = (filter: (log: ModelLog) => boolean) => logs.filter((log) => inRange(log) && filter(log));
    expect(await reports().getUserModelStats(last, RANGE)).toEqual(
      modelsOf(
        of((log) => log.user === last),
        userCost,
      ),
    );
    const alone = of((log) => log.account === account);
    expect(await reports().getModelStatsWithFilters(RANGE, { accountId: account })).toEqual(
      modelsOf(alone, accountCost),
    );
    const both = alone.filter((log) => log.user === user);
    const filters = { accountId: account, userId: user };
    expect(await reports().getModelStatsWithFilters(RANGE, filters)).toEqual(modelsOf(both, userCost));
  });

  it.each(ZONES)('of an account, with its history in %s', async (zone) => {
    const [account = ''] = actors.accounts;
    const of = logs.filter((log) => inRange(log) && log.account === account);
    const days = groupedBy(of, (log) => labelOf(log.micros, zone, 'day'));
    const history = days.map(([date, rows]) => ({
      date,
      label: date.slice(5).replace('-', '/'),
      requests: rows.length,
      tokens: sum(rows, tokensOf),
      cost: listCost(rows),
      actualCost: accountCost(rows),
      userCost: userCost(rows),
    }));
    const found = await reports(zone).getAccountUsageStats(account, RANGE);
    expect(found.history).toEqual(history);
    const costs = days.map(([, rows]) => accountUnits(rows));
    const highest = costs.reduce((most, cost) => (cost > most ? cost : most), 0n);
    const count = BigInt(days.length);
    // Half away from zero, as PostgreSQL rounds.
    const average = (2n * accountUnits(of) + count) / (2n * count);
    expect(found.summary).toMatchObject({
      days: 212,
      actualDaysUsed: days.length,
      totalRequests: of.length,
      totalTokens: sum(of, tokensOf),
      totalCost: accountCost(of),
      totalStandardCost: listCost(of),
      totalUserCost: userCost(of),
      avgDailyCost: decimal(average, 14),
      avgDailyRequests: expect.closeTo(of.length / days.length, 6),
      avgDurationMs: expect.closeTo(averageDuration(of, 'measured'), 6),
      today: null,
      highestCostDay: history[costs.indexOf(highest)],
      highestRequestDay: history.find(
        (day) => day.requests === Math.max(...history.map((other) => other.requests)),
      ),
    });
    expect(found.models).toEqual(modelsOf(of, accountCost));
  });
});
