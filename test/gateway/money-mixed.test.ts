import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  assignOrExtendSubscription,
  gatewayRepositories,
  generateRedeemCode,
  recordUsage,
  recordUsages,
  redeem,
} from 'tombstone/gateway';
import { mustCreatePayer, type Payer, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 64;
const ROUNDS = 12;
const SEED = Number(process.env['MONEY_SEED'] ?? Date.now() % 1_000_000);

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS } });
});
afterAll(() => gateway.close());

function randomOf(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const E10 = 10n ** 10n;
const text = (units: bigint): string => `${units / E10}.${String(units % E10).padStart(10, '0')}`;

/** What the callers gave outside of usage, in units of 0.0000000001, by user. */
type Given = Map<string, bigint>;

function caller(payers: readonly Payer[], given: Given, random: (n: number) => number, name: number) {
  const add = (user: string, units: bigint): void => void given.set(user, (given.get(user) ?? 0n) + units);
  const repositories = () => gatewayRepositories(gateway.em(), { timeZone: 'UTC' });
  const cost = (): string => text(BigInt(random(2 ** 31)));
  const usage = (payer: Payer, n: number) =>
    usageOf(payer, {
      actualCost: cost(),
      totalCost: cost(),
      requestId: `${name}-${n}`,
      ...(random(2) === 0 && { billingType: 1 as const, subscriptionId: payer.subscriptionId }),
    });
  const payer = (): Payer => payers[random(payers.length)] as Payer;
  const works: ((n: number) => Promise<unknown>)[] = [
    async (n) => {
      const one = usage(payer(), n);
      await Promise.all([recordUsage(gateway.em(), one), recordUsage(gateway.em(), one)]);
    },
    (n) =>
      recordUsages(
        gateway.em(),
        [1, 2, 3, 4, 1].map((m) => usage(payer(), n * 100 + m)),
      ),
    async () => {
      const { userId } = payer();
      const units = BigInt(random(1_000_000)) * 100n;
      const code = generateRedeemCode();
      await repositories().redeemCodes.create({ code, value: text(units).slice(0, -2) });
      const done = await Promise.allSettled([1, 2].map(() => redeem(gateway.em(), userId, code)));
      if (done.some(({ status }) => status === 'fulfilled')) add(userId, units);
      expect(done.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
    },
    async () => {
      const { userId } = payer();
      const units = BigInt(random(2 ** 30));
      await repositories()
        .users.updateBalance(userId, text(units))
        .then(
          () => add(userId, units),
          (error: { code?: string }) => expect(error.code).toBe('USER_NOT_FOUND'),
        );
    },
    async () => repositories().subscriptions.checkWindows(payer().subscriptionId),
    async () => {
      const { userId, groupId } = payer();
      await assignOrExtendSubscription(gateway.em(), { userId, groupId, days: 1 }).catch(
        (error: { code?: string }) => expect(error.code).toBe('USER_NOT_FOUND'),
      );
    },
  ];
  return async (): Promise<void> => {
    for (let n = 0; n < ROUNDS; n += 1) await works[random(works.length)]?.(n);
  };
}

it(`F1, F2, F3: ${CALLERS} connections that charge, redeem, adjust, extend, reset and delete leave exact sums (seed ${SEED})`, async () => {
  const payers: Payer[] = [];
  for (let n = 0; n < 6; n += 1) payers.push(await mustCreatePayer(gateway.em()));
  const given: Given = new Map();
  const callers = Array.from({ length: CALLERS }, (_, n) =>
    caller(payers, given, randomOf(SEED + n * 7919), n)(),
  );
  // One payer goes in the middle of it.
  const gone = payers[5] as Payer;
  callers.push(gatewayRepositories(gateway.em()).users.delete(gone.userId));
  await Promise.all(callers);
  for (const { userId, subscriptionId } of payers) {
    const [row] = await gateway.rows<Record<string, string>>(
      `select u.balance::text as balance, s.monthly_usage_usd::text as used,
        (select coalesce(sum(delta_usd), 0)::numeric(22,10) from billing_usage_entries e where e.user_id = u.id and applied and billing_type = 0)::text as paid,
        (select coalesce(sum(delta_usd), 0)::numeric(20,10) from billing_usage_entries e where e.subscription_id = s.id and applied and billing_type = 1)::text as counted,
        (select count(*) from usage_logs l where l.user_id = u.id and not exists (
          select from billing_usage_entries e where e.usage_log_id = l.id
            and e.delta_usd = case l.billing_type when 1 then l.total_cost else l.actual_cost end))::text as unbooked,
        (select sum(case billing_type when 1 then total_cost else actual_cost end) > 0 from usage_logs l where l.user_id = u.id)::text as some
      from users u, user_subscriptions s where u.id = ? and s.id = ?`,
      [userId, subscriptionId],
    );
    const units = (value = ''): bigint => BigInt(value.replace('.', ''));
    expect(units(row?.['balance'])).toBe(100n * E10 + (given.get(userId) ?? 0n) - units(row?.['paid']));
    expect(row).toMatchObject({ used: row?.['counted'], unbooked: '0', some: 'true' });
  }
}, 120_000);
