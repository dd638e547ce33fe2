import type { Id } from '../../kit/columns/index.ts';
import {
  type DataEntityManager,
  liveSql,
  type PreparedStatement,
  rowReader,
  runPrepared,
  type StoredInstant,
  storedInstant,
} from '../../kit/orm/index.ts';
import { groupRecord } from '../groups/group-record.ts';
import { Group } from '../groups/group.entity.ts';
import { type ActiveSubscription, subscriptionRecord } from './subscription-record.ts';
import type { SubscriptionRow } from './subscription-row.ts';
import { areWindowsDue } from './subscription-windows.ts';
import { UserSubscription } from './user-subscription.entity.ts';

const readers = () => ({ subscription: rowReader(UserSubscription, 's'), group: rowReader(Group, 'g') });

let made: PreparedStatement | undefined;

/** Made once, because every request sends it: one probe of the partial unique index and one of the groups, which ends at the one that it looks for. */
function statement(): PreparedStatement {
  const { subscription, group } = readers();
  return (made ??= {
    name: 'gateway_active_subscription',
    isPipelined: true,
    readsDates: true,
    text: `select ${subscription.columns}, its.*, now() as now
      from user_subscriptions s
      left join lateral (
        select ${group.columns} from groups g where g.id = s.group_id and ${liveSql(Group, 'g')} limit 1
      ) its on true
      where s.user_id = $1 and s.group_id = $2 and s.status = 'active' and s.expires_at > now()
        and ${liveSql(UserSubscription, 's')}`,
  });
}

/** The subscription of a user for a group that is active by the clock of the database, in one prepared statement. */
export async function readActiveSubscription(
  em: DataEntityManager,
  userId: Id,
  groupId: Id,
): Promise<ActiveSubscription | null> {
  const [row] = await runPrepared<SubscriptionRow>(em, statement(), [userId, groupId]);
  const { subscription, group } = readers();
  const own = row && subscription.read(row);
  if (!own) return null;
  const its = group.read(row);
  // In SQL this condition made the lookup a tenth slower.
  const windowsDue = areWindowsDue(own, storedInstant(row['now'] as StoredInstant));
  const more = { group: its ? groupRecord(its) : null, windowsDue };
  return Object.assign(subscriptionRecord(own, 'active'), more);
}
