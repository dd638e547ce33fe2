import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  applyPromo,
  assignOrExtendSubscription,
  type GatewayRepositories,
  gatewayRepositories,
  redeem,
} from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
});
afterAll(() => gateway.close());

type Calls<T> = Readonly<Record<keyof T, () => Promise<unknown>>>;

// One entry per method, so that a method without one does not compile; the last one deletes what the others use.
const redeemCalls = (
  codes: GatewayRepositories['redeemCodes'],
  ids: { id: string; user: string; group: string },
): Calls<GatewayRepositories['redeemCodes']> => ({
  create: () => codes.create({ code: 'second', value: '1', groupId: ids.group }),
  createBatch: () => codes.createBatch([{ code: 'third', value: '1' }]),
  getById: () => codes.getById(ids.id),
  findById: () => codes.findById(ids.id),
  getByCode: () => codes.getByCode('first'),
  findByCode: () => codes.findByCode('first'),
  update: () => codes.update({ id: ids.id, groupId: ids.group }),
  use: () => codes.use(ids.id, ids.user),
  list: () => codes.list(),
  listWithFilters: () => codes.listWithFilters({}, { search: 'first' }),
  listByUser: () => codes.listByUser(ids.user),
  delete: () => codes.delete(ids.id),
});

const promoCalls = (
  promos: GatewayRepositories['promoCodes'],
  { id, user }: { id: string; user: string },
): Calls<GatewayRepositories['promoCodes']> => ({
  create: () => promos.create({ code: 'two' }),
  getById: () => promos.getById(id),
  findById: () => promos.findById(id),
  getByCode: () => promos.getByCode('one'),
  findByCode: () => promos.findByCode('one'),
  getByCodeForUpdate: () => promos.getByCodeForUpdate('one'),
  findByCodeForUpdate: () => promos.findByCodeForUpdate('one'),
  update: () => promos.update({ id, notes: 'n' }),
  list: () => promos.list(),
  listWithFilters: () => promos.listWithFilters({}, { search: 'one' }),
  createUsage: () => promos.createUsage({ promoCodeId: id, userId: user, bonusAmount: '1' }),
  getUsageByPromoCodeAndUser: () => promos.getUsageByPromoCodeAndUser(id, user),
  findUsageByPromoCodeAndUser: () => promos.findUsageByPromoCodeAndUser(id, user),
  listUsagesByPromoCode: () => promos.listUsagesByPromoCode(id),
  incrementUsedCount: () => promos.incrementUsedCount(id),
  delete: () => promos.delete(id),
});

it('F17: every method and operation runs in the caller’s transaction, on a pool of one connection', async () => {
  const { id: user } = await mustCreateUser(gateway.em());
  const { id: group } = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
  const attempt = gateway.em().transactional(async (tx) => {
    const { redeemCodes, promoCodes } = gatewayRepositories(tx);
    const code = await redeemCodes.create({ code: 'first', value: '1' });
    const promo = await promoCodes.create({ code: 'one' });
    await redeemCodes.create({ code: 'pass', value: '0', type: 'subscription', groupId: group });
    await promoCodes.create({ code: 'bonus', bonusAmount: '2' });
    for (const call of [
      ...Object.values(redeemCalls(redeemCodes, { id: code.id, user, group })),
      ...Object.values(promoCalls(promoCodes, { id: promo.id, user })),
    ])
      await call();
    await redeem(tx, user, 'third');
    await redeem(tx, user, 'pass');
    await applyPromo(tx, user, 'bonus');
    const again = await assignOrExtendSubscription(tx, { userId: user, groupId: group });
    expect(again.created).toBe(false);
    expect((await gatewayRepositories(tx).users.getById(user)).balance).toBe('3.0000000000');
    throw new Error('enough');
  });
  await expect(attempt).rejects.toThrow('enough');
  const after = gatewayRepositories(gateway.em());
  expect((await after.users.getById(user)).balance).toBe('0.0000000000');
  expect([(await after.redeemCodes.list()).total, (await after.promoCodes.list()).total]).toEqual([0, 0]);
});
