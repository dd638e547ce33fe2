import type { Id } from '../../kit/columns/index.ts';
import { checkId } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { clearGroup } from '../api-keys/key-group.ts';
import { removeBindings } from '../groups/account-bindings.ts';
import { Group } from '../groups/group.entity.ts';
import { lockLiveGroupWithDependents } from '../groups/lock-group.ts';
import { enqueueEvent } from '../outbox/enqueue-event.ts';
import { removeGroupFromSets } from '../users/allowed-groups.ts';
import { type AllowedGroupsOptions, isDualWrite } from '../users/dual-write.ts';

const SUBSCRIPTION = 'subscription';

const DELETE_SUBSCRIPTIONS = `with ended as (
    update user_subscriptions set deleted_at = now(), updated_at = now()
    where group_id = ? and deleted_at is null returning user_id
  ) select distinct user_id from ended order by user_id`;
const CLEAR_FALLBACKS =
  'update groups set fallback_group_id = null, updated_at = now() where fallback_group_id = ? and deleted_at is null';

/**
 * Deletes a group with what hangs on it, in one transaction: of a group that is sold by subscription the subscriptions end
 * with it, live keys lose it, sets of allowed groups lose it, accounts are unbound from it, other groups lose it as their
 * fallback, and the group is marked as deleted. What is being attached to it at the same time either comes first and is
 * cleared, or is refused. The scheduler hears of it once.
 *
 * @returns ids, ascending, of the users whose subscriptions ended: their cached rights must be dropped.
 * @throws NotFoundError GROUP_NOT_FOUND for a group that is missing or deleted already.
 */
export async function deleteGroupCascade(
  em: DataEntityManager,
  groupId: Id,
  options: AllowedGroupsOptions = {},
): Promise<Id[]> {
  const id = checkId('id', groupId);
  isDualWrite(options);
  return retryTransaction(em, async (tx) => {
    const { subscriptionType } = await lockLiveGroupWithDependents(tx, id);
    const users = subscriptionType === SUBSCRIPTION ? await deleteSubscriptions(tx, id) : [];
    await clearGroup(tx, id);
    await removeGroupFromSets(tx, id, options);
    await removeBindings(tx, id);
    await tx.execute(CLEAR_FALLBACKS, [id], 'run');
    await tx.getRepository(Group).softDelete(id);
    await enqueueEvent(tx, { eventType: 'group_changed', groupId: id });
    return users;
  });
}

async function deleteSubscriptions(em: DataEntityManager, groupId: Id): Promise<Id[]> {
  const rows = await em.execute<{ user_id: Id }[]>(DELETE_SUBSCRIPTIONS, [groupId]);
  return rows.map((row) => row.user_id);
}
