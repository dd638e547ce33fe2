import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  type GatewayRepositories,
  gatewayRepositories,
  type UserSubscriptionRepository,
} from 'tombstone/gateway';
import { inDays } from '../support/gateway-subscriptions.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
});
afterAll(() => gateway.close());

interface Rows {
  readonly user: string;
  readonly other: string;
  readonly group: string;
  readonly subscription: string;
}

// One entry per method, so that a method without one does not compile; the last ones delete what the others use.
const callsOf = (
  all: UserSubscriptionRepository,
  { user, other, group, subscription: id }: Rows,
): Readonly<Record<keyof UserSubscriptionRepository, () => Promise<unknown>>> => ({
  create: () => all.create({ userId: other, groupId: group, assignedBy: user, expiresAt: inDays(-1) }),
  getById: () => all.getById(id),
  findById: () => all.findById(id),
  getByUserIdAndGroupId: () => all.getByUserIdAndGroupId(user, group),
  findByUserIdAndGroupId: () => all.findByUserIdAndGroupId(user, group),
  getActiveByUserIdAndGroupId: () => all.getActiveByUserIdAndGroupId(user, group),
  findActiveByUserIdAndGroupId: () => all.findActiveByUserIdAndGroupId(user, group),
  update: () => all.update({ id, notes: 'seen', assignedBy: other }),
  listByUserId: () => all.listByUserId(user),
  listActiveByUserId: () => all.listActiveByUserId(user),
  listByGroupId: () => all.listByGroupId(group),
  list: () => all.list({}, { groupId: group }),
  existsByUserIdAndGroupId: () => all.existsByUserIdAndGroupId(user, group),
  extendExpiry: () => all.extendExpiry(id, inDays(5)),
  extendByDays: () => all.extendByDays(id, 5),
  updateStatus: () => all.updateStatus(id, 'active'),
  updateNotes: () => all.updateNotes(id, 'seen'),
  activateWindows: () => all.activateWindows(id),
  resetDailyUsage: () => all.resetDailyUsage(id, inDays(-2)),
  resetWeeklyUsage: () => all.resetWeeklyUsage(id, inDays(-2)),
  resetMonthlyUsage: () => all.resetMonthlyUsage(id, inDays(-2)),
  incrementUsage: () => all.incrementUsage(id, '1.25'),
  resetExpiredWindows: () => all.resetExpiredWindows(id),
  checkWindows: () => all.checkWindows(id),
  listExpired: () => all.listExpired(),
  batchUpdateExpiredStatus: () => all.batchUpdateExpiredStatus(),
  countByGroupId: () => all.countByGroupId(group),
  countActiveByGroupId: () => all.countActiveByGroupId(group),
  delete: async () => {
    await all.delete(id);
    await all.delete(id);
  },
  deleteByGroupId: () => all.deleteByGroupId(group),
});

async function insideRows({ users, groups, subscriptions }: GatewayRepositories): Promise<Rows> {
  const [user, other] = [
    (await users.create({ email: 'inside@example.com', passwordHash: 'h' })).id,
    (await users.create({ email: 'other@example.com', passwordHash: 'h' })).id,
  ];
  const group = (await groups.create({ name: 'inside', subscriptionType: 'subscription' })).id;
  const { id } = await subscriptions.create({ userId: user, groupId: group, expiresAt: inDays(3) });
  return { user, other, group, subscription: id };
}

// A method that asked the pool for a second connection would wait for ever; one that asked another connection would
// not see rows that are not committed.
it('F17: every method of subscriptions, on a pool of one connection, runs in the caller’s transaction', async () => {
  const answers: Record<string, unknown> = {};
  const attempt = gateway.em().transactional(async (tx) => {
    const repositories = gatewayRepositories(tx);
    const calls = callsOf(repositories.subscriptions, await insideRows(repositories));
    for (const [method, call] of Object.entries(calls)) answers[method] = await call();
    throw new Error('enough');
  });
  await expect(attempt).rejects.toThrow('enough');
  expect(answers).toMatchObject({
    create: { effectiveStatus: 'expired' },
    getActiveByUserIdAndGroupId: { group: { name: 'inside' } },
    update: { notes: 'seen' },
    list: { total: 2 },
    existsByUserIdAndGroupId: true,
    activateWindows: true,
    incrementUsage: { dailyUsageUsd: '1.2500000000' },
    resetExpiredWindows: { dailyUsageUsd: '0.0000000000', weeklyUsageUsd: '1.2500000000' },
    checkWindows: null,
    listExpired: [{ status: 'active' }],
    batchUpdateExpiredStatus: 1,
    countByGroupId: 2,
    countActiveByGroupId: 1,
    deleteByGroupId: 1,
  });
  expect(await gateway.rows('select id from user_subscriptions')).toEqual([]);
});

it('runs without a transaction too', async () => {
  const repositories = gatewayRepositories(gateway.em());
  const calls = callsOf(repositories.subscriptions, await insideRows(repositories));
  for (const call of Object.values(calls)) await call();
  expect(await repositories.subscriptions.listExpired()).toEqual([]);
});

it('F17: a call beside the transaction waits for its connection, as the original’s did inside of it, as a control', async () => {
  let beside: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).subscriptions.list();
    beside = gatewayRepositories(gateway.em()).subscriptions.list();
    expect(await Promise.race([beside.then(() => 'answered'), sleep(300, 'waits')])).toBe('waits');
  });
  await expect(beside).resolves.toBeDefined();
});
