import type { Id } from '../../kit/columns/index.ts';
import { checkId } from '../../kit/input/index.ts';
import { type DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { Group } from '../groups/group.entity.ts';
import { lockLiveGroupWithDependents } from '../groups/lock-group.ts';
import { removeGroupFromSets } from '../users/allowed-groups.ts';
import { type AllowedGroupsOptions, isDualWrite } from '../users/dual-write.ts';

// Keys that are deleted already keep their group for the audit.
const CLEAR_KEYS =
  'update api_keys set group_id = null, updated_at = now() where group_id = ? and deleted_at is null';
const CLEAR_FALLBACKS =
  'update groups set fallback_group_id = null, updated_at = now() where fallback_group_id = ? and deleted_at is null';

/**
 * Deletes a group with what hangs on it, in one transaction: live keys lose it, sets of allowed groups lose it, other groups
 * lose it as their fallback, and the group is marked as deleted. A key or a set that is being attached to it at the same
 * time either comes first and is cleared, or is refused.
 *
 * @returns ids of users whose cached rights must be dropped: the owners of its subscriptions, none while the schema has no
 *   subscriptions.
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
    await lockLiveGroupWithDependents(tx, id);
    await tx.execute(CLEAR_KEYS, [id], 'run');
    await removeGroupFromSets(tx, id, options);
    await tx.execute(CLEAR_FALLBACKS, [id], 'run');
    await tx.getRepository(Group).softDelete(id);
    return [];
  });
}
