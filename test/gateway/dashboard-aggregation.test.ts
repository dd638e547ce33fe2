import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { modelBuckets, storedBuckets } from '../support/usage-dashboard.ts';
import { decimal, type ModelLog } from '../support/usage-model.ts';
import { mustCreateActors, randomLogs, storeLogs, type UsageActors } from '../support/usage-rows.ts';

const AROUND = ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-04-04T15:00:00Z'];
const ZONES = [
  'UTC',
  'Asia/Shanghai',
  'Asia/Kolkata',
  'Europe/Berlin',
  'Atlantic/Azores',
  'Australia/Lord_Howe',
];
const ALL = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-12-31T00:00:00Z') };

let gateway: Gateway;
let actors: UsageActors;
beforeAll(async () => {
  gateway = await openGateway();
  actors = await mustCreateActors(gateway.em());
});
afterAll(() => gateway.close());

const aggregation = (timeZone = 'UTC', em = gateway.em()): GatewayRepositories['dashboardAggregation'] =>
  gatewayRepositories(em, { timeZone }).dashboardAggregation;

/** Empties everything and stores the logs. */
async function startWith(logs: readonly ModelLog[]): Promise<void> {
  await gateway.rows(`truncate usage_logs, billing_usage_entries, usage_dashboard_hourly, usage_dashboard_daily,
    usage_dashboard_hourly_users, usage_dashboard_daily_users, usage_dashboard_aggregation_watermark`);
  await storeLogs(gateway.em(), logs);
}

async function expectExact(logs: readonly ModelLog[], zone: string): Promise<void> {
  expect(await storedBuckets(gateway, 'hourly')).toEqual(modelBuckets(logs, 'hourly', zone));
  expect(await storedBuckets(gateway, 'daily')).toEqual(modelBuckets(logs, 'daily', zone));
}

const byTime = (logs: readonly ModelLog[]): ModelLog[] =>
  logs.toSorted((a, b) => (a.micros < b.micros ? -1 : 1));
const at = (micros: bigint): Date => new Date(Number(micros / 1000n));

describe('hours and days of the dashboard', () => {
  it.each(ZONES)('agree with the logs in %s, and stay when they are added up again', async (zone) => {
    const logs = randomLogs(actors, AROUND, 600, 7);
    await startWith(logs);
    await aggregation(zone).aggregateRange(ALL);
    await expectExact(logs, zone);
    await aggregation(zone).aggregateRange(ALL);
    await expectExact(logs, zone);
    const [total] = await gateway.rows<{ cost: string }>(
      'select sum(total_cost) as cost from usage_dashboard_daily',
    );
    const cost = logs.reduce((all, log) => all + log.cost, 0n);
    expect(total?.cost).toBe(decimal(cost, 10));
  });

  it.each(ZONES)('are the same part by part in %s, whatever the parts', async (zone) => {
    const logs = byTime(randomLogs(actors, AROUND, 300, 11));
    await startWith([]);
    for (let n = 0; n < logs.length; n += 23) {
      const part = logs.slice(n, n + 23);
      await storeLogs(gateway.em(), part);
      const [first, last] = [part[0]?.micros ?? 0n, part.at(-1)?.micros ?? 0n];
      await aggregation(zone).aggregateRange({ start: at(first), end: at(last + 1000n) });
    }
    await expectExact(logs, zone);
  });

  it('F35: begin at the full hours of a zone of half an hour, where the original’s cut its hours in two', async () => {
    // 10:10 and 10:50 in Kolkata.
    const logs = randomLogs(actors, AROUND, 2, 3).map((log, n) => ({
      ...log,
      micros: BigInt(Date.parse(`2026-07-01T0${4 + n}:${n ? 20 : 40}:00Z`)) * 1000n,
    }));
    await startWith(logs);
    const original = `select date_trunc('hour', created_at) from usage_logs group by 1`;
    expect(await gateway.rows(original)).toHaveLength(2);
    await aggregation('Asia/Kolkata').aggregateRange(ALL);
    expect(await gateway.rows('select bucket_start from usage_dashboard_hourly')).toEqual([
      { bucket_start: '2026-07-01 04:30:00+00' },
    ]);
  });

  it('lose what was removed: a log, and an hour without a log', async () => {
    const logs = byTime(randomLogs(actors, AROUND, 200, 5));
    await startWith(logs);
    await aggregation().aggregateRange(ALL);
    const kept = logs.filter((_, n) => n < 50 || n % 2 === 0);
    expect(modelBuckets(kept, 'hourly', 'UTC').length).toBeLessThan(
      modelBuckets(logs, 'hourly', 'UTC').length,
    );
    await gateway.rows('truncate usage_logs, billing_usage_entries');
    await storeLogs(gateway.em(), kept);
    await aggregation().aggregateRange(ALL);
    await expectExact(kept, 'UTC');
  });

  it('refuse a range that ends before it starts, and bad input, before any statement', async () => {
    gateway.statements();
    const backwards = aggregation().aggregateRange({ start: ALL.end, end: ALL.start });
    await expect(backwards).rejects.toMatchObject({ code: 'INVALID_TIME_RANGE', status: 400 });
    const invalid = aggregation().aggregateRange({ start: new Date(Number.NaN), end: ALL.end });
    await expect(invalid).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(() => aggregation('Mars/Olympus')).toThrow('timeZone must be the name');
    for (const zone of ['+08:00', 'CET', `x'; select`, ''])
      expect(() => aggregation(zone)).toThrow('timeZone must be');
    expect(gateway.statements()).toEqual([]);
  });

  it('take six statements, however many logs there are', async () => {
    for (const count of [10, 400]) {
      await startWith(randomLogs(actors, AROUND, count, 9));
      gateway.statements();
      await aggregation().aggregateRange(ALL);
      expect(gateway.statements()).toHaveLength(6);
    }
  });

  it('come and go with the transaction of the caller, on a pool of one connection', async () => {
    const logs = randomLogs(actors, AROUND, 50, 13);
    await startWith(logs);
    const own = await openGateway({ url: gateway.url, pool: { min: 1, max: 1 } });
    const work = own.em().transactional(async (em) => {
      const repository = aggregation('UTC', em);
      await repository.aggregateRange(ALL);
      await repository.aggregateNewLogs();
      await repository.updateAggregationWatermark(new Date());
      expect((await repository.getAggregationWatermark()).getTime()).toBeGreaterThan(0);
      await repository.cleanupAggregates(ALL.start, ALL.start);
      expect((await repository.cleanupUsageLogs(ALL.end, { batchSize: 7 })).rows).toBe(50);
      expect(await repository.ensureUsageLogsPartitions(new Date())).toEqual([]);
      throw new Error('rolled back');
    });
    await expect(work).rejects.toThrow('rolled back');
    await own.close();
    expect(await storedBuckets(gateway, 'hourly')).toEqual([]);
    expect(await gateway.rows('select id from usage_logs')).toHaveLength(50);
  });
});

describe('the watermark', () => {
  it('is 1970 at first, and never goes back', async () => {
    await startWith([]);
    expect(await aggregation().getAggregationWatermark()).toEqual(new Date(0));
    await aggregation().updateAggregationWatermark(ALL.end);
    await aggregation().updateAggregationWatermark(ALL.start);
    expect(await aggregation().getAggregationWatermark()).toEqual(ALL.end);
  });

  it('moves with what was added up since, and looks back for logs that came late', async () => {
    await startWith([]);
    expect(await aggregation().aggregateNewLogs()).toBeNull();
    const now = BigInt(Date.now()) * 1000n;
    const recent = randomLogs(actors, AROUND, 40, 17).map((log, n) => ({
      ...log,
      micros: now - BigInt(n + 1) * 2_000_000n,
    }));
    await storeLogs(gateway.em(), recent.slice(0, 30));
    const first = await aggregation().aggregateNewLogs();
    expect(await aggregation().getAggregationWatermark()).toEqual(first?.end);
    await expectExact(recent.slice(0, 30), 'UTC');
    // Committed after, created before the watermark.
    await storeLogs(gateway.em(), recent.slice(30));
    const second = await aggregation().aggregateNewLogs();
    expect(second?.start.getTime()).toBeLessThan(first?.end.getTime() ?? 0);
    const third = await aggregation().aggregateNewLogs({ lookBackSeconds: 1 });
    expect(third?.start.getTime()).toBe((second?.end.getTime() ?? 0) - 1000);
    await expectExact(recent, 'UTC');
  });
});

describe('the retention', () => {
  it('removes logs in batches, and hours and days keep what they had counted of them', async () => {
    const logs = byTime(randomLogs(actors, AROUND, 300, 19));
    await startWith(logs);
    await aggregation().aggregateRange(ALL);
    const before = [await storedBuckets(gateway, 'hourly'), await storedBuckets(gateway, 'daily')];
    const cutoff = at(logs[150]?.micros ?? 0n);
    const gone = logs.filter((log) => log.micros < BigInt(cutoff.getTime()) * 1000n).length;
    expect(await aggregation().cleanupUsageLogs(cutoff, { batchSize: 50 })).toEqual({
      rows: gone,
      partitions: [],
    });
    expect(await gateway.rows('select id from usage_logs')).toHaveLength(300 - gone);
    // Added up from the logs alone, hours would be gone and the one of the cutoff too small.
    const original = `select date_trunc('hour', created_at) from usage_logs group by 1`;
    expect((await gateway.rows(original)).length).toBeLessThan(before[0]?.length ?? 0);
    await aggregation().aggregateRange(ALL);
    expect([await storedBuckets(gateway, 'hourly'), await storedBuckets(gateway, 'daily')]).toEqual(before);
  });

  it('removes hours before days, and days keep what they had counted of them', async () => {
    const logs = byTime(randomLogs(actors, AROUND, 200, 23));
    await startWith(logs);
    await aggregation('Asia/Shanghai').aggregateRange(ALL);
    const days = await storedBuckets(gateway, 'daily');
    const cutoff = at(logs[100]?.micros ?? 0n);
    await aggregation().cleanupUsageLogs(cutoff);
    const removed = await aggregation('Asia/Shanghai').cleanupAggregates(cutoff, ALL.start);
    expect(removed.hours).toBeGreaterThan(10);
    expect(removed.days).toBe(0);
    await aggregation('Asia/Shanghai').aggregateRange(ALL);
    expect(await storedBuckets(gateway, 'daily')).toEqual(days);
    expect(await aggregation().cleanupAggregates(ALL.end, ALL.end)).toMatchObject({ days: days.length });
    for (const table of ['hourly', 'daily', 'hourly_users', 'daily_users'])
      expect(await gateway.rows(`select from usage_dashboard_${table}`)).toEqual([]);
  });
});
