import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type GatewayRepositories, gatewayRepositories, recordUsage, recordUsages } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { openUsageGateway } from '../support/usage-forms.ts';
import { NO_STRAYS, straysOf } from '../support/usage-invariants.ts';
import { listenToStatements } from '../../src/kit/orm/index.ts';

const usageLogs = 'monthly-partitions';

let gateway: Gateway;
let payer: Payer;
beforeAll(async () => {
  gateway = await openUsageGateway(usageLogs, { pool: { min: 0, max: 16 } });
  payer = await mustCreatePayer(gateway.em(), '1000');
});
afterAll(async () => {
  expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  await gateway.close();
});

const aggregation = (of: Gateway = gateway): GatewayRepositories['dashboardAggregation'] =>
  gatewayRepositories(of.em()).dashboardAggregation;
const ensure = (now: string) => aggregation().ensureUsageLogsPartitions(new Date(now));
const cleanup = (cutoff: string, batchSize = 5000) =>
  aggregation().cleanupUsageLogs(new Date(cutoff), { batchSize });

const usageAt = (prefix: string, n: number, createdAt: string) =>
  usageOf(payer, { requestId: `${prefix}-${n}`, createdAt: new Date(createdAt) });

/** Requests of that instant, one after another. */
async function fill(prefix: string, createdAt: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1)
    await recordUsage(gateway.em(), usageAt(prefix, n, createdAt), { usageLogs });
}

/** How many logs each partition holds, those that hold none left out. */
async function held(): Promise<Record<string, number>> {
  const rows = await gateway.rows<{ name: string; logs: number }>(
    'select tableoid::regclass::text as name, count(*)::int as logs from usage_logs group by 1 order by 1',
  );
  return Object.fromEntries(rows.map(({ name, logs }) => [name, logs]));
}

const partitions = async (): Promise<string[]> =>
  (
    await gateway.rows<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'usage_logs'::regclass order by 1`,
    )
  ).map(({ name }) => name);

describe('a log whose month is not there yet', () => {
  it('is kept, moves into the month when that is made, and keeps its ledger and its claim', async () => {
    await fill('early', '2031-05-31T23:59:59.999Z', 2);
    await fill('early-june', '2031-06-01T00:00:00Z', 3);
    expect(await held()).toEqual({ usage_logs_default: 5 });
    const before = await sumsOf(gateway.em(), payer);
    expect(before.entries).toBe('5');
    expect(await ensure('2031-06-15T00:00:00Z')).toEqual([
      'usage_logs_203105',
      'usage_logs_203106',
      'usage_logs_203107',
    ]);
    expect(await held()).toEqual({ usage_logs_203105: 2, usage_logs_203106: 3 });
    expect(await sumsOf(gateway.em(), payer)).toEqual(before);
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
    const again = usageOf(payer, { requestId: 'early-1' });
    expect(await recordUsage(gateway.em(), again, { usageLogs })).toMatchObject({ inserted: false });
  });

  it('is not lost while many store such logs and many make the month', async () => {
    const writers = Array.from({ length: 4 }, async (_, n) => fill(`race-${n}`, '2032-02-10T00:00:00Z', 60));
    const makers = Array.from({ length: 3 }, () => ensure('2032-02-01T00:00:00Z'));
    const [made] = await Promise.all([Promise.all(makers), ...writers]);
    expect(made.flat().toSorted()).toEqual(['usage_logs_203201', 'usage_logs_203202', 'usage_logs_203203']);
    expect(await held()).toMatchObject({ usage_logs_203202: 240 });
    expect(await held()).not.toHaveProperty('usage_logs_default');
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
    await cleanup('2033-01-01T00:00:00Z');
  });

  it('is one that a maker of months waits for only briefly, so that others go on', async () => {
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    await client.query('begin');
    await client.query('select count(*) from usage_logs');
    const making = ensure('2034-02-01T00:00:00Z');
    making.catch(() => undefined);
    const start = Date.now();
    // They queue behind the maker for as long as it waits, and the default partition is what it waits for.
    for (let n = 0; n < 10; n += 1) await fill(`brief-${n}`, '2034-02-10T00:00:00Z', 1);
    expect(Date.now() - start).toBeLessThan(10_000);
    await client.query('commit');
    await client.end();
    expect(await making).toContain('usage_logs_203402');
    expect(await held()).toMatchObject({ usage_logs_203402: 10 });
    await cleanup('2035-01-01T00:00:00Z');
  });
});

describe('the clean-up of months', () => {
  it('removes whole months with their ledger and claims, and what never had a month', async () => {
    const kept = await sumsOf(gateway.em(), payer);
    await fill('old', '2021-01-31T23:59:59.999Z', 7);
    await ensure('2021-02-10T00:00:00Z');
    await fill('feb', '2021-02-01T00:00:00Z', 3);
    await fill('lost', '2020-06-01T00:00:00Z', 2);
    expect(await cleanup('2021-02-28T23:59:59Z', 2)).toEqual({
      rows: 9,
      partitions: ['public.usage_logs_202101'],
    });
    expect(await held()).toMatchObject({ usage_logs_202102: 3 });
    expect(await cleanup('2021-03-01T00:00:00Z')).toEqual({
      rows: 3,
      partitions: ['public.usage_logs_202102'],
    });
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: kept.logs, entries: kept.entries });
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
    await fill('old', '2021-02-01T00:00:00Z', 1);
    expect(await held()).toMatchObject({ usage_logs_default: 1 });
  });

  it('is never seen half done, and the next one goes on, when its session ends at any point', async () => {
    // Not by an ORM, whose statements would join the transaction that they are sent from.
    const killer = new Client({ connectionString: gateway.url });
    await killer.connect();
    let interrupted = 0;
    for (const n of [1, 4, 13, 50, 120, 180, 210, 260]) {
      await ensure('2022-02-10T00:00:00Z');
      const usages = Array.from({ length: 60 }, (_, k) => usageAt(`crash ${n}`, k, '2022-02-10T00:00:00Z'));
      await recordUsages(gateway.em(), usages, { usageLogs });
      const own = await openGateway({ url: gateway.url, pool: { min: 0, max: 1 } });
      const [{ pid } = { pid: 0 }] = await own.rows<{ pid: number }>('select pg_backend_pid() as pid');
      const ending: Promise<unknown>[] = [];
      let sent = 0;
      const stop = listenToStatements(own.orm.config, () => {
        sent += 1;
        if (sent === n) ending.push(killer.query('select pg_terminate_backend($1)', [pid]));
      });
      const removing = aggregation(own).cleanupUsageLogs(new Date('2022-03-01T00:00:00Z'), { batchSize: 1 });
      removing.catch(() => undefined);
      if (
        await removing.then(
          () => false,
          () => true,
        )
      )
        interrupted += 1;
      stop();
      await Promise.all(ending);
      // The pool waits for ever for a session that was ended inside a transaction.
      void own.close();
      expect(await straysOf(gateway)).toEqual(NO_STRAYS);
      const [{ charged, logs } = { charged: '', logs: '' }] = await gateway.rows<{
        charged: string;
        logs: string;
      }>(
        `select count(l.id)::text as logs, count(e.id)::text as charged from usage_logs l
          left join billing_usage_entries e on e.usage_log_id = l.id where l.created_at < '2022-03-01'`,
      );
      expect(charged).toBe(logs);
    }
    await killer.end();
    // Between two transactions the pool takes another session, and nothing is interrupted.
    expect(interrupted).toBeGreaterThan(3);
    await cleanup('2022-03-01T00:00:00Z');
    expect((await partitions()).filter((name) => /_2022(01|02)$/.test(name))).toEqual([]);
  });

  it('loses no log that comes into a month while it goes', async () => {
    await ensure('2023-02-10T00:00:00Z');
    await fill('going', '2023-02-10T00:00:00Z', 50);
    let stored = 0;
    const late = (async () => {
      for (let n = 0; n < 80; n += 1) {
        await fill(`late-${n}`, '2023-02-11T00:00:00Z', 1);
        stored += 1;
      }
    })();
    const first = await cleanup('2023-03-01T00:00:00Z', 10);
    await late;
    const second = await cleanup('2023-03-01T00:00:00Z', 10);
    // Each was removed as a log, or is still there: a partition was never dropped with one in it.
    expect(first.rows + second.rows).toBe(50 + stored);
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  });

  it('by several schedulers at once removes each log and each month once', async () => {
    await cleanup('2024-12-01T00:00:00Z');
    await ensure('2025-02-10T00:00:00Z');
    await fill('several-jan', '2025-01-10T00:00:00Z', 20);
    await fill('several-feb', '2025-02-10T00:00:00Z', 20);
    const removed = await Promise.all(Array.from({ length: 6 }, () => cleanup('2025-03-01T00:00:00Z', 7)));
    expect(removed.flatMap((one) => one.partitions).toSorted()).toEqual([
      'public.usage_logs_202501',
      'public.usage_logs_202502',
    ]);
    expect(removed.reduce((sum, { rows }) => sum + rows, 0)).toBe(40);
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  });

  it('joins the transaction of its caller', async () => {
    await ensure('2024-02-10T00:00:00Z');
    await fill('inside', '2024-02-10T00:00:00Z', 5);
    const work = gateway.em().transactional(async (em) => {
      const own = gatewayRepositories(em).dashboardAggregation;
      const { rows } = await own.cleanupUsageLogs(new Date('2024-03-01T00:00:00Z'), { batchSize: 2 });
      expect(rows).toBe(5);
      throw new Error('taken back');
    });
    await expect(work).rejects.toThrow('taken back');
    expect(await held()).toMatchObject({ usage_logs_202402: 5 });
  });
});
