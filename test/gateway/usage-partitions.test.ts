import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { insertLogs, mustCreateUsageWorld } from '../support/gateway-usage-logs.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const NOW = new Date('2026-01-31T23:30:00Z');

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 8 } });
  await gateway.rows('drop table billing_usage_entries, usage_logs');
  // As an installation may have divided them by hand: without the unique, which such a table cannot have.
  await gateway.rows(`create table usage_logs (id bigserial, user_id bigint not null, api_key_id bigint not null,
    account_id bigint not null, group_id bigint, subscription_id bigint, model varchar(100) not null,
    total_cost numeric(20,10) not null default 0, created_at timestamptz not null default now())
    partition by range (created_at)`);
  await gateway.rows(
    `create table "Old logs" partition of usage_logs for values from (minvalue) to ('2025-11-01 00:00+00')`,
  );
  await gateway.rows(`create table usage_logs_rest partition of usage_logs default`);
});
afterAll(() => gateway.close());

const aggregation = (): GatewayRepositories['dashboardAggregation'] =>
  gatewayRepositories(gateway.em()).dashboardAggregation;

describe('usage logs that are divided by month', () => {
  it('have partitions of the last, this and the next month, made once, by whoever comes first', async () => {
    const made = await Promise.all(
      Array.from({ length: 8 }, () => aggregation().ensureUsageLogsPartitions(NOW)),
    );
    expect(made.flat()).toEqual(['usage_logs_202512', 'usage_logs_202601', 'usage_logs_202602']);
    expect(await aggregation().ensureUsageLogsPartitions(NOW)).toEqual([]);
    const next = aggregation().ensureUsageLogsPartitions(new Date('2026-02-28T23:59:59Z'));
    expect(await next).toEqual(['usage_logs_202603']);
  });

  it('go by whole months, which end at the cutoff or before it', async () => {
    const em = gateway.em();
    await insertLogs(em, await mustCreateUsageWorld(em), [
      { created_at: '2025-12-31T23:59:59.999999Z' },
      { created_at: '2026-01-01T00:00:00Z' },
      { created_at: '2027-01-01T00:00:00Z' },
    ]);
    const cleanup = (cutoff: string) => aggregation().cleanupUsageLogs(new Date(cutoff));
    const { partitions, rows } = await cleanup('2025-12-31T23:59:59.999Z');
    expect(rows).toBe(0);
    // It has no lower end, and ends long before.
    expect(partitions).toEqual(['public."Old logs"']);
    expect(await cleanup('2026-01-01T00:00:00Z')).toEqual({
      rows: 0,
      partitions: ['public.usage_logs_202512'],
    });
    expect(await gateway.rows('select created_at from usage_logs order by 1')).toEqual([
      { created_at: '2026-01-01 00:00:00+00' },
      { created_at: '2027-01-01 00:00:00+00' },
    ]);
  });
});

describe('usage logs that are not divided', () => {
  it('have no partitions to make', async () => {
    const own = await openGateway();
    const { dashboardAggregation } = gatewayRepositories(own.em());
    expect(await dashboardAggregation.ensureUsageLogsPartitions(NOW)).toEqual([]);
    expect(await own.rows(`select from pg_class where relname like 'usage_logs_2%'`)).toEqual([]);
    await own.close();
  });
});
