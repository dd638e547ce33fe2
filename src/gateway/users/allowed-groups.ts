import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { type AllowedGroupsOptions, isDualWrite, removeFromArrays, writeArray } from './dual-write.ts';

const READ = `select user_id, group_id from user_allowed_groups where user_id = any (?::bigint[]) order by user_id, group_id`;

// The row lock makes two replacements of one user's set run one after the other.
const LOCK_USER = 'select id from users where id = ? and deleted_at is null for no key update';

const REMOVE_OTHERS = 'delete from user_allowed_groups where user_id = ? and group_id <> all (?::bigint[])';

const ADD = `insert into user_allowed_groups (user_id, group_id) select ?, unnest(?::bigint[]) on conflict do nothing`;

const COUNT =
  'select count(*)::int as count from user_allowed_groups where user_id = ? and group_id = any (?::bigint[])';

const REMOVE_GROUP = 'delete from user_allowed_groups where group_id = ?';

/** The allowed groups of each of the users, in one statement; users without any are missing from the map. */
export async function readAllowedGroups(
  em: DataEntityManager,
  userIds: readonly Id[],
): Promise<Map<Id, Id[]>> {
  const sets = new Map<Id, Id[]>();
  if (userIds.length === 0) return sets;
  const rows = await em.execute<{ user_id: Id; group_id: Id }[]>(READ, [arrayOf(userIds)]);
  for (const { user_id: userId, group_id: groupId } of rows) {
    const set = sets.get(userId);
    if (set) set.push(groupId);
    else sets.set(userId, [groupId]);
  }
  return sets;
}

/**
 * Makes the set exactly these groups, whose ids have been checked. A deleted group may stay in a set that has it, and
 * cannot enter one. `live` are those that {@link lockLiveGroups} has answered.
 *
 * Call it inside a transaction.
 *
 * @throws NotFoundError GROUP_NOT_FOUND for an id without a live group, USER_NOT_FOUND for a user that is not live;
 *   RuleError ALLOWED_GROUPS_DROPPED.
 */
export async function replaceAllowedGroups(
  em: DataEntityManager,
  userId: Id,
  { ids, live }: { ids: readonly Id[]; live: readonly Id[] },
  options: AllowedGroupsOptions,
): Promise<readonly Id[]> {
  const locked = await em.execute<unknown[]>(LOCK_USER, [userId]);
  if (locked.length === 0) throw new NotFoundError('User', gatewayErrors);
  await em.execute(REMOVE_OTHERS, [userId, arrayOf(ids)], 'run');
  if (live.length > 0) await em.execute(ADD, [userId, arrayOf(live)], 'run');
  if (live.length < ids.length) await refuseUnknown(em, userId, ids);
  if (isDualWrite(options)) await writeArray(em, userId);
  return ids;
}

/**
 * Takes a group out of every set; answers how many had it: of the table and the arrays, the larger number.
 *
 * Call it inside a transaction.
 *
 * @throws RuleError ALLOWED_GROUPS_DROPPED.
 */
export async function removeGroupFromSets(
  em: DataEntityManager,
  groupId: Id,
  options: AllowedGroupsOptions,
): Promise<number> {
  // Arrays first: whoever replaces a set locks the user before its pairs.
  const arrays = isDualWrite(options) ? await removeFromArrays(em, groupId) : 0;
  const { affectedRows } = await em.execute<{ affectedRows: number }>(REMOVE_GROUP, [groupId], 'run');
  return Math.max(arrays, affectedRows);
}

/** What is not live must have been in the set before. */
async function refuseUnknown(em: DataEntityManager, userId: Id, ids: readonly Id[]): Promise<void> {
  const [found] = await em.execute<{ count: number }[]>(COUNT, [userId, arrayOf(ids)]);
  if (found?.count !== ids.length) throw new NotFoundError('Group', gatewayErrors);
}

/** Checked ids as the text of a PostgreSQL array: one parameter, whatever their number. */
function arrayOf(ids: readonly Id[]): string {
  return `{${ids.join(',')}}`;
}
