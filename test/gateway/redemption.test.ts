import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  applyPromo,
  assignOrExtendSubscription,
  type GatewayRepositories,
  gatewayRepositories,
  redeem,
} from 'tombstone/gateway';
import { codeOf, mustCreatePromoCode, mustCreateRedeemCode } from '../support/gateway-codes.ts';
import { insertSubscription } from '../support/gateway-rows.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

const CALLERS = 32;
const DAY = 24 * 60 * 60 * 1000;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const each = <T>(work: (caller: number) => Promise<T>): Promise<PromiseSettledResult<T>[]> =>
  Promise.allSettled(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
const outcomes = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results
    .map((result) => (result.status === 'fulfilled' ? 'done' : (result.reason as { code?: string }).code))
    .toSorted();
const many = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: CALLERS }, make));
const sold = () => mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
const balanceOf = async (id: string) => (await repositories().users.getById(id)).balance;
const statusOf = async (id: string) => (await repositories().redeemCodes.getById(id)).status;
/** Between now and a while ago, in days from now. */
const daysFromNow = (date: Date | undefined) => Math.round(((date?.getTime() ?? 0) - Date.now()) / DAY);

describe('redeeming a code', () => {
  it('gives balance, requests or a subscription, in few statements, and says what', async () => {
    const [user, group] = [await mustCreateUser(gateway.em(), { concurrency: 5 }), await sold()];
    const money = await mustCreateRedeemCode(gateway.em(), { value: '1.23456789' });
    const slots = await mustCreateRedeemCode(gateway.em(), { type: 'concurrency', value: '3.00' });
    const pass = await mustCreateRedeemCode(gateway.em(), {
      type: 'subscription',
      groupId: group.id,
      validityDays: 0,
    });
    gateway.statements();
    expect(await redeem(gateway.em(), user.id, money.code)).toEqual({
      codeId: money.id,
      type: 'balance',
      amount: '1.23456789',
    });
    expect(gateway.statements()).toHaveLength(2);
    expect(await redeem(gateway.em(), user.id, slots.code)).toMatchObject({ requests: 3 });
    expect(gateway.statements()).toHaveLength(2);
    const given = await redeem(gateway.em(), user.id, pass.code);
    expect(gateway.statements()).toHaveLength(4);
    expect(given).toMatchObject({ type: 'subscription', days: 30, created: true });
    expect(await repositories().users.getById(user.id)).toMatchObject({
      balance: '1.2345678900',
      concurrency: 8,
    });
    expect(await statusOf(pass.id)).toBe('used');
    expect(await codeOf(redeem(gateway.em(), user.id, money.code))).toBe('REDEEM_CODE_USED');
    expect(await codeOf(redeem(gateway.em(), user.id, 'unknown'))).toBe('REDEEM_CODE_NOT_FOUND');
  });

  it('leaves the code unused whatever is refused', async () => {
    const [user, gone] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const [standard, deleted] = [await mustCreateGroup(gateway.em()), await sold()];
    await repositories().users.delete(gone.id);
    const pass = (groupId: string | null) =>
      mustCreateRedeemCode(gateway.em(), { type: 'subscription', groupId });
    const money = await mustCreateRedeemCode(gateway.em());
    const dead = await pass(deleted.id);
    await repositories().groups.delete(deleted.id);
    const half = await mustCreateRedeemCode(gateway.em(), { value: '1.5' });
    await repositories().redeemCodes.update({ id: half.id, type: 'concurrency' });
    const record = await mustCreateRedeemCode(gateway.em(), { type: 'admin_balance' });
    const wrong = await pass(standard.id);
    const cases = [
      [gone.id, money, 'USER_NOT_FOUND'],
      ['987654321', money, 'USER_NOT_FOUND'],
      [user.id, dead, 'GROUP_NOT_FOUND'],
      [user.id, await pass(null), 'GROUP_NOT_FOUND'],
      [user.id, wrong, 'GROUP_NOT_SUBSCRIPTION_TYPE'],
      [user.id, half, 'VALIDATION'],
      [user.id, record, 'VALIDATION'],
    ] as const;
    for (const [id, code, expected] of cases) {
      expect(await codeOf(redeem(gateway.em(), id, code.code))).toBe(expected);
      expect(await repositories().redeemCodes.getById(code.id)).toMatchObject({
        status: 'unused',
        usedBy: null,
      });
    }
    gateway.statements();
    expect(await codeOf(redeem(gateway.em(), '0', 'x'))).toBe('VALIDATION');
    expect(await codeOf(applyPromo(gateway.em(), user.id, ''))).toBe('VALIDATION');
    const long = { userId: user.id, groupId: '1', days: 36_501 };
    expect(await codeOf(assignOrExtendSubscription(gateway.em(), long))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it(`of ${CALLERS} calls for one code, by one user or by ${CALLERS}, lets one have it`, async () => {
    const people = await many(() => mustCreateUser(gateway.em()));
    for (const who of [(n: number) => people[n], () => people[0]]) {
      const before = await Promise.all(people.map(({ id }) => balanceOf(id)));
      const code = await mustCreateRedeemCode(gateway.em(), { value: '5' });
      const results = await each((n) => redeem(gateway.em(), who(n)?.id ?? '', code.code));
      expect(outcomes(results)).toEqual([...Array(CALLERS - 1).fill('REDEEM_CODE_USED'), 'done']);
      const after = await Promise.all(people.map(({ id }) => balanceOf(id)));
      expect(after.map((balance, n) => Number(balance) - Number(before[n])).filter(Boolean)).toEqual([5]);
    }
  });

  it('would let several have it by reading first and writing then, as a control', async () => {
    const code = await mustCreateRedeemCode(gateway.em());
    const read = await each(async () => (await repositories().redeemCodes.getById(code.id)).status);
    expect(outcomes(read)).toEqual(Array(CALLERS).fill('done'));
    const write = `update redeem_codes set status = 'used' where id = ? returning id`;
    const gave = await each(async (n) => {
      const seen = read[n];
      if (seen?.status === 'fulfilled' && seen.value === 'unused') return gateway.rows(write, [code.id]);
      throw new Error('refused');
    });
    expect(gave.filter(({ status }) => status === 'fulfilled')).toHaveLength(CALLERS);
  });

  it('F25: of 32 creations of one code lets one be', async () => {
    const results = await each(() => mustCreateRedeemCode(gateway.em(), { code: 'RACE' }));
    expect(outcomes(results)).toEqual([...Array(CALLERS - 1).fill('REDEEM_CODE_EXISTS'), 'done']);
  });

  it(`adds up ${CALLERS} codes of one user exactly`, async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    const money = await many(() => mustCreateRedeemCode(gateway.em(), { value: '0.10000001' }));
    const passes = await many(() =>
      mustCreateRedeemCode(gateway.em(), { type: 'subscription', groupId: group.id, validityDays: 10 }),
    );
    const codes = [...money, ...passes];
    const results = await Promise.allSettled(codes.map(({ code }) => redeem(gateway.em(), user.id, code)));
    expect(outcomes(results)).toEqual(Array(2 * CALLERS).fill('done'));
    expect(await balanceOf(user.id)).toBe('3.2000003200');
    const found = await gateway.rows<{ days: number }>(
      'select extract(day from expires_at - starts_at)::int as days from user_subscriptions where user_id = ?',
      [user.id],
    );
    expect(found).toEqual([{ days: 10 * CALLERS }]);
  });
});

describe('assigning or extending a subscription', () => {
  it('F8: adds both durations of two calls at once, where reading and writing apart adds one', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    const subscription = await insertSubscription(gateway.em(), { user_id: user.id, group_id: group.id });
    const read = 'select expires_at::text as at from user_subscriptions where id = ?';
    const write = `update user_subscriptions set expires_at = ?::timestamptz + interval '10 days' where id = ? and deleted_at is null`;
    const seen = await Promise.all([1, 2].map(() => gateway.rows<{ at: string }>(read, [subscription])));
    for (const [row] of seen) await gateway.rows(write, [row?.at, subscription]);
    const expiry = async () => {
      const [row] = await gateway.rows<{ at: string }>(read, [subscription]);
      return new Date(row?.at ?? '');
    };
    expect(daysFromNow(await expiry())).toBe(40);
    await each(() =>
      assignOrExtendSubscription(gateway.em(), { userId: user.id, groupId: group.id, days: 10 }),
    );
    expect(daysFromNow(await expiry())).toBe(40 + 10 * CALLERS);
  });

  it('F8: makes one subscription of 32 first assignments, with all their days', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    const results = await each(() =>
      assignOrExtendSubscription(gateway.em(), { userId: user.id, groupId: group.id, days: 2 }),
    );
    const created = results.filter((result) => result.status === 'fulfilled' && result.value.created);
    expect([outcomes(results), created.length]).toEqual([Array(CALLERS).fill('done'), 1]);
    const last = await assignOrExtendSubscription(gateway.em(), {
      userId: user.id,
      groupId: group.id,
      days: 1,
    });
    expect(daysFromNow(last.subscription.expiresAt)).toBe(2 * CALLERS + 1);
  });

  it('counts from now when it is over, makes it active, appends notes, and ends with 2099', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    const assign = (values: object = {}) =>
      assignOrExtendSubscription(gateway.em(), { userId: user.id, groupId: group.id, ...values });
    const past = { expires_at: new Date('2020-01-01'), status: 'suspended', notes: 'one' };
    await insertSubscription(gateway.em(), { user_id: user.id, group_id: group.id, ...past });
    const { subscription, created } = await assign({ notes: 'two' });
    expect([created, subscription]).toMatchObject([false, { status: 'active', notes: 'one\ntwo' }]);
    expect(daysFromNow(subscription.expiresAt)).toBe(30);
    const end = await assign({ days: 36_500 });
    expect(end.subscription).toMatchObject({
      notes: 'one\ntwo',
      expiresAt: new Date('2099-12-31T23:59:59Z'),
    });
  });

  it('F11: leaves a deleted subscription as it is and makes a new one, also twice in one transaction', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    const pair = { userId: user.id, groupId: group.id };
    const dead = { user_id: user.id, group_id: group.id, deleted_at: new Date(), expires_at: new Date(0) };
    const id = await insertSubscription(gateway.em(), dead);
    const both = await gateway
      .em()
      .transactional(async (tx) => [
        await assignOrExtendSubscription(tx, { ...pair, assignedBy: user.id }),
        await assignOrExtendSubscription(tx, pair),
      ]);
    expect(both.map(({ created }) => created)).toEqual([true, false]);
    expect(both[1]?.subscription).toMatchObject({ assignedBy: user.id, notes: '' });
    expect(both.map(({ subscription }) => subscription.id)).not.toContain(id);
    expect(
      await gateway.rows('select 1 from user_subscriptions where id = ? and expires_at < now()', [id]),
    ).toHaveLength(1);
  });

  it('F13: is refused for a group that is deleted while it waits', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await sold()];
    let assigning: Promise<unknown> = Promise.resolve();
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).groups.delete(group.id);
      assigning = codeOf(assignOrExtendSubscription(gateway.em(), { userId: user.id, groupId: group.id }));
      const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%groups%'`;
      while ((await gateway.rows(waiting)).length === 0) await sleep(5);
    });
    expect(await assigning).toBe('GROUP_NOT_FOUND');
    expect(await gateway.rows('select 1 from user_subscriptions where user_id = ?', [user.id])).toEqual([]);
  });
});

describe('applying a promo code', () => {
  it('gives the bonus once, counts, and says why not', async () => {
    const [user, other] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const promo = await mustCreatePromoCode(gateway.em(), { bonusAmount: '2.5', maxUses: 1 });
    gateway.statements();
    const applied = await applyPromo(gateway.em(), user.id, promo.code.toLowerCase());
    expect(gateway.statements()).toHaveLength(5);
    expect(applied).toMatchObject({
      bonusAmount: '2.50000000',
      usage: { userId: user.id, promoCodeId: promo.id },
    });
    expect(await balanceOf(user.id)).toBe('2.5000000000');
    expect((await repositories().promoCodes.getById(promo.id)).usedCount).toBe(1);
    const apply = (code: string, id = other.id) => codeOf(applyPromo(gateway.em(), id, code));
    expect(await apply(promo.code)).toBe('PROMO_CODE_MAX_USED');
    await repositories().promoCodes.update({ id: promo.id, maxUses: 0 });
    expect(await apply(promo.code, user.id)).toBe('PROMO_CODE_ALREADY_USED');
    await repositories().promoCodes.update({ id: promo.id, expiresAt: new Date() });
    expect(await apply(promo.code)).toBe('PROMO_CODE_EXPIRED');
    await repositories().promoCodes.update({ id: promo.id, status: 'disabled' });
    expect(await apply(promo.code)).toBe('PROMO_CODE_DISABLED');
    expect(await apply('unknown')).toBe('PROMO_CODE_INVALID');
    await repositories().promoCodes.update({ id: promo.id, status: 'active', expiresAt: null });
    await repositories().users.delete(other.id);
    expect(await apply(promo.code)).toBe('USER_NOT_FOUND');
    expect(await balanceOf(user.id)).toBe('2.5000000000');
    expect((await repositories().promoCodes.getById(promo.id)).usedCount).toBe(1);
  });

  it('would go beyond its uses without the lock, as a control', async () => {
    const people = await many(() => mustCreateUser(gateway.em()));
    const scarce = await mustCreatePromoCode(gateway.em(), { maxUses: 5 });
    const counts = await many(async () => (await repositories().promoCodes.getById(scarce.id)).usedCount);
    await each(async (n) => {
      if ((counts[n] ?? 5) >= 5) return;
      const usage = { promoCodeId: scarce.id, userId: people[n]?.id ?? '', bonusAmount: '1' };
      await repositories().promoCodes.createUsage(usage);
      await repositories().promoCodes.incrementUsedCount(scarce.id);
    });
    expect((await repositories().promoCodes.getById(scarce.id)).usedCount).toBe(CALLERS);
  });

  it(`never goes beyond its uses, and gives a user one, with ${CALLERS} callers`, async () => {
    const people = await many(() => mustCreateUser(gateway.em()));
    const scarce = await mustCreatePromoCode(gateway.em(), { maxUses: 5 });
    const results = await each((n) => applyPromo(gateway.em(), people[n]?.id ?? '', scarce.code));
    expect(outcomes(results)).toEqual([...Array(27).fill('PROMO_CODE_MAX_USED'), ...Array(5).fill('done')]);
    expect((await repositories().promoCodes.getById(scarce.id)).usedCount).toBe(5);
    expect((await repositories().promoCodes.listUsagesByPromoCode(scarce.id)).total).toBe(5);
    const open = await mustCreatePromoCode(gateway.em());
    const user = await mustCreateUser(gateway.em());
    const once = await each(() => applyPromo(gateway.em(), user.id, open.code));
    expect(outcomes(once)).toEqual([...Array(31).fill('PROMO_CODE_ALREADY_USED'), 'done']);
    expect(await balanceOf(user.id)).toBe('1.0000000000');
  });
});
