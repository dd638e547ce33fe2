import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { modelBuckets, storedBuckets } from '../support/usage-dashboard.ts';
import type { ModelLog } from '../support/usage-model.ts';
import { mustCreateActors, randomLogs, storeLogs, type UsageActors } from '../support/usage-rows.ts';

const ZONE = 'Asia/Kolkata';
const AROUND = ['2026-03-29T01:00:00Z', '2026-05-01T00:00:00Z'];
const ALL = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-12-31T00:00:00Z') };
const CONNECTIONS = 32;

let gateway: Gateway;
let actors: UsageActors;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CONNECTIONS } });
  actors = await mustCreateActors(gateway.em());
});
afterAll(() => gateway.close());

const aggregation = (em = gateway.em()): GatewayRepositories['dashboardAggregation'] =>
  gatewayRepositories(em, { timeZone: ZONE }).dashboardAggregation;

async function empty(): Promise<void> {
  await gateway.rows(`truncate usage_logs, billing_usage_entries, usage_dashboard_hourly, usage_dashboard_daily,
    usage_dashboard_hourly_users, usage_dashboard_daily_users`);
}

async function expectExact(logs: readonly ModelLog[]): Promise<void> {
  expect(await storedBuckets(gateway, 'hourly')).toEqual(modelBuckets(logs, 'hourly', ZONE));
  expect(await storedBuckets(gateway, 'daily')).toEqual(modelBuckets(logs, 'daily', ZONE));
}

/** Until a session of this database waits for a lock. */
async function untilWaiting(): Promise<void> {
  const sql = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await gateway.rows(sql)).length === 0) await sleep(5);
}

describe('whoever aggregates at the same time', () => {
  it(`adds up everything once, on ${CONNECTIONS} connections that write and aggregate`, async () => {
    await empty();
    const parts = Array.from({ length: CONNECTIONS }, (_, n) =>
      randomLogs(actors, [AROUND[n % 2] ?? ''], 30, 100 + n),
    );
    await Promise.all(
      parts.map(async (part, n) => {
        const em = gateway.em();
        await storeLogs(em, part);
        const day = 24 * 60 * 60 * 1000;
        const start = new Date(Date.parse(AROUND[n % 2] ?? '') - day);
        await aggregation(em).aggregateRange({ start, end: new Date(start.getTime() + 2 * day + 1) });
      }),
    );
    // Whoever came last in the queue saw the logs of all who had been there before.
    await expectExact(parts.flat());
    await Promise.all(Array.from({ length: CONNECTIONS }, () => aggregation().aggregateRange(ALL)));
    await expectExact(parts.flat());
  });

  it('waits for the other, and sees what it saw and what came since', async () => {
    await empty();
    const [first, second] = [randomLogs(actors, AROUND, 40, 1), randomLogs(actors, AROUND, 40, 2)];
    await storeLogs(gateway.em(), first);
    let waiting: Promise<void> = Promise.resolve();
    await gateway.em().transactional(async (em) => {
      await aggregation(em).aggregateRange(ALL);
      await storeLogs(gateway.em(), second);
      waiting = aggregation().aggregateRange(ALL);
      await untilWaiting();
    });
    await waiting;
    await expectExact([...first, ...second]);
  });

  it('without the lock overwrites a newer sum with its older one', async () => {
    await empty();
    const log = randomLogs(actors, AROUND, 1, 1);
    await storeLogs(gateway.em(), log);
    await aggregation().aggregateRange(ALL);
    const sums = `update usage_dashboard_hourly set total_requests = (select count(*) from usage_logs)`;
    let older: Promise<unknown> = Promise.resolve();
    await gateway.em().transactional(async (em) => {
      await em.execute('select bucket_start from usage_dashboard_hourly for update');
      older = gateway.rows(sums);
      await untilWaiting();
      await storeLogs(gateway.em(), log);
      await em.execute(sums.replace('(select count(*) from usage_logs)', '2'));
    });
    await older;
    expect(await gateway.rows('select total_requests from usage_dashboard_hourly')).toEqual([
      { total_requests: '1' },
    ]);
  });

  it('waits for the removal of logs, and does not take an hour that lost some of them', async () => {
    await empty();
    const logs = randomLogs(actors, AROUND, 200, 3).toSorted((a, b) => (a.micros < b.micros ? -1 : 1));
    await storeLogs(gateway.em(), logs);
    await aggregation().aggregateRange(ALL);
    const cutoff = new Date(Number((logs[100]?.micros ?? 0n) / 1000n));
    await Promise.all(
      Array.from({ length: CONNECTIONS }, (_, n) =>
        n % 2 ? aggregation().aggregateRange(ALL) : aggregation().cleanupUsageLogs(cutoff, { batchSize: 3 }),
      ),
    );
    expect((await gateway.rows('select id from usage_logs')).length).toBeLessThan(101);
    await expectExact(logs);
  });
});
