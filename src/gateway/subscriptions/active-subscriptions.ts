import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { subscriptionRecord, type SubscriptionWithGroup, withGroup } from './subscription-record.ts';
import { UserSubscription } from './user-subscription.entity.ts';

/**
 * Subscriptions of the users whose status is 'active', expired or not, by id, each with its group. Two statements whatever
 * the number of users; users without any are missing from the map.
 */
export async function readActiveSubscriptions(
  em: DataEntityManager,
  userIds: readonly Id[],
): Promise<Map<Id, SubscriptionWithGroup[]>> {
  const lists = new Map<Id, SubscriptionWithGroup[]>();
  if (userIds.length === 0) return lists;
  const reader = em.fork({ keepTransactionContext: true });
  const where = { user: { $in: [...userIds] }, status: 'active' };
  const found = await reader.find(UserSubscription, where, { orderBy: { id: 'asc' } });
  const groups = await groupsOf(reader, found);
  for (const subscription of found) {
    const record = withGroup(subscriptionRecord(subscription), groups.get(subscription.group.id));
    const list = lists.get(record.userId);
    if (list) list.push(record);
    else lists.set(record.userId, [record]);
  }
  return lists;
}

/** Apart from the subscriptions: populating would hide the id of a deleted group, which must stay visible. */
async function groupsOf(
  em: DataEntityManager,
  subscriptions: readonly UserSubscription[],
): Promise<Map<Id, Group>> {
  const ids = [...new Set(subscriptions.map((subscription) => subscription.group.id))];
  if (ids.length === 0) return new Map();
  // Managed entities of the same rows are references only, and must not be handed out as if they were loaded.
  const groups = await em.fork({ keepTransactionContext: true }).find(Group, { id: { $in: ids } });
  return new Map(groups.map((group) => [group.id, group]));
}
