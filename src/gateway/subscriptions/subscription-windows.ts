import type { Id } from '../../kit/columns/index.ts';
import {
  type DataEntityManager,
  liveSql,
  type PreparedStatement,
  rowReader,
  runPrepared,
} from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import type { SubscriptionWindows } from './subscription-record.ts';
import { UserSubscription } from './user-subscription.entity.ts';

const PERIODS = ['daily', 'weekly', 'monthly'] as const;

export type Period = (typeof PERIODS)[number];

// Hours, because PostgreSQL adds days by the calendar of the session's time zone.
const HOUR = 60 * 60 * 1000;
const HOURS: Readonly<Record<Period, number>> = { daily: 24, weekly: 7 * 24, monthly: 30 * 24 };

/** Midnight in the zone; the named instant falls on its day. */
const midnight = (instant: string, zone: string): string =>
  `(date_trunc('day', ${instant} at time zone ${zone}) at time zone ${zone})`;

// The second half is for days that are longer than 24 hours: in their last hour a window that began at their midnight has
// its age already, and would begin again at that same midnight with every request.
const isOver = (period: Period, now: string, start: string): string =>
  `(${now} - s.${period}_window_start >= interval '${HOURS[period]} hours' and s.${period}_window_start < ${start})`;

const isAnyOver = (now: string, start: string): string =>
  PERIODS.map((period) => isOver(period, now, start)).join(' or ');

const IS_UNUSED = 's.daily_window_start is null';

/** Whether a window was never used or has its age; cheap enough for every request, and `checkWindows` is what decides. */
export function areWindowsDue(windows: Starts, now: Date): boolean {
  if (!windows.dailyWindowStart) return true;
  return PERIODS.some((period) => {
    const start = windows[`${period}WindowStart`];
    return start !== null && start !== undefined && now.getTime() - start.getTime() >= HOURS[period] * HOUR;
  });
}

type Starts = { readonly [P in Period as `${P}WindowStart`]?: Date | null | undefined };

const reader = () =>
  rowReader(UserSubscription, 's', [
    'dailyWindowStart',
    'weeklyWindowStart',
    'monthlyWindowStart',
    'dailyUsageUsd',
    'weeklyUsageUsd',
    'monthlyUsageUsd',
  ]);

/** What is done with the windows of a subscription: those that are over begin again, those never used begin. */
type Work = 'reset' | 'check';

function assignments(period: Period, work: Work): string {
  const over = isOver(period, 't.now', 't.start');
  const begun = `when ${IS_UNUSED} then coalesce(s.${period}_window_start, t.start) `;
  return `${period}_usage_usd = case when ${over} then 0 else s.${period}_usage_usd end,
    ${period}_window_start = case when ${over} then t.start ${work === 'check' ? begun : ''}else s.${period}_window_start end`;
}

// Row locks make two callers run one after the other, and the second one looks at the condition again, in the row as the
// first one has left it. Usage that was recorded in between is in that row too, so it is never taken back.
function windowStatement(work: Work): PreparedStatement {
  const isDue = [...(work === 'check' ? [IS_UNUSED] : []), isAnyOver('t.now', 't.start')].join(' or ');
  const now = 'coalesce($2::timestamptz, now())';
  return {
    name: `gateway_subscription_windows_${work}`,
    text: `update user_subscriptions s set
      ${PERIODS.map((period) => assignments(period, work)).join(', ')}, updated_at = now()
      from (select ${now} as now, least(${midnight(now, '$3::text')}, ${now}) as start) t
      where s.id = $1 and ${liveSql(UserSubscription, 's')} and (${isDue})
      returning ${reader().columns}`,
  };
}

/** Runs it in one statement; null when nothing was due, another caller was first, or there is no live subscription. */
export async function renewWindows(
  em: DataEntityManager,
  id: Id,
  { work, now, timeZone }: { work: Work; now: Date | undefined; timeZone: string },
): Promise<SubscriptionWindows | null> {
  const values = [id, now ?? null, timeZone];
  const renew = () => runPrepared<Record<string, unknown>>(em, windowStatement(work), values);
  const [row] = await retryStatement(em, renew);
  const windows = row && reader().read(row);
  if (!windows) return null;
  const { dailyUsageUsd, weeklyUsageUsd, monthlyUsageUsd } = windows;
  return {
    dailyUsageUsd,
    weeklyUsageUsd,
    monthlyUsageUsd,
    dailyWindowStart: windows.dailyWindowStart ?? null,
    weeklyWindowStart: windows.weeklyWindowStart ?? null,
    monthlyWindowStart: windows.monthlyWindowStart ?? null,
  };
}

/** Begins the windows of a subscription that has never used them, at `start` or at midnight today; answers whether it did. */
export async function beginWindows(
  em: DataEntityManager,
  id: Id,
  { start, timeZone }: { start: Date | undefined; timeZone: string },
): Promise<boolean> {
  const starts = PERIODS.map(
    (period) => `${period}_window_start = coalesce(s.${period}_window_start, t.start)`,
  );
  const begin = {
    name: 'gateway_subscription_windows_begin',
    text: `update user_subscriptions s set ${starts.join(', ')}, updated_at = now()
      from (select coalesce($2::timestamptz, least(${midnight('now()', '$3::text')}, now())) as start) t
      where s.id = $1 and ${liveSql(UserSubscription, 's')} and ${IS_UNUSED} returning s.id`,
  };
  return (await retryStatement(em, () => runPrepared(em, begin, [id, start ?? null, timeZone]))).length > 0;
}

/** Empties one window and lets it begin at the instant, or never; answers whether there is such a live subscription. */
export async function restartWindow(
  em: DataEntityManager,
  id: Id,
  { period, start }: { period: Period; start: Date | null },
): Promise<boolean> {
  const restart = {
    name: `gateway_subscription_window_${period}`,
    text: `update user_subscriptions s set ${period}_usage_usd = 0, ${period}_window_start = $2, updated_at = now()
      where s.id = $1 and ${liveSql(UserSubscription, 's')} returning s.id`,
  };
  return (await retryStatement(em, () => runPrepared(em, restart, [id, start]))).length > 0;
}
