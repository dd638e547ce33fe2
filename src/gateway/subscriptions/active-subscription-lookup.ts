import type { Id } from '../../kit/columns/index.ts';
import {
  type DataEntityManager,
  liveSql,
  type PreparedStatement,
  rowReader,
  runPrepared,
} from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { type ActiveSubscription, withGroup } from './subscription-record.ts';
import { readSubscription, subscriptionColumns, type SubscriptionRow } from './subscription-row.ts';
import { windowsDueSql } from './subscription-windows.ts';
import { UserSubscription } from './user-subscription.entity.ts';

let made: PreparedStatement | undefined;

/** Made once, because every request sends it: one probe of the partial unique index and one of a primary key. */
const statement = (): PreparedStatement =>
  (made ??= {
    name: 'gateway_active_subscription',
    text: `select ${subscriptionColumns()}, ${windowsDueSql('$3::text')} as windows_due, ${rowReader(Group, 'g').columns}
      from user_subscriptions s
      left join groups g on g.id = s.group_id and ${liveSql(Group, 'g')}
      where s.user_id = $1 and s.group_id = $2 and s.status = 'active' and s.expires_at > now()
        and ${liveSql(UserSubscription, 's')}`,
  });

/** The subscription of a user for a group that is active by the clock of the database, in one prepared statement. */
export async function readActiveSubscription(
  em: DataEntityManager,
  userId: Id,
  { groupId, timeZone }: { groupId: Id; timeZone: string },
): Promise<ActiveSubscription | null> {
  const [row] = await runPrepared<SubscriptionRow>(em, statement(), [userId, groupId, timeZone]);
  const own = row && readSubscription(row);
  if (!own) return null;
  const group = rowReader(Group, 'g').read(row);
  return { ...withGroup(own, group), windowsDue: row['windows_due'] === true };
}
