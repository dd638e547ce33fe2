import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, type NewUsage, recordUsage as record } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { openUsageGateway, USAGE_FORMS } from '../support/usage-forms.ts';

describe.each(USAGE_FORMS)('usage logs as %s', (usageLogs) => {
  let gateway: Gateway;
  const recordUsage = (em: DataEntityManager, usage: NewUsage) => record(em, usage, { usageLogs });
  beforeAll(async () => {
    gateway = await openUsageGateway(usageLogs);
  });
  afterAll(() => gateway.close());

  describe('recordUsage', () => {
    it('stores log, ledger and charge in one statement, to ten decimals', async () => {
      const payer = await mustCreatePayer(gateway.em());
      gateway.statements();
      const recorded = await recordUsage(gateway.em(), usageOf(payer, { requestId: 'r-1' }));
      expect(gateway.statements().length).toBeLessThanOrEqual(1);
      expect(recorded).toMatchObject({
        requestId: 'r-1',
        inserted: true,
        charge: { amount: '0.0123456789', applied: true },
        balance: '99.9876543211',
        usage: null,
      });
      expect(recorded.createdAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
      expect(await sumsOf(gateway.em(), payer)).toEqual({
        logs: '1',
        entries: '1',
        charged: '0.0123456789',
        balance: '99.9876543211',
        daily: '0.0000000000',
      });
    });

    it('charges a subscription the list price, and tells its counters', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const { subscriptionId } = payer;
      const recorded = await recordUsage(gateway.em(), usageOf(payer, { billingType: 1, subscriptionId }));
      expect(recorded).toMatchObject({
        charge: { amount: '0.0200000000', applied: true },
        balance: null,
        usage: {
          dailyUsageUsd: '0.0200000000',
          weeklyUsageUsd: '0.0200000000',
          monthlyUsageUsd: '0.0200000000',
        },
      });
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        balance: '100.0000000000',
        daily: '0.0200000000',
      });
    });

    it('F3: answers a repeated request with what the first call stored, and charges nothing', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const first = await recordUsage(gateway.em(), usageOf(payer, { requestId: 'again' }));
      const again = await recordUsage(
        gateway.em(),
        usageOf(payer, { requestId: ' again ', actualCost: '50' }),
      );
      expect(again).toMatchObject({ id: first.id, inserted: false, charge: first.charge, balance: null });
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '1', balance: '99.9876543211' });
    });

    it('F3: makes a request id where there is none, and tells it', async () => {
      const payer = await mustCreatePayer(gateway.em());
      // The original's log without one is refused no repetition, and each is charged.
      const { userId, apiKeyId, accountId } = payer;
      const original = `insert into usage_logs (user_id, api_key_id, account_id, model, request_id) values (?, ?, ?, 'm', null)
        on conflict do nothing returning true as charged`;
      for (let attempt = 0; attempt < 2; attempt += 1)
        expect(await gateway.rows(original, [userId, apiKeyId, accountId])).toEqual([{ charged: true }]);
      const first = await recordUsage(gateway.em(), usageOf(payer, { requestId: '' }));
      expect(first.requestId).toMatch(/^[0-9a-f-]{36}$/);
      const again = await recordUsage(gateway.em(), usageOf(payer, { requestId: first.requestId }));
      expect(again).toMatchObject({ id: first.id, inserted: false });
    });

    it('takes the same request id of two keys for two requests', async () => {
      const [one, two] = [await mustCreatePayer(gateway.em()), await mustCreatePayer(gateway.em())];
      await recordUsage(gateway.em(), usageOf(one, { requestId: 'shared' }));
      expect((await recordUsage(gateway.em(), usageOf(two, { requestId: 'shared' }))).inserted).toBe(true);
    });

    it('writes no ledger for a request that cost nothing', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const recorded = await recordUsage(gateway.em(), usageOf(payer, { actualCost: '0' }));
      expect(recorded.charge).toBeNull();
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '1', entries: '0' });
    });

    it('F2: loses none of a thousand charges below the eighth decimal', async () => {
      const payer = await mustCreatePayer(gateway.em(), '1');
      // The original's column kept eight decimals.
      const [kept] = await gateway
        .em()
        .execute<{ balance: string }[]>(
          'select (1::numeric(20,8) - 0.0000000049)::numeric(20,8)::text as balance',
        );
      expect(kept?.balance).toBe('1.00000000');
      for (let i = 0; i < 10; i += 1) {
        await Promise.all(
          Array.from({ length: 100 }, () =>
            recordUsage(gateway.em(), usageOf(payer, { actualCost: '0.0000000049' })),
          ),
        );
      }
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        charged: '0.0000049000',
        balance: '0.9999951000',
      });
    });

    it('F3: a log that the original stores before it fails is never charged, as a control', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const logs = gatewayRepositories(gateway.em(), { usageLogs }).usageLogs;
      const usage = usageOf(payer, { requestId: 'not charged yet' });
      expect((await logs.create(usage)).inserted).toBe(true);
      // Its second attempt is taken for a repetition, before the charge.
      expect((await logs.create(usage)).inserted).toBe(false);
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        logs: '1',
        entries: '0',
        balance: '100.0000000000',
      });
    });

    it('F3, F11: keeps the log of a deleted user or subscription, and charges nobody', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const { subscriptionId, userId } = payer;
      await gateway
        .em()
        .execute('update user_subscriptions set deleted_at = now() where id = ? and deleted_at is null', [
          subscriptionId,
        ]);
      const subscribed = await recordUsage(gateway.em(), usageOf(payer, { billingType: 1, subscriptionId }));
      expect(subscribed).toMatchObject({ charge: { amount: '0.0200000000', applied: false }, usage: null });
      await gatewayRepositories(gateway.em()).users.delete(userId);
      // The original's charge reaches the deleted user.
      const original = 'update users set balance = balance - 0 where id = ? returning id';
      expect(await gateway.rows(original, [userId])).toEqual([{ id: userId }]);
      const paid = await recordUsage(gateway.em(), usageOf(payer));
      expect(paid).toMatchObject({ charge: { amount: '0.0123456789', applied: false }, balance: null });
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        logs: '2',
        entries: '2',
        charged: '0.0000000000',
        balance: '100.0000000000',
        daily: '0.0000000000',
      });
    });

    it('does not count for a subscription whose group is deleted', async () => {
      const payer = await mustCreatePayer(gateway.em());
      await gatewayRepositories(gateway.em()).groups.delete(payer.groupId);
      const { subscriptionId } = payer;
      const recorded = await recordUsage(gateway.em(), usageOf(payer, { billingType: 1, subscriptionId }));
      expect(recorded.charge).toEqual({ amount: '0.0200000000', applied: false });
    });

    it('stores nothing when a row that the log names was never there', async () => {
      const payer = await mustCreatePayer(gateway.em());
      await expect(
        recordUsage(gateway.em(), usageOf(payer, { accountId: '999999999' })),
      ).rejects.toMatchObject({
        code: 'ACCOUNT_NOT_FOUND',
      });
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        logs: '0',
        entries: '0',
        balance: '100.0000000000',
      });
    });

    it('joins the transaction of its caller, also with a single connection', async () => {
      const single = await openGateway({ url: gateway.url, pool: { min: 0, max: 1 } });
      try {
        const payer = await mustCreatePayer(single.em());
        const work = single.em().transactional(async (em) => {
          const recorded = await recordUsage(em, usageOf(payer, { requestId: 'inner' }));
          expect((await recordUsage(em, usageOf(payer, { requestId: 'inner' }))).id).toBe(recorded.id);
          throw new Error('taken back');
        });
        await expect(work).rejects.toThrow('taken back');
        expect(await sumsOf(single.em(), payer)).toMatchObject({ logs: '0', balance: '100.0000000000' });
      } finally {
        await single.close();
      }
    });

    it('F39: cuts what is too long, drops NUL, and replaces a long request id by its hash', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const recorded = await recordUsage(
        gateway.em(),
        usageOf(payer, {
          requestId: 'x'.repeat(65),
          model: `\0${'😀'.repeat(101)}`,
          userAgent: `a\0${'b'.repeat(600)}\ud800`,
          ipAddress: '1'.repeat(50),
        }),
      );
      expect(recorded.requestId).toMatch(/^[0-9a-f]{64}$/);
      const [row] = await gateway
        .em()
        .execute<Record<string, string>[]>(
          'select request_id, model, user_agent, ip_address from usage_logs where id = ?',
          [recorded.id],
        );
      expect(row).toEqual({
        request_id: recorded.requestId,
        model: '😀'.repeat(100),
        user_agent: `a${'b'.repeat(511)}`,
        ip_address: '1'.repeat(45),
      });
    });

    const wrong: [string, Partial<Record<keyof NewUsage, unknown>>][] = [
      ['userId', { userId: '0' }],
      ['apiKeyId', { apiKeyId: 7 }],
      ['accountId', { accountId: null }],
      ['actualCost', { actualCost: '-1' }],
      ['actualCost', { actualCost: 'NaN' }],
      ['totalCost', { totalCost: 'Infinity' }],
      ['totalCost', { totalCost: 0.1 }],
      ['totalCost', { totalCost: '0.00000000001' }],
      ['rateMultiplier', { rateMultiplier: '-0.5' }],
      ['billingType', { billingType: 2 }],
      ['subscriptionId', { billingType: 1, subscriptionId: null }],
      ['inputTokens', { inputTokens: 2 ** 31 }],
      ['inputTokens', { inputTokens: -1 }],
      ['stream', { stream: 'yes' }],
      ['model', { model: undefined }],
      ['createdAt', { createdAt: new Date('x') }],
    ];
    it.each(wrong)('refuses a wrong %s before any SQL', async (field, values) => {
      const payer: Payer = { userId: '1', apiKeyId: '1', accountId: '1', groupId: '1', subscriptionId: '1' };
      gateway.statements();
      await expect(recordUsage(gateway.em(), usageOf(payer, values as never))).rejects.toMatchObject({
        code: 'VALIDATION',
        field,
      });
      expect(gateway.statements()).toEqual([]);
    });

    it('refuses to record nothing', async () => {
      await expect(recordUsage(gateway.em(), null as never)).rejects.toMatchObject({ code: 'VALIDATION' });
    });
  });

  describe('usageLogs.create', () => {
    it('stores the log alone, and finds it again', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const logs = gatewayRepositories(gateway.em(), { usageLogs }).usageLogs;
      const created = await logs.create(usageOf(payer, { requestId: 'log' }));
      expect(await logs.create(usageOf(payer, { requestId: 'log' }))).toEqual({
        ...created,
        inserted: false,
      });
      expect(created.inserted).toBe(true);
      // Two without a request id are two.
      for (const requestId of ['', ' ']) await logs.create(usageOf(payer, { requestId }));
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({
        logs: '3',
        entries: '0',
        balance: '100.0000000000',
      });
      await logs.delete(created.id);
      await logs.delete(created.id);
      await expect(logs.getById(created.id)).rejects.toMatchObject({ code: 'USAGE_LOG_NOT_FOUND' });
    });
  });

  describe('recordUsage by 64 callers at once', () => {
    let wide: Gateway;
    beforeAll(async () => {
      wide = await openGateway({ url: gateway.url, pool: { min: 0, max: 64 } });
    });
    afterAll(() => wide.close());

    it('charges each request once, and the sum of charges is the sum of the ledger', async () => {
      const payer = await mustCreatePayer(wide.em(), '10');
      const calls = Array.from({ length: 640 }, (_, i) => {
        const actualCost = `0.00${String(i % 320).padStart(8, '0')}`;
        const usage = usageOf(payer, { requestId: `hot-${i % 320}`, actualCost });
        return recordUsage(wide.em(), usage);
      });
      const recorded = await Promise.all(calls);
      expect(recorded.filter(({ inserted }) => inserted)).toHaveLength(320);
      const { charged, balance, logs, entries } = await sumsOf(wide.em(), payer);
      expect([logs, entries]).toEqual(['320', '319']);
      expect(charged).toBe('0.0000051040');
      expect(balance).toBe('9.9999948960');
    });

    it('counts every charge of one subscription', async () => {
      const payer = await mustCreatePayer(wide.em());
      const { subscriptionId } = payer;
      const usage = usageOf(payer, { billingType: 1, subscriptionId, totalCost: '0.0000000001' });
      await Promise.all(Array.from({ length: 320 }, () => recordUsage(wide.em(), usage)));
      expect(await sumsOf(wide.em(), payer)).toMatchObject({
        daily: '0.0000000320',
        charged: '0.0000000320',
      });
    });

    it('charges nobody who is deleted while the charge waits for the row', async () => {
      const payer = await mustCreatePayer(wide.em());
      const client = new Client({ connectionString: wide.url });
      await client.connect();
      await client.query('begin');
      await client.query('update users set deleted_at = now() where id = $1', [payer.userId]);
      const waiting = recordUsage(wide.em(), usageOf(payer));
      await untilWaiting(client);
      await client.query('commit');
      await client.end();
      expect((await waiting).charge).toEqual({ amount: '0.0123456789', applied: false });
      expect(await sumsOf(wide.em(), payer)).toMatchObject({ balance: '100.0000000000' });
    });
  });
});

async function untilWaiting(client: Client): Promise<void> {
  const sql = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
  while ((await client.query(sql)).rowCount === 0) await client.query('select pg_sleep(0.02)');
}
