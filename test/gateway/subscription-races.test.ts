import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { deleteGroupCascade, gatewayRepositories, type SubscriptionTotals } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-groups.ts';
import { codeOf, inDays, mustCreateSubscription, subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

const CALLERS = 32;
const HOURS = 60 * 60 * 1000;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const subscriptions = () => subscriptionsOf(gateway);
const each = <T>(work: (caller: number) => Promise<T>, callers = CALLERS): Promise<T[]> =>
  Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));
const mustCreate = (values: Parameters<typeof mustCreateSubscription>[1] = {}) =>
  mustCreateSubscription(gateway.em(), values);
const repeat = (n: number, value: unknown): unknown[] => Array(n).fill(value);

/** Lets all callers wait for the subscription's row, and then go one after the other. */
async function behindLock<T>(
  id: string,
  work: (caller: number) => Promise<T>,
  callers = CALLERS,
): Promise<T[]> {
  let running: Promise<T[]> | undefined;
  await gateway.em().transactional(async (tx) => {
    await tx.execute('select id from user_subscriptions where id = ? and deleted_at is null for update', [
      id,
    ]);
    running = each(work, callers);
    running.catch(() => undefined);
    await untilWaiting(gateway, callers);
  });
  return (await running) ?? [];
}

it(`has ${CALLERS} connections at once`, async () => {
  const pids = await each(async () =>
    gateway.em().transactional(async (tx) => {
      const [row] = await tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid, pg_sleep(0.3)');
      return row?.pid;
    }),
  );
  expect(new Set(pids).size).toBe(CALLERS);
});

describe('F8: extensions at once', () => {
  const START = new Date('2030-01-01T00:00:00Z');
  const read = async (em: DataEntityManager, id: string): Promise<Date> =>
    (await gatewayRepositories(em).subscriptions.getById(id)).expiresAt;
  /** The original reads the end, computes in the program, and writes. */
  const original = async (id: string, read1: Date): Promise<void> => {
    await gateway.rows('update user_subscriptions set expires_at = ? where id = ?', [
      new Date(read1.getTime() + 24 * HOURS),
      id,
    ]);
  };

  it('of two, the original loses one', async () => {
    const { id } = await mustCreate({ expiresAt: START });
    const ends = await each(() => read(gateway.em(), id), 2);
    for (const end of ends) await original(id, end);
    expect(await read(gateway.em(), id)).toEqual(new Date('2030-01-02T00:00:00Z'));
  });

  it.each([2, CALLERS])('%i all count, and each is told a different end', async (callers) => {
    const { id } = await mustCreate({ expiresAt: START });
    const ends = await behindLock(id, () => subscriptions().extendByDays(id, 1), callers);
    const expected = Array.from({ length: callers }, (_, n) => START.getTime() + (n + 1) * 24 * HOURS);
    expect(ends.map((end) => end.getTime()).toSorted((a, b) => a - b)).toEqual(expected);
    expect((await read(gateway.em(), id)).getTime()).toBe(expected.at(-1));
  });

  it('of one that is being deleted, none brings it back', async () => {
    const { id } = await mustCreate();
    let extending: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).subscriptions.delete(id);
      extending = each(() => codeOf(subscriptions().extendByDays(id, 1)));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await extending).toEqual(repeat(CALLERS, 'SUBSCRIPTION_NOT_FOUND'));
  });
});

describe('F7: windows that are over', () => {
  const NOW = new Date('2026-05-20T09:00:00Z');
  const MIDNIGHT = new Date('2026-05-20T00:00:00Z');
  const OLD = `update user_subscriptions set daily_window_start = ?, weekly_window_start = ?, monthly_window_start = ?,
    daily_usage_usd = 7, weekly_usage_usd = 70, monthly_usage_usd = 700 where id = ?`;
  const ago = (hours: number): Date => new Date(NOW.getTime() - hours * HOURS);
  const withOldWindows = async (hours: [number, number, number]): Promise<string> => {
    const { id } = await mustCreate();
    await gateway.rows(OLD, [...hours.map(ago), id]);
    return id;
  };

  it('two callers of the original drop the usage that was recorded between their resets', async () => {
    const id = await withOldWindows([25, 25, 25]);
    const reset = `update user_subscriptions set daily_usage_usd = 0, daily_window_start = ? where id = ?`;
    await gateway.rows(reset, [MIDNIGHT, id]);
    await subscriptions().incrementUsage(id, '1');
    await gateway.rows(reset, [MIDNIGHT, id]);
    expect((await subscriptions().getById(id)).dailyUsageUsd).toBe('0.0000000000');
  });

  it('two callers of ours keep it: the second one is told null', async () => {
    const id = await withOldWindows([25, 25, 25]);
    expect(await subscriptions().resetExpiredWindows(id, NOW)).toEqual({
      dailyWindowStart: MIDNIGHT,
      weeklyWindowStart: ago(25),
      monthlyWindowStart: ago(25),
      dailyUsageUsd: '0.0000000000',
      weeklyUsageUsd: '70.0000000000',
      monthlyUsageUsd: '700.0000000000',
    });
    await subscriptions().incrementUsage(id, '1');
    expect(await subscriptions().resetExpiredWindows(id, NOW)).toBeNull();
    expect((await subscriptions().getById(id)).dailyUsageUsd).toBe('1.0000000000');
  });

  it(`${CALLERS} callers that charge and reset in turns: one resets, and no charge is lost`, async () => {
    for (let round = 0; round < 4; round += 1) {
      // The monthly window goes on, and so tells the order of the charges.
      const id = await withOldWindows([25, 170, 25]);
      const work = async (caller: number): Promise<SubscriptionTotals | 'reset' | null> => {
        if (caller % 2 === 0) return subscriptions().incrementUsage(id, '0.0000000001');
        return (await subscriptions().resetExpiredWindows(id, NOW)) ? 'reset' : null;
      };
      const results = await (round % 2 ? behindLock(id, work) : each(work));
      expect(results.filter((result) => result === 'reset')).toHaveLength(1);
      const charges = results
        .filter((result): result is SubscriptionTotals => result !== null && result !== 'reset')
        .toSorted((a, b) => (a.monthlyUsageUsd < b.monthlyUsageUsd ? -1 : 1));
      expect(charges.map((totals) => totals.monthlyUsageUsd)).toEqual(amounts('700', 1, CALLERS / 2));
      // Before the reset the daily total goes on from 7, and after it from 0; there is nothing else.
      const before = charges.filter((totals) => totals.dailyUsageUsd.startsWith('7')).length;
      const expected = (whole: string, from: string) => [
        ...amounts(whole, 1, before),
        ...amounts(from, 1, CALLERS / 2 - before),
      ];
      expect(charges.map((totals) => totals.dailyUsageUsd)).toEqual(expected('7', '0'));
      expect(charges.map((totals) => totals.weeklyUsageUsd)).toEqual(expected('70', '0'));
      const after = await subscriptions().getById(id);
      expect(after.monthlyUsageUsd).toBe('700.0000000016');
      expect(after.dailyUsageUsd).toBe(amounts('0', CALLERS / 2 - before, 1)[0]);
    }
  });

  it(`${CALLERS} checks of new windows: one begins them, and charges before it stay`, async () => {
    const { id } = await mustCreate();
    await subscriptions().incrementUsage(id, '2');
    const checked = await behindLock(id, () => subscriptions().checkWindows(id));
    expect(checked.filter((windows) => windows !== null)).toHaveLength(1);
    expect((await subscriptions().getById(id)).dailyUsageUsd).toBe('2.0000000000');
  });

  it(`F7: of ${CALLERS} activations one begins the windows; the original moves them each time`, async () => {
    const { id } = await mustCreate();
    const starts = Array.from({ length: CALLERS }, (_, n) => new Date(MIDNIGHT.getTime() + n));
    const done = await behindLock(id, (caller) => subscriptions().activateWindows(id, starts[caller]));
    expect(done.filter(Boolean)).toHaveLength(1);
    const winner = starts[done.indexOf(true)];
    expect(await subscriptions().getById(id)).toMatchObject({
      dailyWindowStart: winner,
      weeklyWindowStart: winner,
      monthlyWindowStart: winner,
    });
    await gateway.rows('update user_subscriptions set daily_window_start = ? where id = ?', [starts[0], id]);
    await gateway.rows('update user_subscriptions set daily_window_start = ? where id = ?', [starts[9], id]);
    expect((await subscriptions().getById(id)).dailyWindowStart).toEqual(starts[9]);
  });
});

it('F9: 100 charges at once are exact, and each is told a total of its own', async () => {
  const { id } = await mustCreate();
  const totals = await Promise.all(
    Array.from({ length: 100 }, () => subscriptions().incrementUsage(id, '0.0000000001')),
  );
  expect(totals.map((total) => total.dailyUsageUsd).toSorted()).toEqual(amounts('0', 1, 100));
  expect(await subscriptions().getById(id)).toMatchObject({
    dailyUsageUsd: '0.0000000100',
    weeklyUsageUsd: '0.0000000100',
    monthlyUsageUsd: '0.0000000100',
  });
  // The original adds, and looks in a second statement: who adds before another one looks is told the other's total.
  const original = 'update user_subscriptions set daily_usage_usd = daily_usage_usd + 1 where id = ?';
  const look = 'select daily_usage_usd as total from user_subscriptions where id = ?';
  await Promise.all([gateway.rows(original, [id]), gateway.rows(original, [id])]);
  const told = await Promise.all([
    gateway.rows<{ total: string }>(look, [id]),
    gateway.rows<{ total: string }>(look, [id]),
  ]);
  expect(new Set(told.map(([row]) => row?.total)).size).toBe(1);
});

describe('F25: creations at once', () => {
  it(`of one pair: one row, and ${CALLERS - 1} SUBSCRIPTION_ALREADY_EXISTS`, async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const pair = { userId: user.id, groupId: group.id };
    // The original looks first: nobody sees anything, and all of them would insert.
    expect(await each(() => subscriptions().existsByUserIdAndGroupId(user.id, group.id))).toEqual(
      repeat(CALLERS, false),
    );
    const results = await each(() => codeOf(mustCreate(pair)));
    expect(results.toSorted()).toEqual([...repeat(CALLERS - 1, 'SUBSCRIPTION_ALREADY_EXISTS'), 'done']);
    expect(await subscriptions().countByGroupId(group.id)).toBe(1);
  });
});

describe('F13: creations while the group is deleted with what hangs on it', () => {
  const bare = `insert into user_subscriptions (user_id, group_id, starts_at, expires_at) values (?, ?, now(), now())`;

  it('that waited for it are refused, where the foreign key alone lets them through', async () => {
    const people = await each(() => mustCreateUser(gateway.em()));
    const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    let creating: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await deleteGroupCascade(tx, group.id);
      creating = each((caller) => codeOf(mustCreate({ userId: people[caller]?.id, groupId: group.id })));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await creating).toEqual(repeat(CALLERS, 'GROUP_NOT_FOUND'));
    expect(await subscriptions().countByGroupId(group.id)).toBe(0);
    await gateway.rows(bare, [people[0]?.id, group.id]);
    expect(await subscriptions().countByGroupId(group.id)).toBe(1);
  });

  it('in any order leave no live subscription of a deleted group', async () => {
    for (let round = 0; round < 4; round += 1) {
      const people = await each(() => mustCreateUser(gateway.em()));
      const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
      const results = await each(async (caller) =>
        caller === round * 9
          ? deleteGroupCascade(gateway.em(), group.id)
          : codeOf(mustCreate({ userId: people[caller]?.id, groupId: group.id })),
      );
      const ended = results[round * 9] as string[];
      const created = results.filter((result) => result === 'done');
      expect(ended).toHaveLength(created.length);
      expect(results.filter((code) => code === 'GROUP_NOT_FOUND')).toHaveLength(CALLERS - 1 - created.length);
      expect(await subscriptions().countByGroupId(group.id)).toBe(0);
    }
  });

  it('a user that is being deleted gets none', async () => {
    const user = await mustCreateUser(gateway.em());
    const groups = await each(() => mustCreateGroup(gateway.em()));
    let creating: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).users.delete(user.id);
      creating = each((caller) => codeOf(mustCreate({ userId: user.id, groupId: groups[caller]?.id })));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await creating).toEqual(repeat(CALLERS, 'USER_NOT_FOUND'));
    expect(await subscriptions().listByUserId(user.id)).toEqual([]);
  });
});

describe('F10: the status job', () => {
  it(`in ${CALLERS} processes counts each subscription once, and leaves one that is being extended`, async () => {
    const group = await mustCreateGroup(gateway.em());
    await subscriptions().batchUpdateExpiredStatus();
    const late = await each(() => mustCreate({ groupId: group.id, expiresAt: inDays(-1) }), 40);
    const [extended] = late;
    let counts: number[] = [];
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).subscriptions.extendByDays(extended?.id ?? '', 5);
      counts = await each(() => subscriptions().batchUpdateExpiredStatus(3));
    });
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(39);
    expect(await subscriptions().batchUpdateExpiredStatus()).toBe(0);
    expect((await subscriptions().getById(extended?.id ?? '')).status).toBe('active');
    expect(await subscriptions().countActiveByGroupId(group.id)).toBe(1);
  });
});

/** `whole` with `count` ends 0.0000000001 apart, the first of which is `from`. */
function amounts(whole: string, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${whole}.${String(from + n).padStart(10, '0')}`);
}
