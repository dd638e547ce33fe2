import { raw } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { type DataEntityManager, runPrepared } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { lockLiveGroup } from '../groups/lock-group.ts';
import type { CheckedSubscription } from './subscription-input.ts';
import type { SubscriptionRecord } from './subscription-record.ts';
import { readSubscription, subscriptionColumns, type SubscriptionRow } from './subscription-row.ts';
import { byId, readOne } from './subscriptions-with-relations.ts';
import { UserSubscription } from './user-subscription.entity.ts';

// FOR SHARE makes a soft delete wait; FOR KEY SHARE, which the foreign keys take, would let it pass, as it changes no key.
const LOCK_USERS = `select id from users where id = any (?::bigint[]) and deleted_at is null order by id for share`;

const INSERT = () => ({
  name: 'gateway_subscription_insert',
  text: `insert into user_subscriptions as s
      (user_id, group_id, starts_at, expires_at, status, assigned_by, assigned_at, notes)
    values ($1, $2, coalesce($3, now()), $4, coalesce($5, 'active'), $6, coalesce($7, now()), coalesce($8, ''))
    returning ${subscriptionColumns()}`,
});

/** Inserts a subscription of a live user and a live group, both locked. Call it in a transaction. */
export async function insertSubscription(
  em: DataEntityManager,
  columns: CheckedSubscription,
): Promise<SubscriptionRecord | undefined> {
  await lockParents(em, columns);
  const { userId, groupId, startsAt, expiresAt, status, assignedBy, assignedAt, notes } = columns;
  const values = [userId, groupId, startsAt, expiresAt, status, assignedBy, assignedAt, notes];
  const [row] = await runPrepared<SubscriptionRow>(em, INSERT(), values);
  return row && readSubscription(row);
}

/**
 * Writes the columns that are given; null when there is no live subscription. A user or a group that it gets must be live; one
 * that it has already stays, whether live or not. Call it in a transaction.
 */
export async function updateSubscription(
  em: DataEntityManager,
  id: Id,
  columns: CheckedSubscription,
): Promise<SubscriptionRecord | null> {
  const current = await readOne(em, 'none', byId(id));
  if (!current) return null;
  const { userId, groupId, assignedBy, ...others } = columns;
  const parents = {
    ...(userId !== undefined && userId !== current.userId && { userId }),
    ...(groupId !== undefined && groupId !== current.groupId && { groupId }),
    ...(assignedBy !== undefined && assignedBy !== current.assignedById && { assignedBy }),
  };
  await lockParents(em, parents);
  const { userId: user, groupId: group, ...rest } = parents;
  const written = {
    ...others,
    ...rest,
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
  };
  if (Object.keys(written).length === 0) return current;
  const update = { ...written, updatedAt: raw('now()') } as never;
  // One that was deleted meanwhile is not written.
  if ((await em.nativeUpdate(UserSubscription, { id }, update)) === 0) return null;
  return readOne(em, 'none', byId(id));
}

/** The group first, as everyone does who locks both: its deletion may write users. */
async function lockParents(em: DataEntityManager, columns: CheckedSubscription): Promise<void> {
  const { userId, groupId, assignedBy } = columns;
  if (typeof groupId === 'string') await lockLiveGroup(em, groupId);
  const users = [...new Set([userId, assignedBy].filter((id) => typeof id === 'string'))];
  if (users.length === 0) return;
  const locked = await em.execute<unknown[]>(LOCK_USERS, [`{${users.join(',')}}`]);
  if (locked.length < users.length) throw new NotFoundError('User', gatewayErrors);
}
