import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import {
  codeOf,
  DAY,
  inDays,
  mustCreateSubscription,
  subscriptionsOf,
} from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const subscriptions = () => subscriptionsOf(gateway);
const mustCreate = (values: Parameters<typeof mustCreateSubscription>[1] = {}) =>
  mustCreateSubscription(gateway.em(), values);
const deletedOne = async (): Promise<string> => {
  const { id } = await mustCreate();
  await subscriptions().delete(id);
  return id;
};
const UNKNOWN = '987654321';

describe('F11: every change of a deleted or unknown subscription', () => {
  const CHANGES: Record<string, (id: string) => Promise<unknown>> = {
    update: (id) => subscriptions().update({ id, notes: 'x' }),
    extendExpiry: (id) => subscriptions().extendExpiry(id, inDays(9)),
    extendByDays: (id) => subscriptions().extendByDays(id, 1),
    updateStatus: (id) => subscriptions().updateStatus(id, 'suspended'),
    updateNotes: (id) => subscriptions().updateNotes(id, 'x'),
    activateWindows: (id) => subscriptions().activateWindows(id, new Date()),
    resetDailyUsage: (id) => subscriptions().resetDailyUsage(id, new Date()),
    resetWeeklyUsage: (id) => subscriptions().resetWeeklyUsage(id, new Date()),
    resetMonthlyUsage: (id) => subscriptions().resetMonthlyUsage(id, new Date()),
    incrementUsage: (id) => subscriptions().incrementUsage(id, '1'),
  };
  const row = async (id: string) => gateway.rows('select * from user_subscriptions where id = ?', [id]);

  it('goes through in the original, which extends it', async () => {
    const id = await deletedOne();
    const [before] = await row(id);
    await gateway.rows(`update user_subscriptions set expires_at = now() + interval '9 days' where id = ?`, [
      id,
    ]);
    expect((await row(id))[0]).not.toEqual(before);
  });

  it.each(Object.entries(CHANGES))(
    '%s is SUBSCRIPTION_NOT_FOUND, and changes nothing',
    async (_name, change) => {
      const id = await deletedOne();
      const before = await row(id);
      expect(await codeOf(change(id))).toBe('SUBSCRIPTION_NOT_FOUND');
      expect(await row(id)).toEqual(before);
      expect(await codeOf(change(UNKNOWN))).toBe('SUBSCRIPTION_NOT_FOUND');
    },
  );

  it('checkWindows, resetExpiredWindows and the status job pass it by', async () => {
    const { id } = await mustCreate({ expiresAt: inDays(-1) });
    await subscriptions().delete(id);
    const before = await row(id);
    expect(await subscriptions().checkWindows(id)).toBeNull();
    expect(await subscriptions().resetExpiredWindows(id)).toBeNull();
    await subscriptions().batchUpdateExpiredStatus();
    expect(await row(id)).toEqual(before);
  });
});

describe('F16: updated_at', () => {
  const CHANGES: Record<string, (id: string) => Promise<unknown>> = {
    update: (id) => subscriptions().update({ id, notes: 'x' }),
    extendExpiry: (id) => subscriptions().extendExpiry(id, inDays(9)),
    extendByDays: (id) => subscriptions().extendByDays(id, 1),
    updateStatus: (id) => subscriptions().updateStatus(id, 'suspended'),
    updateNotes: (id) => subscriptions().updateNotes(id, 'x'),
    activateWindows: (id) => subscriptions().activateWindows(id),
    checkWindows: (id) => subscriptions().checkWindows(id),
    resetDailyUsage: (id) => subscriptions().resetDailyUsage(id, new Date()),
    resetExpiredWindows: async (id) => {
      await gateway.rows(`update user_subscriptions set daily_window_start = '2020-01-01' where id = ?`, [
        id,
      ]);
      return subscriptions().resetExpiredWindows(id);
    },
    incrementUsage: (id) => subscriptions().incrementUsage(id, '1'),
    batchUpdateExpiredStatus: async (id) => {
      await gateway.rows(`update user_subscriptions set expires_at = now() where id = ?`, [id]);
      return subscriptions().batchUpdateExpiredStatus();
    },
    delete: (id) => subscriptions().delete(id),
    deleteByGroupId: async (id) => {
      const { groupId } = await subscriptions().getById(id);
      return subscriptions().deleteByGroupId(groupId);
    },
  };
  it('stays with the original’s reset, as a control', async () => {
    const { id } = await mustCreate();
    await gateway.rows(`update user_subscriptions set updated_at = '2020-01-01' where id = ?`, [id]);
    await gateway.rows('update user_subscriptions set daily_usage_usd = 0 where id = ?', [id]);
    const old = `select id from user_subscriptions where id = ? and updated_at = '2020-01-01'`;
    expect(await gateway.rows(old, [id])).toEqual([{ id }]);
  });

  it.each(Object.entries(CHANGES))('is set by %s', async (_name, change) => {
    const { id } = await mustCreate();
    await gateway.rows(`update user_subscriptions set updated_at = '2020-01-01' where id = ?`, [id]);
    await change(id);
    const [row] = await gateway.rows<{ fresh: boolean }>(
      `select updated_at > now() - interval '1 minute' as fresh from user_subscriptions where id = ?`,
      [id],
    );
    expect(row?.fresh).toBe(true);
  });
});

describe('expiry, status and notes', () => {
  it('extendExpiry sets the end, and goes no further than the end of 2099', async () => {
    const { id } = await mustCreate();
    await subscriptions().extendExpiry(id, new Date('2030-01-01T00:00:00Z'));
    expect((await subscriptions().getById(id)).expiresAt).toEqual(new Date('2030-01-01T00:00:00Z'));
    await subscriptions().extendExpiry(id, new Date('2200-01-01T00:00:00Z'));
    expect((await subscriptions().getById(id)).expiresAt).toEqual(new Date('2099-12-31T23:59:59Z'));
  });

  it('F8: extendByDays adds to the end, or to now when that is past, in one statement', async () => {
    const running = await mustCreate({ expiresAt: new Date('2030-01-01T00:00:00Z') });
    gateway.statements();
    expect(await subscriptions().extendByDays(running.id, 30)).toEqual(new Date('2030-01-31T00:00:00Z'));
    expect(gateway.statements()).toHaveLength(1);

    const over = await mustCreate({ expiresAt: inDays(-100), status: 'expired' });
    const end = await subscriptions().extendByDays(over.id, 2);
    expect(Math.abs(end.getTime() - inDays(2).getTime())).toBeLessThan(60_000);
    expect(await subscriptions().getById(over.id)).toMatchObject({ status: 'active', expiresAt: end });

    const suspended = await mustCreate({ status: 'suspended' });
    await subscriptions().extendByDays(suspended.id, 1);
    expect((await subscriptions().getById(suspended.id)).status).toBe('active');
    expect(await subscriptions().extendByDays(running.id, 36_500)).toEqual(new Date('2099-12-31T23:59:59Z'));
  });

  it('extendByDays adds days of 24 hours, whatever zone the session has', async () => {
    const expiresAt = new Date('2030-03-30T12:00:00Z');
    const { id } = await mustCreate({ expiresAt });
    const [end, calendar] = await gateway.em().transactional(async (tx) => {
      await tx.execute(`set local time zone 'Europe/Paris'`);
      const sql = `select expires_at + make_interval(days => 1) as day from user_subscriptions where id = ? and deleted_at is null`;
      const [row] = await tx.execute<{ day: string }[]>(sql, [id]);
      return [await gatewayRepositories(tx).subscriptions.extendByDays(id, 1), new Date(row?.day ?? '')];
    });
    expect(calendar).toEqual(new Date('2030-03-31T11:00:00Z'));
    expect(end).toEqual(new Date(expiresAt.getTime() + DAY));
  });

  it('updateStatus and updateNotes write one column', async () => {
    const { id } = await mustCreate({ notes: 'before' });
    await subscriptions().updateStatus(id, 'suspended');
    await subscriptions().updateNotes(id, 'after');
    expect(await subscriptions().getById(id)).toMatchObject({ status: 'suspended', notes: 'after' });
  });
});

describe('deletion', () => {
  it('F12: twice, or of an unknown id, is a success', async () => {
    const { id } = await mustCreate();
    await subscriptions().delete(id);
    const [first] = await gateway.rows('select * from user_subscriptions where id = ?', [id]);
    await subscriptions().delete(id);
    await subscriptions().delete(UNKNOWN);
    expect(await gateway.rows('select * from user_subscriptions where id = ?', [id])).toEqual([first]);
  });

  it('by group marks the live ones and counts them', async () => {
    const { id: groupId } = await mustCreateGroup(gateway.em());
    const [one, two] = [await mustCreate({ groupId }), await mustCreate({ groupId })];
    await subscriptions().delete(one.id);
    const other = await mustCreate();
    expect(await subscriptions().deleteByGroupId(groupId)).toBe(1);
    expect(await subscriptions().deleteByGroupId(groupId)).toBe(0);
    expect(await subscriptions().findById(two.id)).toBeNull();
    expect(await subscriptions().findById(other.id)).not.toBeNull();
    expect(await subscriptions().existsByUserIdAndGroupId(two.userId, groupId)).toBe(false);
    expect(await subscriptions().existsByUserIdAndGroupId(other.userId, other.groupId)).toBe(true);
  });
});
