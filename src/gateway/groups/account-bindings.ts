import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';

// Live accounts in every scope: a list of deleted groups does not want to know how many accounts were deleted.
const COUNT = `select b.group_id, count(*)::int as count
  from account_groups b join accounts a on a.id = b.account_id and a.deleted_at is null
  where b.group_id = any (?::bigint[]) group by b.group_id`;

const REMOVE = 'delete from account_groups where group_id = ?';

/** How many live accounts serve each of the groups, in one statement; groups without any are missing from the map. */
export async function countAccounts(
  em: DataEntityManager,
  groupIds: readonly Id[],
): Promise<Map<Id, number>> {
  if (groupIds.length === 0) return new Map();
  const rows = await em.execute<{ group_id: Id; count: number }[]>(COUNT, [`{${groupIds.join(',')}}`]);
  return new Map(rows.map((row) => [row.group_id, row.count]));
}

/** Removes the bindings of a group, those of deleted accounts too; answers how many there were. */
export async function removeBindings(em: DataEntityManager, groupId: Id): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(REMOVE, [groupId], 'run');
  return affectedRows;
}
