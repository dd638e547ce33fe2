import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import {
  deleteGroupCascade,
  type GatewayRepositories,
  gatewayRepositories,
  type NewUsage,
  recordUsage,
  recordUsages,
} from 'tombstone/gateway';
import { codeOf } from '../support/gateway-subscriptions.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import type { Gateway } from '../support/gateway.ts';
import { openUsageGateway, USAGE_FORMS } from '../support/usage-forms.ts';

const DAY = 86_400_000;
const LEAST = '0.0000000001';

/** What was taken from a user and from a subscription, less what the ledger says was taken. */
const DIFFERENCES = `select (100 - u.balance - coalesce((select sum(delta_usd) from billing_usage_entries
      where user_id = u.id and applied and billing_type = 0), 0))::text as balance,
    (s.daily_usage_usd - coalesce((select sum(delta_usd) from billing_usage_entries
      where subscription_id = s.id and applied and billing_type = 1), 0))::text as usage
  from users u, user_subscriptions s where u.id = ? and s.id = ?`;
const NONE = [{ balance: '0.0000000000', usage: '0.0000000000' }];
const ORPHANS = `select e.id from billing_usage_entries e
  where not exists (select from usage_logs l where l.id = e.usage_log_id)`;

describe.each(USAGE_FORMS)('usage logs as %s', (usageLogs) => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await openUsageGateway(usageLogs, { pool: { min: 0, max: 32 } });
  });
  afterAll(() => gateway.close());

  const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em(), { usageLogs });
  const record = (usage: NewUsage) => recordUsage(gateway.em(), usage, { usageLogs });
  const recordMany = (usages: readonly NewUsage[]) => recordUsages(gateway.em(), usages, { usageLogs });
  const several = <T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, n) => work(n)));
  /** Every other one is paid by the subscription. */
  const half = (payer: Payer, n: number): Partial<NewUsage> =>
    n % 2 ? { billingType: 1, subscriptionId: payer.subscriptionId } : {};

  /** Ends sessions of the database at random, until it is aborted. */
  async function endSessions(signal: AbortSignal): Promise<void> {
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    while (!signal.aborted) {
      await client.query(`select pg_terminate_backend(pid) from (select pid from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() order by random() limit 2) chosen`);
      await client.query('select pg_sleep(0.03)');
    }
    await client.end();
  }

  it('each request is charged once, whatever sessions end while it is recorded and repeated', async () => {
    const payers = await several(4, () => mustCreatePayer(gateway.em()));
    const all = payers.flatMap((payer, p) =>
      Array.from({ length: 60 }, (_, n) =>
        usageOf(payer, { requestId: `k-${p}-${n}`, actualCost: LEAST, totalCost: LEAST, ...half(payer, n) }),
      ),
    );
    const some = () => all.toSorted(() => Math.random() - 0.5).slice(0, 40);
    const done = new AbortController();
    const ending = endSessions(done.signal);
    const codes = await several(40, async (n) => {
      const attempts: unknown[] = [];
      for (let round = 0; round < 3; round += 1)
        attempts.push(await codeOf(n % 2 ? recordMany(some()) : Promise.all(some().slice(0, 5).map(record))));
      return attempts;
    });
    done.abort();
    await ending;
    expect(new Set(codes.flat())).toEqual(new Set(['done', 'DATA.UNAVAILABLE']));
    // The pool may still hold sessions that were ended.
    for (let code: unknown; code !== 'done';) code = await codeOf(recordMany(all));
    for (const payer of payers)
      expect(await sumsOf(gateway.em(), payer)).toEqual({
        logs: '60',
        entries: '60',
        charged: '0.0000000060',
        balance: '99.9999999970',
        daily: '0.0000000030',
      });
  });

  it('what the ledger says was taken is what was taken, while all that is charged is deleted', async () => {
    const payers = await several(6, () => mustCreatePayer(gateway.em()));
    const { dashboardAggregation } = repositories();
    const codes = await several(300, async (n) => {
      // All at once, what is one statement would come before what is several.
      await sleep(n * 2);
      const payer = payers[n % 6] as Payer;
      const usage = (i: number) =>
        usageOf(payer, { requestId: `d-${n}-${i}`, ...half(payer, i + Math.floor(n / 7)) });
      if (n % 50 === 41) return codeOf(deleteGroupCascade(gateway.em(), payer.groupId));
      if (n % 50 === 43) return codeOf(repositories().users.delete(payer.userId));
      if (n % 50 === 45) return codeOf(repositories().accounts.delete(payer.accountId));
      if (n % 50 === 47) return codeOf(repositories().subscriptions.delete(payer.subscriptionId));
      if (n % 25 === 9) return codeOf(dashboardAggregation.aggregateNewLogs());
      if (n % 25 === 11)
        return codeOf(dashboardAggregation.ensureUsageLogsPartitions(new Date(Date.now() + n * 3 * DAY)));
      if (n % 25 === 13)
        return codeOf(dashboardAggregation.cleanupUsageLogs(new Date(Date.now() - 40 * DAY)));
      return codeOf(n % 3 ? record(usage(0)) : recordMany([0, 1, 2, 3, 4, 5, 6].map(usage)));
    });
    // A group that is deleted a second time is not there.
    expect(codes.filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
    const refused =
      'select count(*) > 5 as several from billing_usage_entries where not applied and billing_type = ?';
    for (const type of [0, 1]) expect(await gateway.rows(refused, [type])).toEqual([{ several: true }]);
    for (const { userId, subscriptionId } of payers)
      expect(await gateway.rows(DIFFERENCES, [userId, subscriptionId])).toEqual(NONE);
    await dashboardAggregation.aggregateNewLogs();
    const missing = `select (select sum(total_requests) from usage_dashboard_daily) - (select count(*) from usage_logs) as count`;
    expect(await gateway.rows(missing)).toEqual([{ count: '0' }]);
  });

  it('keys and accounts that are removed physically meanwhile leave nothing without its log', async () => {
    for (let round = 0; round < 5; round += 1) {
      const payer = await mustCreatePayer(gateway.em());
      const charges = several(24, (n) =>
        codeOf(n % 2 ? record(usageOf(payer)) : recordMany([usageOf(payer), usageOf(payer)])),
      );
      // It may lose a deadlock, as a statement of one's own may.
      await codeOf(gateway.rows('delete from api_keys where id = ?', [payer.apiKeyId]));
      await codeOf(gateway.rows('delete from accounts where id = ?', [payer.accountId]));
      for (const code of await charges)
        expect(['done', 'API_KEY_NOT_FOUND', 'ACCOUNT_NOT_FOUND']).toContain(code);
    }
    expect(await gateway.rows(ORPHANS)).toEqual([]);
  });

  it('a batch of a thousand, all of them one request, is one request, also from eight callers', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const costs = Array.from({ length: 1000 }, (_, n) => `0.${String(n + 1).padStart(10, '0')}`);
    const batch = costs.map((actualCost) => usageOf(payer, { requestId: 'same', actualCost }));
    const recorded = await several(8, () => recordMany(batch));
    expect(recorded.flat().filter(({ inserted }) => inserted)).toHaveLength(1);
    expect(new Set(recorded.flat().map(({ id }) => id)).size).toBe(1);
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '1', charged: LEAST });
  });

  it('a request that is repeated for another payer, in another way to pay, is the first one', async () => {
    const [payer, other] = [await mustCreatePayer(gateway.em()), await mustCreatePayer(gateway.em())];
    const first = await record(usageOf(payer, { requestId: 'first' }));
    const again = usageOf(other, { requestId: 'first', ...half(other, 1) });
    expect(await record({ ...again, apiKeyId: payer.apiKeyId })).toMatchObject({
      id: first.id,
      inserted: false,
      charge: first.charge,
    });
    const [one, two] = await recordMany([
      usageOf(payer, { requestId: 'second', totalCost: '1', ...half(payer, 1) }),
      usageOf(payer, { requestId: 'second', actualCost: '2' }),
    ]);
    expect([one?.charge, two?.charge]).toEqual([one?.charge, one?.charge]);
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({
      logs: '2',
      balance: '99.9876543211',
      daily: '1.0000000000',
    });
    expect(await sumsOf(gateway.em(), other)).toMatchObject({ logs: '0', daily: '0.0000000000' });
  });
});
