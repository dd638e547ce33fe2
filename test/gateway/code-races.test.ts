import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { applyPromo, type GatewayRepositories, gatewayRepositories, redeem } from 'tombstone/gateway';
import { codeOf, mustCreatePromoCode, mustCreateRedeemCode } from '../support/gateway-codes.ts';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const each = (work: (caller: number) => Promise<unknown>): Promise<unknown[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => codeOf(work(caller))));
const balanceOf = async (id: string) => (await repositories().users.getById(id)).balance;

/** Runs `first` in a transaction that stays open until `second` waits for it; answers what `second` came to. */
async function overtaken(
  first: (of: GatewayRepositories) => Promise<unknown>,
  second: () => Promise<unknown>,
): Promise<unknown> {
  let waiting: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await first(gatewayRepositories(tx));
    waiting = codeOf(second());
    await untilWaiting(gateway, 1);
  });
  return waiting;
}

describe('redeeming a code', () => {
  it('for a group that is deleted with what hangs on it is refused, and the code stays unused', async () => {
    const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    const user = await mustCreateUser(gateway.em());
    const code = await mustCreateRedeemCode(gateway.em(), { type: 'subscription', groupId: group.id });
    const outcome = await overtaken(
      ({ groups }) => groups.deleteCascade(group.id),
      () => redeem(gateway.em(), user.id, code.code),
    );
    expect(outcome).toBe('GROUP_NOT_FOUND');
    expect(await repositories().redeemCodes.getById(code.id)).toMatchObject({
      status: 'unused',
      usedBy: null,
    });
  });

  it(`of one group by ${CALLERS} users while it is deleted: no live subscription, and codes are used or not`, async () => {
    for (let round = 0; round < 4; round += 1) {
      const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
      const make = async () => ({
        user: await mustCreateUser(gateway.em(), { allowedGroups: [group.id] }),
        code: await mustCreateRedeemCode(gateway.em(), { type: 'subscription', groupId: group.id }),
      });
      const pairs = await Promise.all(Array.from({ length: CALLERS }, make));
      const deletion = round * 9;
      const results = await each((n) =>
        n === deletion
          ? repositories().groups.deleteCascade(group.id)
          : redeem(gateway.em(), pairs[n]?.user.id ?? '', pairs[n]?.code.code ?? ''),
      );
      expect(results.filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
      const live = 'select 1 from user_subscriptions where group_id = ? and deleted_at is null';
      expect(await gateway.rows(live, [group.id])).toEqual([]);
      const used = `select 1 from redeem_codes where group_id = ? and status = 'used'`;
      expect(await gateway.rows(used, [group.id])).toHaveLength(
        results.filter((code) => code === 'done').length - 1,
      );
    }
  });

  it('by a user who is deleted meanwhile is refused, and the code stays unused', async () => {
    const [user, code] = [await mustCreateUser(gateway.em()), await mustCreateRedeemCode(gateway.em())];
    const outcome = await overtaken(
      ({ users }) => users.delete(user.id),
      () => redeem(gateway.em(), user.id, code.code),
    );
    expect(outcome).toBe('USER_NOT_FOUND');
    expect((await repositories().redeemCodes.getById(code.id)).status).toBe('unused');
  });

  it('F13: a code that waited for another use, which was undone, is not given to a user deleted by then', async () => {
    const [user, other] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const code = await mustCreateRedeemCode(gateway.em());
    let waiting: Promise<unknown> = Promise.resolve();
    const undone = gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).redeemCodes.use(code.id, other.id);
      waiting = codeOf(repositories().redeemCodes.use(code.id, user.id));
      await untilWaiting(gateway, 1);
      await repositories().users.delete(user.id);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await waiting).toBe('USER_NOT_FOUND');
    expect((await repositories().redeemCodes.getById(code.id)).status).toBe('unused');
  });

  it('while it is given to the same user by an update ends in neither a deadlock nor two uses', async () => {
    for (let round = 0; round < 10; round += 1) {
      const user = await mustCreateUser(gateway.em());
      const code = await mustCreateRedeemCode(gateway.em());
      const given = { id: code.id, usedBy: user.id, status: 'used', usedAt: new Date() } as const;
      const results = await each((n) =>
        n % 2 === 0 ? repositories().redeemCodes.update(given) : redeem(gateway.em(), user.id, code.code),
      );
      expect(results.filter((result) => result !== 'done' && result !== 'REDEEM_CODE_USED')).toEqual([]);
      const redeemed = results.filter((result, n) => n % 2 === 1 && result === 'done').length;
      expect(Number(await balanceOf(user.id))).toBe(redeemed);
      expect(redeemed).toBeLessThan(2);
    }
  });
});

describe('changing a code', () => {
  it('that is deleted meanwhile is not found', async () => {
    const code = await mustCreateRedeemCode(gateway.em());
    const ofRedeem = await overtaken(
      ({ redeemCodes }) => redeemCodes.delete(code.id),
      () => repositories().redeemCodes.update({ id: code.id, notes: 'late' }),
    );
    const promo = await mustCreatePromoCode(gateway.em());
    const ofPromo = await overtaken(
      ({ promoCodes }) => promoCodes.delete(promo.id),
      () => repositories().promoCodes.update({ id: promo.id, notes: 'late' }),
    );
    expect([ofRedeem, ofPromo]).toEqual(['REDEEM_CODE_NOT_FOUND', 'PROMO_CODE_NOT_FOUND']);
  });

  it('batches that make the same codes in opposite orders: one is made, no deadlock comes through', async () => {
    for (let round = 0; round < 4; round += 1) {
      const texts = Array.from({ length: 2_000 }, (_, n) => `B${round}-${n}`);
      const batch = texts.map((code) => ({ code, value: '1' }));
      const make = (n: number) =>
        repositories().redeemCodes.createBatch(n % 2 === 0 ? batch : batch.toReversed());
      const results = await each(make);
      expect(results.toSorted()).toEqual([...Array(CALLERS - 1).fill('REDEEM_CODE_EXISTS'), 'done']);
    }
  });

  it('two that want each other’s text: a conflict, no deadlock', async () => {
    for (let round = 0; round < 3; round += 1) {
      const [a, b] = [await mustCreatePromoCode(gateway.em()), await mustCreatePromoCode(gateway.em())];
      const [c, d] = [await mustCreateRedeemCode(gateway.em()), await mustCreateRedeemCode(gateway.em())];
      const results = await Promise.all([
        codeOf(repositories().promoCodes.update({ id: a.id, code: b.code })),
        codeOf(repositories().promoCodes.update({ id: b.id, code: a.code })),
        codeOf(repositories().redeemCodes.update({ id: c.id, code: d.code })),
        codeOf(repositories().redeemCodes.update({ id: d.id, code: c.code })),
      ]);
      const expected = new Set<unknown>(['done', 'PROMO_CODE_EXISTS', 'REDEEM_CODE_EXISTS']);
      expect(results.filter((code) => !expected.has(code))).toEqual([]);
    }
  });
});

describe('applying a promo code', () => {
  const changes: Record<string, [(of: GatewayRepositories, id: string) => Promise<unknown>, string]> = {
    deleted: [({ promoCodes }, id) => promoCodes.delete(id), 'PROMO_CODE_INVALID'],
    disabled: [({ promoCodes }, id) => promoCodes.update({ id, status: 'disabled' }), 'PROMO_CODE_DISABLED'],
    expired: [
      ({ promoCodes }, id) => promoCodes.update({ id, expiresAt: new Date(0) }),
      'PROMO_CODE_EXPIRED',
    ],
    renamed: [({ promoCodes }, id) => promoCodes.update({ id, code: `renamed ${id}` }), 'PROMO_CODE_INVALID'],
  };

  it.each(Object.entries(changes))('that is %s meanwhile gives nothing', async (_name, [change, code]) => {
    const [user, promo] = [await mustCreateUser(gateway.em()), await mustCreatePromoCode(gateway.em())];
    const outcome = await overtaken(
      (of) => change(of, promo.id),
      () => applyPromo(gateway.em(), user.id, promo.code),
    );
    expect([outcome, await balanceOf(user.id)]).toEqual([code, '0.0000000000']);
    expect(await gateway.rows('select 1 from promo_code_usages where user_id = ?', [user.id])).toEqual([]);
  });

  it('with the bonus that it has by then, when that is changed meanwhile', async () => {
    const [user, promo] = [await mustCreateUser(gateway.em()), await mustCreatePromoCode(gateway.em())];
    const outcome = await overtaken(
      ({ promoCodes }) => promoCodes.update({ id: promo.id, bonusAmount: '7' }),
      () => applyPromo(gateway.em(), user.id, promo.code),
    );
    expect([outcome, await balanceOf(user.id)]).toEqual(['done', '7.0000000000']);
  });

  it('keeps the bonus, and the deletion takes the use along, when the deletion comes later', async () => {
    const [user, promo] = [await mustCreateUser(gateway.em()), await mustCreatePromoCode(gateway.em())];
    let deletion: Promise<unknown> = Promise.resolve();
    await gateway.em().transactional(async (tx) => {
      await applyPromo(tx, user.id, promo.code);
      deletion = codeOf(repositories().promoCodes.delete(promo.id));
      await untilWaiting(gateway, 1);
    });
    expect([await deletion, await balanceOf(user.id)]).toEqual(['done', '1.0000000000']);
    expect(await gateway.rows('select 1 from promo_code_usages where user_id = ?', [user.id])).toEqual([]);
  });

  it('while its use is recorded by hand ends with one use, and no deadlock comes through', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [user, promo] = [await mustCreateUser(gateway.em()), await mustCreatePromoCode(gateway.em())];
      const usage = { promoCodeId: promo.id, userId: user.id, bonusAmount: '1' };
      const results = await each((n) =>
        n % 2 === 0
          ? repositories().promoCodes.createUsage(usage)
          : applyPromo(gateway.em(), user.id, promo.code),
      );
      expect(results.toSorted()).toEqual([...Array(CALLERS - 1).fill('PROMO_CODE_ALREADY_USED'), 'done']);
      expect(['0.0000000000', '1.0000000000']).toContain(await balanceOf(user.id));
    }
  });

  it('does not deadlock with a use that is recorded by hand, which takes the code before the user', async () => {
    const [user, promo] = [await mustCreateUser(gateway.em()), await mustCreatePromoCode(gateway.em())];
    const usage = { promoCodeId: promo.id, userId: user.id, bonusAmount: '1' };
    let recording: Promise<unknown> = Promise.resolve();
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).promoCodes.getByCodeForUpdate(promo.code);
      recording = codeOf(repositories().promoCodes.createUsage(usage));
      await untilWaiting(gateway, 1);
      await gatewayRepositories(tx).users.updateBalance(user.id, '1');
    });
    expect(await recording).toBe('done');
  });
});
