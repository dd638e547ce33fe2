import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type SubscriptionWindows } from 'tombstone/gateway';
import { codeOf, mustCreateSubscription, subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const HOUR = 60 * 60 * 1000;
const subscriptions = (timeZone?: string) => subscriptionsOf(gateway, timeZone ? { timeZone } : {});

/** The id of a subscription whose windows began at these instants and have used 1, 2 and 3. */
async function withWindows(daily: Date | null, weekly = daily, monthly = daily): Promise<string> {
  const { id } = await mustCreateSubscription(gateway.em());
  const sql = `update user_subscriptions set daily_window_start = ?, weekly_window_start = ?, monthly_window_start = ?,
    daily_usage_usd = 1, weekly_usage_usd = 2, monthly_usage_usd = 3 where id = ?`;
  await gateway.rows(sql, [daily, weekly, monthly, id]);
  return id;
}

const used = (windows: SubscriptionWindows | null): number[] =>
  windows
    ? [windows.dailyUsageUsd, windows.weeklyUsageUsd, windows.monthlyUsageUsd].map((amount) =>
        Number.parseFloat(amount),
      )
    : [];
const before = (now: Date, hours: number, milliseconds = 0): Date =>
  new Date(now.getTime() - hours * HOUR - milliseconds);

describe('resetExpiredWindows', () => {
  const NOW = new Date('2026-05-20T09:30:00Z');
  const MIDNIGHT = new Date('2026-05-20T00:00:00Z');

  it('resets those that have their age, in one statement, and leaves the others', async () => {
    const cases: [hours: [number, number, number], used: number[]][] = [
      [
        [24, 24, 24],
        [0, 2, 3],
      ],
      [
        [24 * 7, 24 * 7, 24 * 7],
        [0, 0, 3],
      ],
      [
        [24 * 30, 24 * 30, 24 * 30],
        [0, 0, 0],
      ],
      [
        [1, 24 * 7, 1],
        [1, 0, 3],
      ],
      [
        [1, 1, 24 * 30],
        [1, 2, 0],
      ],
    ];
    for (const [hours, expected] of cases) {
      const [daily, weekly, monthly] = hours.map((each) => before(NOW, each)) as [Date, Date, Date];
      const id = await withWindows(daily, weekly, monthly);
      gateway.statements();
      const windows = await subscriptions().resetExpiredWindows(id, NOW);
      expect(gateway.statements()).toHaveLength(1);
      expect(used(windows)).toEqual(expected);
      const starts = [windows?.dailyWindowStart, windows?.weeklyWindowStart, windows?.monthlyWindowStart];
      const kept = [daily, weekly, monthly];
      expect(starts).toEqual(expected.map((amount, n) => (amount === 0 ? MIDNIGHT : kept[n])));
    }
  });

  it('does nothing a millisecond before the age, and nothing to windows that were never used', async () => {
    const young = await withWindows(before(NOW, 24, -1), before(NOW, 24 * 7, -1), before(NOW, 24 * 30, -1));
    expect(await subscriptions().resetExpiredWindows(young, NOW)).toBeNull();
    expect(used(await subscriptions().getById(young))).toEqual([1, 2, 3]);
    const unused = await withWindows(null);
    expect(await subscriptions().resetExpiredWindows(unused, NOW)).toBeNull();
    expect(await subscriptions().resetExpiredWindows('987654321', NOW)).toBeNull();
  });

  it('compares with the stored microseconds, which a Date does not have', async () => {
    const id = await withWindows(before(NOW, 24));
    const sql = `update user_subscriptions set daily_window_start = daily_window_start + interval '1 microsecond' where id = ?`;
    await gateway.rows(sql, [id]);
    expect(await subscriptions().resetExpiredWindows(id, NOW)).toBeNull();
  });

  it('takes the clock of the database when no instant is given', async () => {
    const id = await withWindows(before(new Date(), 49));
    const windows = await subscriptions().resetExpiredWindows(id);
    const [row] = await gateway.rows<{ midnight: string }>(
      `select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as midnight`,
    );
    expect(windows?.dailyWindowStart).toEqual(new Date(row?.midnight ?? ''));
    expect(used(windows)).toEqual([0, 2, 3]);
  });
});

describe('windowsDue of the active subscription', () => {
  it.each<[string, (Date | null)[], boolean]>([
    ['was never used', [null, null, null], true],
    ['a day old', [before(new Date(), 24), new Date(), new Date()], true],
    ['less than a day old', [before(new Date(), 23), new Date(), new Date()], false],
    ['a week old', [new Date(), before(new Date(), 24 * 7), new Date()], true],
    ['less than a week old', [new Date(), before(new Date(), 24 * 7 - 1), new Date()], false],
    ['30 days old', [new Date(), new Date(), before(new Date(), 24 * 30)], true],
    ['29 days old', [new Date(), new Date(), before(new Date(), 24 * 29)], false],
  ])('where one is %s', async (_name, [daily = null, weekly = null, monthly = null], due) => {
    const id = await withWindows(daily, weekly, monthly);
    const { userId, groupId } = await subscriptions().getById(id);
    const active = await subscriptions().getActiveByUserIdAndGroupId(userId, groupId);
    expect(active.windowsDue).toBe(due);
    expect((await subscriptions().checkWindows(id)) !== null).toBe(due);
  });
});

describe('activateWindows and checkWindows', () => {
  const START = new Date('2026-05-20T00:00:00Z');

  it('begin what was never used, once, and leave the usage', async () => {
    const id = await withWindows(null);
    expect(await subscriptions().activateWindows(id, START)).toBe(true);
    expect(await subscriptions().activateWindows(id, new Date())).toBe(false);
    const begun = { dailyWindowStart: START, weeklyWindowStart: START, monthlyWindowStart: START };
    expect(await subscriptions().getById(id)).toMatchObject({ ...begun, dailyUsageUsd: '1.0000000000' });

    const checked = await withWindows(null);
    const now = new Date('2026-05-20T10:00:00Z');
    expect(await subscriptions().checkWindows(checked, now)).toMatchObject(begun);
    expect(await subscriptions().checkWindows(checked, now)).toBeNull();
    const tomorrow = new Date(now.getTime() + 24 * HOUR);
    expect(used(await subscriptions().checkWindows(checked, tomorrow))).toEqual([0, 2, 3]);
  });

  it('activateWindows begins at midnight today when no start is given', async () => {
    const id = await withWindows(null);
    await subscriptions('Asia/Kolkata').activateWindows(id);
    const [row] = await gateway.rows<{ midnight: string }>(
      `select date_trunc('day', now() at time zone 'Asia/Kolkata') at time zone 'Asia/Kolkata' as midnight`,
    );
    expect((await subscriptions().getById(id)).weeklyWindowStart).toEqual(new Date(row?.midnight ?? ''));
  });
});

describe('reset of one window', () => {
  const START = new Date('2026-05-20T00:00:00Z');
  const OLD = new Date('2026-05-01T00:00:00Z');
  it.each([
    ['resetDailyUsage', [0, 2, 3], 'dailyWindowStart'],
    ['resetWeeklyUsage', [1, 0, 3], 'weeklyWindowStart'],
    ['resetMonthlyUsage', [1, 2, 0], 'monthlyWindowStart'],
  ] as const)('%s leaves the others', async (method, expected, start) => {
    const id = await withWindows(OLD);
    await subscriptions()[method](id, START);
    const others = { dailyWindowStart: OLD, weeklyWindowStart: OLD, monthlyWindowStart: OLD };
    const found = await subscriptions().getById(id);
    expect(found).toMatchObject({ ...others, [start]: START });
    expect(used(found)).toEqual(expected);
  });

  it('F45: null takes the window back to never used, which the original could not', async () => {
    const id = await withWindows(OLD);
    await subscriptions().resetDailyUsage(id, null);
    expect(await subscriptions().getById(id)).toMatchObject({
      dailyWindowStart: null,
      weeklyWindowStart: OLD,
    });
    expect(await subscriptions().activateWindows(id, START)).toBe(true);
    // The weekly window has begun, and goes on.
    expect(await subscriptions().getById(id)).toMatchObject({
      dailyWindowStart: START,
      weeklyWindowStart: OLD,
    });
  });
});

describe('midnight of the configured time zone', () => {
  const startIn = async (timeZone: string, now: string, began: string): Promise<string | undefined> => {
    const id = await withWindows(new Date(began));
    const windows = await subscriptions(timeZone).resetExpiredWindows(id, new Date(now));
    return windows?.dailyWindowStart?.toISOString();
  };

  it.each([
    ['UTC', '2026-05-20T17:00:00Z', '2026-05-20T00:00:00.000Z'],
    ['Asia/Shanghai', '2026-05-20T15:59:59Z', '2026-05-19T16:00:00.000Z'],
    ['Asia/Shanghai', '2026-05-20T16:00:00Z', '2026-05-20T16:00:00.000Z'],
    ['Asia/Kolkata', '2026-05-20T18:29:59Z', '2026-05-19T18:30:00.000Z'],
    ['Asia/Kolkata', '2026-05-20T18:30:00Z', '2026-05-20T18:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-01-20T05:00:00Z', '2026-01-19T13:00:00.000Z'],
    // Winter and summer time.
    ['America/New_York', '2026-01-20T12:00:00Z', '2026-01-20T05:00:00.000Z'],
    ['America/New_York', '2026-07-20T12:00:00Z', '2026-07-20T04:00:00.000Z'],
    // The clock goes forward at 2:00, and back at 2:00: midnight is before either.
    ['America/New_York', '2026-03-08T20:00:00Z', '2026-03-08T05:00:00.000Z'],
    ['America/New_York', '2026-11-01T20:00:00Z', '2026-11-01T04:00:00.000Z'],
    // There is no midnight on this day: it begins at 1:00.
    ['Africa/Cairo', '2026-04-24T10:00:00Z', '2026-04-23T22:00:00.000Z'],
  ])('in %s at %s is %s', async (zone, now, midnight) => {
    expect(await startIn(zone, now, '2026-01-01T00:00:00Z')).toBe(midnight);
  });

  it('does not move with the zone of the session', async () => {
    const id = await withWindows(new Date('2026-05-01T00:00:00Z'));
    const windows = await gateway.em().transactional(async (tx) => {
      await tx.execute(`set local time zone 'America/Los_Angeles'`);
      const { subscriptions: own } = gatewayRepositories(tx);
      return own.resetExpiredWindows(id, new Date('2026-05-20T16:30:00Z'));
    });
    // The default zone, Asia/Shanghai.
    expect(windows?.dailyWindowStart?.toISOString()).toBe('2026-05-20T16:00:00.000Z');
  });

  it('in the 25th hour of a day does not begin the window of that day again and again', async () => {
    const id = await withWindows(new Date('2026-11-01T04:00:00Z'), new Date('2026-11-01T04:00:00Z'));
    const own = subscriptions('America/New_York');
    const hour25 = new Date('2026-11-02T04:30:00Z');
    const [naive] = await gateway.rows<{ due: boolean; same: boolean }>(
      `select ? - daily_window_start >= interval '24 hours' as due,
        date_trunc('day', ?::timestamptz at time zone 'America/New_York') at time zone 'America/New_York' = daily_window_start as same
        from user_subscriptions where id = ?`,
      [hour25, hour25, id],
    );
    // By its age alone it would be emptied by every request of this hour, and begin where it began.
    expect(naive).toEqual({ due: true, same: true });
    expect(await own.resetExpiredWindows(id, hour25)).toBeNull();
    const next = await own.resetExpiredWindows(id, new Date('2026-11-02T05:00:00Z'));
    expect(next?.dailyWindowStart).toEqual(new Date('2026-11-02T05:00:00Z'));
  });

  it('on a day of 23 hours waits for the 24th: the age decides', async () => {
    const own = subscriptions('America/New_York');
    const id = await withWindows(new Date('2026-03-08T05:00:00Z'));
    expect(await own.resetExpiredWindows(id, new Date('2026-03-09T04:30:00Z'))).toBeNull();
    const next = await own.resetExpiredWindows(id, new Date('2026-03-09T05:00:00Z'));
    expect(next?.dailyWindowStart).toEqual(new Date('2026-03-09T04:00:00Z'));
  });

  it('where the clock goes back over midnight never begins a window in the future', async () => {
    // Havana, 1 November 2026: 0:00 to 1:00 comes twice.
    const now = '2026-11-01T04:30:00Z';
    const start = await startIn('America/Havana', now, '2026-01-01T00:00:00Z');
    expect(new Date(start ?? '').getTime()).toBeLessThanOrEqual(new Date(now).getTime());
  });

  it.each([
    '',
    'Mars/Olympus',
    '+08:00',
    'UTC+8',
    "UTC'",
    'PRC; drop table users',
    null,
    8,
    '../etc/localtime',
  ])('must have a name that exists: not %j', async (timeZone) => {
    const attempt = async () => gatewayRepositories(gateway.em(), { timeZone: timeZone as string });
    expect(await codeOf(attempt())).toBe('VALIDATION');
  });

  it('every zone that this program takes is known to the database, but for the newest', async () => {
    const names = Intl.supportedValuesOf('timeZone');
    for (const timeZone of names) expect(() => gatewayRepositories(gateway.em(), { timeZone })).not.toThrow();
    const sql = `select name from json_array_elements_text(?::json) as name
      where lower(name) not in (select lower(name) from pg_timezone_names)`;
    const unknown = await gateway.rows(sql, [JSON.stringify(names)]);
    expect(unknown.length).toBeLessThan(5);
  });
});
