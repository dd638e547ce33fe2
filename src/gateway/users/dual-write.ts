import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, isDataError, RuleError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayRules } from '../rules.ts';

/** Where sets of allowed groups are written. They are always read from the table. */
export interface AllowedGroupsOptions {
  /**
   * `dual-write` also keeps the array `users.allowed_groups`, for old programs that read it: from migration 007 until 025
   * drops it. Every call that writes sets needs it then, `deleteGroupCascade` too. Default `join-table`.
   */
  readonly allowedGroups?: 'dual-write' | 'join-table';
}

// The entity does not map the column, so that one model serves the database before and after it goes.
const WRITE_ARRAY = `with pairs as (
    select array_agg(group_id order by group_id) as ids from user_allowed_groups where user_id = ?
  )
  update users u set allowed_groups = pairs.ids, updated_at = now() from pairs
  where u.id = ? and u.deleted_at is null and u.allowed_groups is distinct from pairs.ids`;

// Whoever puts a group into a set holds a share of it. Without this lock, one that commits between the two deletions would
// stay in the array and go from the table.
const LOCK_GROUP = `select id from groups where id = ? for no key update
  /* soft-delete: all rows, because a deleted group stays in the sets that have it */`;

// Locked by id first, so that two removals that meet in several users wait for each other and do not deadlock.
const REMOVE_FROM_ARRAYS = `with locked as (
    select id from users where ? = any (allowed_groups) order by id for no key update
  )
  update users u set allowed_groups = nullif(array_remove(u.allowed_groups, ?), '{}'), updated_at = now() from locked
  where u.id = locked.id and ? = any (u.allowed_groups)
  /* soft-delete: all rows, because the table loses the pairs of deleted users too, and 025 would bring them back */`;

/** @throws InvalidInputError for a word that is none: it must not pass for the default, which leaves the array behind. */
export function isDualWrite({ allowedGroups = 'join-table' }: AllowedGroupsOptions): boolean {
  if (allowedGroups === 'dual-write') return true;
  if (allowedGroups === 'join-table') return false;
  throw new InvalidInputError('allowedGroups', 'be "dual-write" or "join-table"');
}

/**
 * Makes the array of a user what the table has: ids ascending, NULL for none. Call it in the transaction that has written
 * the table, with the user's row locked.
 *
 * @throws RuleError ALLOWED_GROUPS_DROPPED.
 */
export async function writeArray(em: DataEntityManager, userId: Id): Promise<void> {
  await em.execute(WRITE_ARRAY, [userId, userId], 'run').catch(asDropped);
}

/**
 * Takes a group out of every array; answers how many had it. Empty arrays become NULL. Until the transaction ends, the group
 * enters no set.
 *
 * @throws RuleError ALLOWED_GROUPS_DROPPED.
 */
export async function removeFromArrays(em: DataEntityManager, groupId: Id): Promise<number> {
  // In the scope, because a table's backstop refuses to change a deleted user outside it.
  return em.skipSoftDelete(async (all) => {
    await all.execute(LOCK_GROUP, [groupId]);
    const params = [groupId, groupId, groupId];
    const { affectedRows } = await all
      .execute<{ affectedRows: number }>(REMOVE_FROM_ARRAYS, params, 'run')
      .catch(asDropped);
    return affectedRows;
  });
}

/** 42703 is a column that does not exist, and only one column of these statements may go. */
function asDropped(error: unknown): never {
  if (!isDataError(error) || error.sqlState !== '42703') throw error;
  throw Object.assign(new RuleError(gatewayRules.ALLOWED_GROUPS_DROPPED), { cause: error.cause });
}
