import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { type UserRecord, userRecord } from './user-record.ts';
import { User } from './user.entity.ts';

/** A user beside a row that refers to it: without the set of allowed groups, which would cost a statement more. */
export type RelatedUser = Omit<UserRecord, 'allowedGroups'>;

/**
 * The users of these ids in one statement, or in none; deleted ones are missing. Populating them would hide the id of a
 * deleted one, which must stay visible.
 */
export async function usersById(
  em: DataEntityManager,
  ids: readonly (Id | null)[],
): Promise<Map<Id | null, RelatedUser>> {
  const distinct = [...new Set(ids)].filter((id) => id !== null);
  if (distinct.length === 0) return new Map();
  const reader = em.fork({ keepTransactionContext: true });
  const found = await reader.find(User, { id: { $in: distinct } });
  return new Map(found.map((user) => [user.id, withoutSet(user)]));
}

function withoutSet(user: User): RelatedUser {
  const record = userRecord(user, []);
  Reflect.deleteProperty(record, 'allowedGroups');
  return record;
}
