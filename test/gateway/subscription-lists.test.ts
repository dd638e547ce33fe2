import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  gatewayRepositories,
  type NewSubscription,
  type SubscriptionChange,
  type UserSubscriptionRepository,
} from 'tombstone/gateway';
import { codeOf, inDays, mustCreateSubscription, subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const subscriptions = () => subscriptionsOf(gateway);
const mustCreate = (values: Partial<NewSubscription> = {}) => mustCreateSubscription(gateway.em(), values);
const idsOf = (rows: readonly { id: string }[]): string[] => rows.map((row) => row.id);
const same = (ids: readonly string[]) =>
  gateway.rows(`update user_subscriptions set created_at = '2026-01-01' where id = any (?::bigint[])`, [
    `{${ids.join(',')}}`,
  ]);

describe('lists', () => {
  it('of a user are newest first, each with its group', async () => {
    const user = await mustCreateUser(gateway.em());
    const first = await mustCreate({ userId: user.id });
    const over = await mustCreate({ userId: user.id, expiresAt: inDays(-1) });
    const suspended = await mustCreate({ userId: user.id, status: 'suspended' });
    const last = await mustCreate({ userId: user.id });
    const gone = await mustCreate({ userId: user.id });
    await subscriptions().delete(gone.id);
    const all = await subscriptions().listByUserId(user.id);
    expect(idsOf(all)).toEqual(idsOf([last, suspended, over, first]));
    expect(all[0]?.group?.id).toBe(last.groupId);
    expect(idsOf(await subscriptions().listActiveByUserId(user.id))).toEqual(idsOf([last, first]));
  });

  it('F10: show what is past its end as expired, beside what is stored', async () => {
    const user = await mustCreateUser(gateway.em());
    const group = await mustCreateGroup(gateway.em());
    const { id } = await mustCreate({ userId: user.id, groupId: group.id, expiresAt: inDays(-1) });
    await mustCreate({ userId: user.id, status: 'suspended', expiresAt: inDays(-1) });
    // What the original shows, which has the stored status alone.
    const original = 'select status from user_subscriptions where id = ? and expires_at < now()';
    expect(await gateway.rows(original, [id])).toEqual([{ status: 'active' }]);
    const shown = { status: 'active', effectiveStatus: 'expired' };
    expect(await subscriptions().getById(id)).toMatchObject(shown);
    expect((await subscriptions().listByUserId(user.id)).map((each) => each.effectiveStatus)).toEqual([
      'suspended',
      'expired',
    ]);
    expect((await subscriptions().listByGroupId(group.id)).items).toMatchObject([shown]);
    expect((await subscriptions().list({}, { userId: user.id, status: 'active' })).items).toMatchObject([
      shown,
    ]);
    expect(idsOf(await subscriptions().listExpired())).toContain(id);
    const { items } = await gatewayRepositories(gateway.em()).users.list();
    expect(items.find((each) => each.id === user.id)?.subscriptions).toMatchObject([shown]);

    expect(await subscriptions().batchUpdateExpiredStatus()).toBeGreaterThan(0);
    expect(await subscriptions().getById(id)).toMatchObject({
      status: 'expired',
      effectiveStatus: 'expired',
    });
    expect(await subscriptions().listExpired()).toEqual([]);
    expect(await subscriptions().batchUpdateExpiredStatus()).toBe(0);
  });

  it('F30: have an order among those that were created at one instant', async () => {
    const user = await mustCreateUser(gateway.em());
    const group = await mustCreateGroup(gateway.em());
    const ofUser: string[] = [];
    for (let n = 0; n < 5; n += 1) ofUser.push((await mustCreate({ userId: user.id })).id);
    const ofGroup: string[] = [];
    for (let n = 0; n < 5; n += 1) ofGroup.push((await mustCreate({ groupId: group.id })).id);
    await same([...ofUser, ...ofGroup]);
    // The original's order ends with the instant, and leaves these as the table has them.
    const original = 'select id from user_subscriptions where user_id = ? order by created_at desc';
    const theirs = await gateway.rows<{ id: string }>(original, [user.id]);
    expect(theirs.map(({ id }) => id)).not.toEqual(ofUser.toReversed());
    expect(idsOf(await subscriptions().listByUserId(user.id))).toEqual(ofUser.toReversed());
    const pages: string[] = [];
    for (const page of [1, 2, 3])
      pages.push(...idsOf((await subscriptions().listByGroupId(group.id, { page, pageSize: 2 })).items));
    expect(pages).toEqual(ofGroup.toReversed());
    const shared = await subscriptions().list({ pageSize: 2 }, { groupId: group.id });
    expect(shared).toMatchObject({ total: 5, pages: 3, pageSize: 2 });
    expect(idsOf(shared.items)).toEqual(ofGroup.toReversed().slice(0, 2));
  });

  it('filter by user, group and stored status, and by nothing where a filter is empty', async () => {
    const one = await mustCreate({ status: 'suspended' });
    const two = await mustCreate({ userId: one.userId });
    const three = await mustCreate({ groupId: one.groupId });
    const list = async (filters: object): Promise<string[]> =>
      idsOf((await subscriptions().list({ pageSize: 100 }, filters)).items);
    expect(await list({ userId: one.userId })).toEqual([two.id, one.id]);
    expect(await list({ groupId: one.groupId })).toEqual([three.id, one.id]);
    expect(await list({ userId: one.userId, groupId: one.groupId })).toEqual([one.id]);
    expect(await list({ userId: one.userId, status: 'suspended' })).toEqual([one.id]);
    expect(await list({ userId: one.userId, status: 'expired' })).toEqual([]);
    const all = await list({});
    expect(await list({ userId: '', groupId: '0', status: '' })).toEqual(all);
    expect(all.slice(0, 3)).toEqual([three.id, two.id, one.id]);
    const beyond = await subscriptions().list({ page: 50 }, { userId: one.userId });
    expect(beyond).toMatchObject({ items: [], total: 2, pages: 1 });
  });

  it('of pages load users, groups and who assigned, null where they are deleted', async () => {
    const admin = await mustCreateUser(gateway.em());
    const { userId, groupId } = await mustCreate({ assignedBy: admin.id });
    const [item] = (await subscriptions().list({}, { groupId })).items;
    expect(item).toMatchObject({
      user: { id: userId },
      group: { id: groupId },
      assignedByUser: { id: admin.id },
    });
    expect((await subscriptions().listByGroupId(groupId)).items[0]).toMatchObject({ user: { id: userId } });
    await gatewayRepositories(gateway.em()).users.delete(userId);
    expect((await subscriptions().listByGroupId(groupId)).items[0]).toMatchObject({ user: null, userId });
  });

  it('take one statement each, whatever the number of rows', async () => {
    const group = await mustCreateGroup(gateway.em());
    const user = await mustCreateUser(gateway.em());
    const count = async (): Promise<number[]> => {
      const counts: number[] = [];
      for (const call of [
        () => subscriptions().listByUserId(user.id),
        () => subscriptions().listActiveByUserId(user.id),
        () => subscriptions().listByGroupId(group.id, { pageSize: 100 }),
        () => subscriptions().list({ pageSize: 100 }, { groupId: group.id }),
        () => subscriptions().listExpired(),
        () => subscriptions().existsByUserIdAndGroupId(user.id, group.id),
        () => subscriptions().countByGroupId(group.id),
        () => subscriptions().countActiveByGroupId(group.id),
        () =>
          subscriptions()
            .getByUserIdAndGroupId(user.id, group.id)
            .catch(() => null),
        () => subscriptions().deleteByGroupId('987654321'),
      ]) {
        gateway.statements();
        await call();
        counts.push(gateway.statements().length);
      }
      return counts;
    };
    const none = await count();
    expect(none).toEqual(Array(none.length).fill(1));
    for (let n = 0; n < 12; n += 1) await mustCreate({ groupId: group.id });
    for (let n = 0; n < 12; n += 1) await mustCreate({ userId: user.id });
    expect(await count()).toEqual(none);
  });

  it('without pages give up to 10,000, and refuse to end early', async () => {
    const own = await openGateway();
    try {
      await own.rows(
        `insert into users (email, password_hash) select 'u' || n, 'h' from generate_series(1, 10001) n`,
      );
      await own.rows(`insert into user_subscriptions (user_id, group_id, starts_at, expires_at)
        select u.id, g.id, now(), now() - interval '1 day' from users u, groups g`);
      expect(await codeOf(subscriptionsOf(own).listExpired())).toBe('LIST_TOO_LONG');
      own.statements();
      expect(await subscriptionsOf(own).batchUpdateExpiredStatus(4000)).toBe(10_001);
      expect(own.statements()).toHaveLength(3);
    } finally {
      await own.close();
    }
  });
});

describe('bad input is refused before any SQL', () => {
  const VALID = { userId: '1', groupId: '1', expiresAt: new Date('2030-01-01') };
  const BAD: [string, (subscriptions: UserSubscriptionRepository) => Promise<unknown>][] = [
    ...[
      { userId: 1 },
      { groupId: '0' },
      { groupId: undefined },
      { expiresAt: undefined },
      { expiresAt: '2030-01-01' },
    ]
      .concat([{ expiresAt: new Date('x') }, { startsAt: new Date(Number.NaN) }] as never[])
      .concat([
        { startsAt: new Date('-000001-01-01T00:00:00Z') },
        { expiresAt: new Date(8.64e15) },
      ] as never[])
      .concat([{ status: 'disabled' }, { status: null }, { notes: 'a\0' }, { notes: 5 }] as never[])
      .concat([{ assignedBy: 'x' }, { assignedAt: 'now' }] as never[])
      .map((bad): (typeof BAD)[number] => [
        `create ${JSON.stringify(bad)}`,
        (all) => all.create({ ...VALID, ...bad } as unknown as NewSubscription),
      ]),
    ['create from a text', (all) => all.create('x' as unknown as NewSubscription)],
    ['update without id', (all) => all.update({ notes: 'x' } as unknown as SubscriptionChange)],
    ['update of the status to a word', (all) => all.update({ id: '1', status: 'gone' as 'active' })],
    ['getById', (all) => all.getById('x')],
    ['getByUserIdAndGroupId', (all) => all.getByUserIdAndGroupId('1', '-1')],
    ['getActiveByUserIdAndGroupId', (all) => all.getActiveByUserIdAndGroupId(1 as unknown as string, '1')],
    ['delete', (all) => all.delete('')],
    ['listByUserId', (all) => all.listByUserId('0')],
    ['listActiveByUserId', (all) => all.listActiveByUserId('0')],
    ['listByGroupId', (all) => all.listByGroupId('1.5')],
    ['list by user', (all) => all.list({}, { userId: 'x' })],
    ['list by status', (all) => all.list({}, { status: 'gone' as 'active' })],
    ['existsByUserIdAndGroupId', (all) => all.existsByUserIdAndGroupId('1', 'x')],
    ['extendExpiry', (all) => all.extendExpiry('1', 'soon' as unknown as Date)],
    ...[0, -1, 1.5, 36_501, Number.NaN, '5'].map((days): (typeof BAD)[number] => [
      `extendByDays ${days}`,
      (all) => all.extendByDays('1', days as number),
    ]),
    ['updateStatus', (all) => all.updateStatus('1', 'disabled' as 'active')],
    ['updateNotes', (all) => all.updateNotes('1', null as unknown as string)],
    ['activateWindows', (all) => all.activateWindows('1', null as unknown as Date)],
    ['resetDailyUsage', (all) => all.resetDailyUsage('1', undefined as unknown as Date)],
    ['resetWeeklyUsage', (all) => all.resetWeeklyUsage('x', new Date())],
    ['resetMonthlyUsage', (all) => all.resetMonthlyUsage('1', 5 as unknown as Date)],
    ['resetExpiredWindows', (all) => all.resetExpiredWindows('1', new Date('x'))],
    ['checkWindows', (all) => all.checkWindows('1', null as unknown as Date)],
    ...['-1', 'NaN', '1e3', '0.00000000001', '12345678901', 1, ''].map((cost): (typeof BAD)[number] => [
      `incrementUsage ${cost}`,
      (all) => all.incrementUsage('1', cost as string),
    ]),
    ['batchUpdateExpiredStatus', (all) => all.batchUpdateExpiredStatus(0)],
    ['countByGroupId', (all) => all.countByGroupId('x')],
    ['countActiveByGroupId', (all) => all.countActiveByGroupId('x')],
    ['deleteByGroupId', (all) => all.deleteByGroupId('x')],
  ];

  it.each(BAD)('%s', async (_name, call) => {
    const all = subscriptions();
    gateway.statements();
    expect(await codeOf(Promise.resolve().then(() => call(all)))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it.each([null, undefined])('SUBSCRIPTION_NIL_INPUT for %s', async (nothing) => {
    gateway.statements();
    for (const attempt of [
      subscriptions().create(nothing as unknown as NewSubscription),
      subscriptions().update(nothing as unknown as SubscriptionChange),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'SUBSCRIPTION_NIL_INPUT', status: 400 });
    }
    expect(gateway.statements()).toEqual([]);
  });
});
