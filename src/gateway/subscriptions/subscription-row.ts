import { rowReader } from '../../kit/orm/index.ts';
import { subscriptionRecord, type SubscriptionRecord } from './subscription-record.ts';
import { UserSubscription } from './user-subscription.entity.ts';

/** A row of a statement that selects {@link subscriptionColumns}. */
export type SubscriptionRow = Readonly<Record<string, unknown>>;

const reader = () => rowReader(UserSubscription, 's');

/** The select list of a subscription called `s`, with the status that it has by now. */
export function subscriptionColumns(): string {
  return `${reader().columns},
    case when s.status = 'active' and s.expires_at <= now() then 'expired' else s.status end as effective_status`;
}

/** Undefined where an outer join has found no subscription. */
export function readSubscription(row: SubscriptionRow): SubscriptionRecord | undefined {
  const own = reader().read(row);
  return own && subscriptionRecord(own, row['effective_status'] as string);
}
