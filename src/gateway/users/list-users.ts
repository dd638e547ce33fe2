import type { DataEntityManager } from '../../kit/orm/index.ts';
import { checkText } from '../../kit/input/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { readActiveSubscriptions } from '../subscriptions/active-subscriptions.ts';
import { readAllowedGroups } from './allowed-groups.ts';
import { attributeConditions } from './attribute-filter.ts';
import { type ListedUser, type UserFilters, userRecord } from './user-record.ts';
import { User } from './user.entity.ts';

/**
 * One page of users, newest first, in at most five statements: the page, its total, the sets, the subscriptions and their
 * groups.
 */
export async function listUsers(
  em: DataEntityManager,
  request: PageRequest,
  filters: UserFilters,
): Promise<Page<ListedUser>> {
  const { limit, offset, page } = clampPage(request);
  const where = conditionsOf(filters);
  const options = { orderBy: { id: 'desc' }, limit, offset } as const;
  const reader = em.fork({ keepTransactionContext: true });
  const [users, total] = await reader.findAndCount(User, where, options);
  const ids = users.map((user) => user.id);
  const sets = await readAllowedGroups(em, ids);
  const subscriptions = await readActiveSubscriptions(em, ids);
  const items = users.map((user) =>
    Object.assign(userRecord(user, sets.get(user.id) ?? []), {
      subscriptions: subscriptions.get(user.id) ?? [],
    }),
  );
  return pageOf(items, total, { page, limit });
}

function conditionsOf({ status, role, search, attributes }: UserFilters): object {
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  const attributed = attributeConditions(attributes);
  return {
    ...(status && { status: checkText('status', status) }),
    ...(role && { role: checkText('role', role) }),
    ...(pattern && { $or: [{ email: { $ilike: pattern } }, { username: { $ilike: pattern } }] }),
    ...(attributed.length > 0 && { $and: attributed }),
  };
}
