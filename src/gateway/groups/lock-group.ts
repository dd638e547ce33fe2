import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

const SHARE = 'select id from groups where id = ? and deleted_at is null for share';

// By id, as everyone who locks several groups.
const SHARE_ALL =
  'select id from groups where id = any (?::bigint[]) and deleted_at is null order by id for share';

// By id, as sets of allowed groups lock theirs: two that take several groups in one order do not deadlock.
const UPDATE_WITH_DEPENDENTS = `select id, subscription_type from groups
  where (id = ? or fallback_group_id = ?) and deleted_at is null order by id for update`;

/**
 * Keeps a group live until the transaction ends, while something is attached to it. FOR KEY SHARE would not do, because
 * a soft delete changes no key and passes it.
 *
 * @throws NotFoundError GROUP_NOT_FOUND, also when the group was deleted while this waited.
 */
export async function lockLiveGroup(em: DataEntityManager, id: Id): Promise<void> {
  const rows = await em.execute<unknown[]>(SHARE, [id]);
  if (rows.length === 0) throw new NotFoundError('Group', gatewayErrors);
}

/**
 * Keeps those of the groups live that are, until the transaction ends, and answers their ids.
 *
 * Groups come before users in every transaction that locks both: the deletion of a group has it locked when it writes the
 * sets, and the arrays, of its users.
 */
export async function lockLiveGroups(em: DataEntityManager, ids: readonly Id[]): Promise<readonly Id[]> {
  if (ids.length === 0) return ids;
  return (await em.execute<{ id: Id }[]>(SHARE_ALL, [`{${ids.join(',')}}`])).map(({ id }) => id);
}

/**
 * Locks a group that is to be deleted, and the groups whose fallback it is. What it answers of the group is what the lock
 * has found, and so stays true until the transaction ends.
 *
 * @throws NotFoundError GROUP_NOT_FOUND, also when the group was deleted while this waited.
 */
export async function lockLiveGroupWithDependents(
  em: DataEntityManager,
  id: Id,
): Promise<{ subscriptionType: string }> {
  const rows = await em.execute<{ id: Id; subscription_type: string }[]>(UPDATE_WITH_DEPENDENTS, [id, id]);
  const group = rows.find((row) => row.id === id);
  if (!group) throw new NotFoundError('Group', gatewayErrors);
  return { subscriptionType: group.subscription_type };
}
