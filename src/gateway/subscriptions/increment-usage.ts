import type { Amount, Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, liveSql, runPrepared } from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import type { SubscriptionTotals } from './subscription-record.ts';
import { UserSubscription } from './user-subscription.entity.ts';

/** The three usage columns. */
export const USAGE = { precision: 20, scale: 10 } as const;

const INCREMENT = () => ({
  name: 'gateway_subscription_increment',
  text: `update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + $2::numeric,
      weekly_usage_usd = s.weekly_usage_usd + $2::numeric, monthly_usage_usd = s.monthly_usage_usd + $2::numeric,
      updated_at = now()
    from groups g
    where s.id = $1 and ${liveSql(UserSubscription, 's')} and g.id = s.group_id and ${liveSql(Group, 'g')}
    returning s.daily_usage_usd as "dailyUsageUsd", s.weekly_usage_usd as "weeklyUsageUsd",
      s.monthly_usage_usd as "monthlyUsageUsd"`,
});

/** Adds to the three counters in one statement; undefined when the subscription or its group is not live. */
export async function incrementUsage(
  em: DataEntityManager,
  id: Id,
  cost: Amount,
): Promise<SubscriptionTotals | undefined> {
  const add = () => runPrepared<SubscriptionTotals>(em, INCREMENT(), [id, cost]);
  const [totals] = await retryStatement(em, add);
  return totals;
}
