import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, liveSql, runPrepared, storedInstant } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { UserSubscription } from './user-subscription.entity.ts';

// Hours, because PostgreSQL adds days by the calendar of the session's time zone. A second caller waits for the row of the
// first one and adds to what it finds there.
const EXTEND_BY_DAYS = () => ({
  name: 'gateway_subscription_extend_by_days',
  text: `update user_subscriptions s set
      expires_at = least(
        greatest(s.expires_at, now()) + make_interval(hours => 24 * $2::int), timestamptz '2099-12-31 23:59:59+00'
      ),
      status = case when s.status in ('expired', 'suspended') then 'active' else s.status end,
      updated_at = now()
    where s.id = $1 and ${liveSql(UserSubscription, 's')} returning s.expires_at`,
});

// A row that someone extends or deletes at this moment is left to the next run. Ordered as the index has it. By an array, because
// a join of the two is planned by statistics, and on a table that has none yet compares every row with every other.
const EXPIRE = () => ({
  name: 'gateway_subscriptions_expire',
  text: `update user_subscriptions s set status = 'expired', updated_at = now()
    where s.id = any (array(
        select id from user_subscriptions
        where status = 'active' and expires_at <= now() and deleted_at is null
        order by expires_at, id limit $1 for no key update skip locked
      )) and s.status = 'active' and s.expires_at <= now() and ${liveSql(UserSubscription, 's')}
    returning s.id`,
});

/** The new end of the subscription, which is active now; undefined when there is no live one. */
export async function extendByDays(em: DataEntityManager, id: Id, days: number): Promise<Date | undefined> {
  const extend = () => runPrepared<{ expires_at: string }>(em, EXTEND_BY_DAYS(), [id, days]);
  const [row] = await retryStatement(em, extend);
  return row && storedInstant(row.expires_at);
}

/** Writes 'expired' where 'active' is over, batch by batch, each in a transaction of its own unless the caller has one. */
export async function expireOverdue(em: DataEntityManager, batch: number): Promise<number> {
  for (let total = 0; ;) {
    const { length } = await retryStatement(em, () => runPrepared(em, EXPIRE(), [batch]));
    total += length;
    if (length < batch) return total;
  }
}
