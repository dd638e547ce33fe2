import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import {
  gatewayRepositories,
  type NewUsage,
  recordUsage as record,
  recordUsages as recordMany,
} from 'tombstone/gateway';
import type { Gateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { openUsageGateway, USAGE_FORMS } from '../support/usage-forms.ts';

const batchOf = (payer: Payer, prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) =>
    usageOf(payer, { requestId: `${prefix}-${i}`, actualCost: '0.0000000001' }),
  );

describe.each(USAGE_FORMS)('usage logs as %s', (usageLogs) => {
  let gateway: Gateway;
  const recordUsage = (em: DataEntityManager, usage: NewUsage) => record(em, usage, { usageLogs });
  const recordUsages = (em: DataEntityManager, usages: readonly NewUsage[]) =>
    recordMany(em, usages, { usageLogs });
  beforeAll(async () => {
    gateway = await openUsageGateway(usageLogs, { pool: { min: 0, max: 32 } });
  });
  afterAll(() => gateway.close());

  describe('recordUsages', () => {
    it('stores and charges a batch in one statement, in the order of the input', async () => {
      const [one, two] = [await mustCreatePayer(gateway.em()), await mustCreatePayer(gateway.em())];
      const { subscriptionId } = two;
      const usages = [
        ...batchOf(one, 'a', 250),
        ...batchOf(two, 'b', 250).map((usage) => ({ ...usage, billingType: 1 as const, subscriptionId })),
      ];
      gateway.statements();
      const recorded = await recordUsages(gateway.em(), usages);
      expect(gateway.statements()).toHaveLength(1);
      expect(recorded.map(({ requestId }) => requestId)).toEqual(usages.map(({ requestId }) => requestId));
      expect(recorded.every(({ inserted }) => inserted)).toBe(true);
      expect(recorded[0]?.charge).toEqual({ amount: '0.0000000001', applied: true });
      expect(recorded[499]?.charge).toEqual({ amount: '0.0200000000', applied: true });
      expect(await sumsOf(gateway.em(), one)).toMatchObject({ logs: '250', balance: '99.9999999750' });
      expect(await sumsOf(gateway.em(), two)).toMatchObject({ logs: '250', daily: '5.0000000000' });
    });

    it('F3: charges nothing for what was stored before, or stands in the batch twice', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const before = await recordUsage(gateway.em(), usageOf(payer, { requestId: 'c-1' }));
      const batch = batchOf(payer, 'c', 3);
      const recorded = await recordUsages(gateway.em(), [...batch, ...batch]);
      expect(recorded.map(({ inserted }) => inserted)).toEqual([true, false, true, false, false, false]);
      expect(recorded[1]).toMatchObject({ id: before.id, charge: before.charge });
      expect(recorded[3]?.id).toBe(recorded[0]?.id);
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '3', balance: '99.9876543209' });
    });

    it('makes a request id for each usage without one', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const recorded = await recordUsages(gateway.em(), [usageOf(payer), usageOf(payer)]);
      expect(new Set(recorded.map(({ requestId }) => requestId)).size).toBe(2);
      expect(recorded.every(({ inserted }) => inserted)).toBe(true);
    });

    it('keeps the logs of a deleted user, and charges the others', async () => {
      const [live, dead] = [await mustCreatePayer(gateway.em()), await mustCreatePayer(gateway.em())];
      await gatewayRepositories(gateway.em()).users.delete(dead.userId);
      const [first, second] = await recordUsages(gateway.em(), [usageOf(dead), usageOf(live)]);
      expect([first?.charge?.applied, second?.charge?.applied]).toEqual([false, true]);
      expect(await sumsOf(gateway.em(), dead)).toMatchObject({ logs: '1', balance: '100.0000000000' });
    });

    it('stores none when one names a row that was never there', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const batch = [usageOf(payer), usageOf(payer, { accountId: '999999999' })];
      await expect(recordUsages(gateway.em(), batch)).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
      expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '0', balance: '100.0000000000' });
    });

    it('refuses a wrong usage by its position, and a list that is none or too long, before any SQL', async () => {
      const payer: Payer = { userId: '1', apiKeyId: '1', accountId: '1', groupId: '1', subscriptionId: '1' };
      gateway.statements();
      const wrong = [usageOf(payer), usageOf(payer, { totalCost: 'NaN' })];
      await expect(recordUsages(gateway.em(), wrong)).rejects.toMatchObject({ field: 'usages[1].totalCost' });
      for (const usages of [null, {}, Array.from({ length: 1001 }, () => usageOf(payer))])
        await expect(recordUsages(gateway.em(), usages as never)).rejects.toMatchObject({
          code: 'VALIDATION',
        });
      expect(await recordUsages(gateway.em(), [])).toEqual([]);
      expect(gateway.statements()).toEqual([]);
    });

    it('neither loses nor doubles a charge when 32 callers send overlapping batches in any order', async () => {
      const payers = await Promise.all(Array.from({ length: 8 }, () => mustCreatePayer(gateway.em())));
      const all = payers.flatMap((payer, n) => batchOf(payer, `mixed-${n}`, 25));
      const shuffled = (): typeof all => all.toSorted(() => Math.random() - 0.5).slice(0, 150);
      const single = async (): Promise<void> => {
        for (const usage of shuffled().slice(0, 20)) await recordUsage(gateway.em(), usage);
      };
      await Promise.all(
        Array.from({ length: 32 }, (_, n) =>
          n % 4 === 0 ? single() : recordUsages(gateway.em(), shuffled()),
        ),
      );
      await recordUsages(gateway.em(), all);
      for (const payer of payers) {
        expect(await sumsOf(gateway.em(), payer)).toMatchObject({
          logs: '25',
          entries: '25',
          charged: '0.0000000025',
          balance: '99.9999999975',
        });
      }
    });
  });
});
