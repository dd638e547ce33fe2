import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runPrepared } from 'tombstone';
import { gatewayRepositories, type NewUsage } from 'tombstone/gateway';
import { ofGiven } from '../../src/gateway/usage/given-columns.ts';
import { checkedUsage } from '../../src/gateway/usage/usage-input.ts';
import { usageStatements } from '../../src/gateway/usage/usage-logs-form.ts';
import type { Gateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, usageOf } from '../support/gateway-usage.ts';
import { openUsageGateway } from '../support/usage-forms.ts';

// A log is stored by a statement of the columns that were given; the one of all columns must store the same.

const INSTANT = new Date('2026-03-04T05:06:07.089Z');
const OPTIONAL: Partial<NewUsage> = {
  groupId: '1',
  inputTokens: 11,
  outputTokens: 12,
  cacheCreationTokens: 13,
  cacheReadTokens: 14,
  cacheCreation5mTokens: 15,
  cacheCreation1hTokens: 16,
  inputCost: '0.1',
  outputCost: '0.2',
  cacheCreationCost: '0.3',
  cacheReadCost: '0.4',
  totalCost: '1.5',
  actualCost: '0',
  rateMultiplier: '2.5',
  accountRateMultiplier: '3.5',
  billingType: 0,
  stream: true,
  durationMs: 17,
  firstTokenMs: 18,
  userAgent: 'agent',
  ipAddress: '10.0.0.1',
  imageCount: 2,
  imageSize: '2K',
};
const NAMES = Object.keys(OPTIONAL);

/** The optional columns whose bit is set. */
const some = (bits: number): Partial<NewUsage> =>
  Object.fromEntries(
    NAMES.filter((_, n) => (bits & (1 << n)) !== 0).map((name) => [name, OPTIONAL[name as 'groupId']]),
  );
/** None, all, each alone, all but one, and others; more than are kept apart. */
const SETS = [
  0,
  2 ** NAMES.length - 1,
  ...NAMES.map((_, n) => 1 << n),
  ...NAMES.map((_, n) => (2 ** NAMES.length - 1) & ~(1 << n)),
  ...Array.from({ length: 20 }, (_, n) => (n * 7_654_321 + 12_345) % 2 ** NAMES.length),
];

describe.each(['one-table', 'monthly-partitions'] as const)('in %s', (usageLogs) => {
  let gateway: Gateway;
  let payer: Payer;
  beforeAll(async () => {
    gateway = await openUsageGateway(usageLogs);
    payer = await mustCreatePayer(gateway.em());
  });
  afterAll(() => gateway.close());

  const stored = async (id: string): Promise<object> => {
    const [row] = await gateway
      .em()
      .execute<Record<string, unknown>[]>('select * from usage_logs where id = ?', [id]);
    const { id: _key, request_id: _request, ...columns } = row ?? {};
    return columns;
  };

  it('every set of columns is stored as by the statement of all', async () => {
    const { insertLog } = usageStatements({ usageLogs });
    for (const [n, bits] of SETS.entries()) {
      const usage = usageOf(payer, { ...some(bits), requestId: `given ${n}`, createdAt: INSTANT });
      const whole = checkedUsage({ ...usage, requestId: `whole ${n}` });
      const [row] = await runPrepared<{ id: string }>(gateway.em(), insertLog, whole);
      // Of a copy of the statement no form is known, however many there are.
      const form = ofGiven({ ...insertLog }, checkedUsage({ ...usage, requestId: `form ${n}` }));
      expect(form.values).not.toContain(null);
      const [formed] = await runPrepared<{ id: string }>(gateway.em(), form.statement, form.values);
      expect([bits, await stored(formed?.id ?? '')]).toEqual([bits, await stored(row?.id ?? '')]);
      const own = await gatewayRepositories(gateway.em(), { usageLogs }).usageLogs.create(usage);
      expect([bits, own.inserted, await stored(own.id)]).toEqual([bits, true, await stored(row?.id ?? '')]);
      expect(own.createdAt).toEqual(INSTANT);
    }
  });

  it('without a request id and an instant, too, and a request that was stored is found', async () => {
    const logs = () => gatewayRepositories(gateway.em(), { usageLogs }).usageLogs;
    for (const requestId of [undefined, 'again']) {
      const usage = usageOf(payer, { totalCost: '2', ...(requestId !== undefined && { requestId }) });
      const first = await logs().create(usage);
      const second = await logs().create({ ...usage, model: 'other', durationMs: 5 });
      expect(first.inserted).toBe(true);
      expect(second).toEqual(requestId ? { ...first, inserted: false } : { ...second, inserted: true });
      expect(Math.abs(first.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    }
  });
});
