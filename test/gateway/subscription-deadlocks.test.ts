import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, type UserSubscriptionRepository } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { codeOf, inDays, mustCreateSubscription } from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  // The write looks for a cycle late enough for the others to have closed it, and they look later still.
  const { url } = await cloneTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database "${new URL(url).pathname.slice(1)}" set deadlock_timeout = '2s'`);
  await client.end();
  gateway = await openGateway({ url, pool: { min: 0, max: 64 } });
});
afterAll(() => gateway.close());

type Write = (of: UserSubscriptionRepository, id: string, groupId: string) => Promise<unknown>;

const WRITES: Readonly<Record<string, Write>> = {
  incrementUsage: (of, id) => of.incrementUsage(id, '1.25'),
  checkWindows: (of, id) => of.checkWindows(id),
  resetExpiredWindows: (of, id) => of.resetExpiredWindows(id, inDays(40)),
  activateWindows: (of, id) => of.activateWindows(id),
  resetDailyUsage: (of, id) => of.resetDailyUsage(id, null),
  extendByDays: (of, id) => of.extendByDays(id, 1),
  extendExpiry: (of, id) => of.extendExpiry(id, inDays(3)),
  updateStatus: (of, id) => of.updateStatus(id, 'suspended'),
  update: (of, id) => of.update({ id, notes: 'changed' }),
  delete: (of, id) => of.delete(id),
  deleteByGroupId: (of, _id, groupId) => of.deleteByGroupId(groupId),
};

const SUBSCRIPTION =
  'select id from user_subscriptions where id = ? and deleted_at is null for no key update';
const USER = 'select id from users where id = ? and deleted_at is null for no key update';

interface Crossing {
  readonly id: string;
  readonly groupId: string;
  readonly write: Write;
}

/**
 * The write waits for the row, between one who has it and one who queues behind the write. Those two want each other's user,
 * so that all three are a cycle, and the write is the first one to look for it.
 */
async function crossed(crossings: readonly Crossing[], run: (crossing: Crossing) => Promise<unknown>) {
  const begun = async (timeout: string): Promise<DataEntityManager> => {
    const em = gateway.em();
    await em.begin();
    await em.execute(`set local deadlock_timeout = '${timeout}'`);
    return em;
  };
  const users = await Promise.all(crossings.map(async () => (await mustCreateUser(gateway.em())).id));
  const inFront = await Promise.all(crossings.map(() => begun('5s')));
  const behind = await Promise.all(crossings.map(() => begun('60s')));
  await Promise.all(inFront.map((em, n) => em.execute(SUBSCRIPTION, [crossings[n]?.id])));
  const writing = crossings.map((crossing) => codeOf(run(crossing)));
  await untilWaiting(gateway, crossings.length);
  const queueing = behind.map(async (em, n) => {
    await em.execute(USER, [users[n]]);
    await em.execute(SUBSCRIPTION, [crossings[n]?.id]);
    await em.rollback();
  });
  await untilWaiting(gateway, 2 * crossings.length);
  const giving = inFront.map(async (em, n) => {
    const code = await codeOf(em.execute(USER, [users[n]]));
    await em.rollback();
    return code;
  });
  await Promise.all(queueing);
  // Without the write, the two are still a cycle, and it ends when the one in front looks for it.
  expect(new Set(await Promise.all(giving))).toEqual(new Set(['DATA.CONCURRENCY']));
  return Promise.all(writing);
}

async function allCrossings(): Promise<Crossing[]> {
  return Promise.all(
    Object.values(WRITES).map(async (write) => {
      const { id, groupId } = await mustCreateSubscription(gateway.em());
      if (write === WRITES['resetExpiredWindows'])
        await gatewayRepositories(gateway.em()).subscriptions.activateWindows(id);
      return { id, groupId, write };
    }),
  );
}

const codes = (all: readonly unknown[]) =>
  Object.fromEntries(Object.keys(WRITES).map((name, n) => [name, all[n]]));
const allAre = (code: string) => codes(Object.keys(WRITES).map(() => code));

it('a write of a subscription that loses a deadlock of others is done again, once', async () => {
  const all = await allCrossings();
  const results = await crossed(all, ({ write, id, groupId }) =>
    write(gatewayRepositories(gateway.em(), { timeZone: 'UTC' }).subscriptions, id, groupId),
  );
  expect(codes(results)).toEqual(allAre('done'));
  const [charged] = all;
  const [row] = await gateway.rows(
    'select daily_usage_usd::text as daily from user_subscriptions where id = ?',
    [charged?.id],
  );
  expect(row).toEqual({ daily: '1.2500000000' });
}, 30_000);

it('would give the deadlock to the caller without another attempt, as in a transaction of the caller, a control', async () => {
  const results = await crossed(await allCrossings(), ({ write, id, groupId }) =>
    gateway
      .em()
      .transactional((tx) => write(gatewayRepositories(tx, { timeZone: 'UTC' }).subscriptions, id, groupId)),
  );
  expect(codes(results)).toEqual(allAre('DATA.CONCURRENCY'));
}, 30_000);

// It holds a share of the group and waits for the user, whom the other has; then the other asks for the group.
async function createdWhile(create: (userId: string, groupId: string) => Promise<unknown>): Promise<unknown> {
  const user = await mustCreateUser(gateway.em());
  const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
  let creating: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await tx.execute(`set local deadlock_timeout = '60s'`);
    await tx.execute(USER, [user.id]);
    creating = codeOf(create(user.id, group.id));
    await untilWaiting(gateway, 1);
    await tx.execute('select id from groups where id = ? and deleted_at is null for update', [group.id]);
  });
  return creating;
}

it('one that is created, too, and it would not be in a transaction of the caller', async () => {
  const create = (em: DataEntityManager) => (userId: string, groupId: string) =>
    mustCreateSubscription(em, { userId, groupId });
  expect(await createdWhile(create(gateway.em()))).toBe('done');
  const inOwn = (userId: string, groupId: string) =>
    gateway.em().transactional((tx) => create(tx)(userId, groupId));
  expect(await createdWhile(inOwn)).toBe('DATA.CONCURRENCY');
}, 30_000);
