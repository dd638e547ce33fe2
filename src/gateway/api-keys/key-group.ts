import type { Id } from '../../kit/columns/index.ts';
import { isDataError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { lockLiveGroup } from '../groups/lock-group.ts';
import { ApiKey } from './api-key.entity.ts';

// Locked by id first: two that clear one group would meet the keys in the order of the table, which changes with each update.
const CLEAR = `with own as (
    select id from api_keys where group_id = ? and deleted_at is null order by id for no key update
  )
  update api_keys k set group_id = null, updated_at = now() from own where k.id = own.id and k.deleted_at is null`;

/** Takes live keys out of a group; answers how many. Keys that are deleted already keep their group for the audit. */
export async function clearGroup(em: DataEntityManager, groupId: Id): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(CLEAR, [groupId], 'run');
  return affectedRows;
}

/** Keeps the group that a new key shall have live until the transaction ends. @throws NotFoundError GROUP_NOT_FOUND. */
export async function lockGroup(em: DataEntityManager, group: unknown): Promise<void> {
  if (typeof group === 'string') await lockLiveGroup(em, group);
}

/**
 * Locks the group that a key shall get, as {@link lockGroup}. A deleted one is refused, unless the key has it already: then
 * the answer is true, and the group must not be written, because it may be cleared in between.
 */
export async function keepsGroup(em: DataEntityManager, id: Id, group: unknown): Promise<boolean> {
  try {
    await lockGroup(em, group);
    return false;
  } catch (error) {
    const known =
      isDataError(error, 'GROUP_NOT_FOUND') && (await em.count(ApiKey, { id, group: group as Id }));
    if (!known) throw error;
    return true;
  }
}
