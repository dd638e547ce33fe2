import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, rowReader, runPrepared, scopedStatement } from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { subscriptionRecord, type SubscriptionWithGroup, withGroup } from './subscription-record.ts';
import { UserSubscription } from './user-subscription.entity.ts';

const readers = () => ({ subscription: rowReader(UserSubscription, 's'), group: rowReader(Group, 'g') });

const OF_USERS = scopedStatement('gateway_active_subscriptions_of_users', (visible) => {
  const { subscription, group } = readers();
  return `select ${subscription.columns}, ${group.columns}
    from user_subscriptions s
    left join groups g on g.id = s.group_id and ${visible(Group, 'g')}
    where s.user_id = any ($1::bigint[]) and s.status = 'active' and ${visible(UserSubscription, 's')}
    order by s.id`;
});

/**
 * Subscriptions of the users whose status is 'active', expired or not, by id, each with its group, in one prepared statement.
 * Users without any are missing from the map.
 */
export async function readActiveSubscriptions(
  em: DataEntityManager,
  userIds: readonly Id[],
): Promise<Map<Id, SubscriptionWithGroup[]>> {
  const lists = new Map<Id, SubscriptionWithGroup[]>();
  if (userIds.length === 0) return lists;
  const { subscription, group } = readers();
  for (const row of await runPrepared<Record<string, unknown>>(em, OF_USERS(), [userIds])) {
    const own = subscription.read(row);
    if (!own) continue;
    const record = withGroup(subscriptionRecord(own), group.read(row));
    const list = lists.get(record.userId);
    if (list) list.push(record);
    else lists.set(record.userId, [record]);
  }
  return lists;
}
