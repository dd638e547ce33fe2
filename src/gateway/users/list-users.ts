import { raw, sql } from '@mikro-orm/postgresql';
import { type DataEntityManager, live, rowReader } from '../../kit/orm/index.ts';
import { checkGiven, checkText } from '../../kit/input/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { readActiveSubscriptions } from '../subscriptions/active-subscriptions.ts';
import { readAllowedGroups } from './allowed-groups.ts';
import { attributeConditions } from './attribute-filter.ts';
import { type ListedUser, type UserFilters, userRecord } from './user-record.ts';
import { User } from './user.entity.ts';

/** One page of users, newest first, in three statements: the page with its total, the sets, and the subscriptions. */
export async function listUsers(
  em: DataEntityManager,
  request: PageRequest,
  filters: UserFilters,
): Promise<Page<ListedUser>> {
  const { page, ...range } = clampPage(request);
  const [users, total] = await readPage(em, filters, range);
  const ids = users.map((user) => user.id);
  const sets = await readAllowedGroups(em, ids);
  const subscriptions = await readActiveSubscriptions(em, ids);
  const items = users.map((user) =>
    Object.assign(userRecord(user, sets.get(user.id) ?? []), {
      subscriptions: subscriptions.get(user.id) ?? [],
    }),
  );
  return pageOf(items, total, { page, limit: range.limit });
}

/** The total comes on each row of the page, and alone without one. */
async function readPage(
  em: DataEntityManager,
  filters: UserFilters,
  { limit, offset }: { limit: number; offset: number },
): Promise<[User[], number]> {
  const reader = rowReader(User, 'u');
  const matching = em.createQueryBuilder(User, 'm').select('id').where(conditionsOf(filters));
  // A text inside another one is looked for in every row: once, for page and total together. All else has indexes, and page
  // and total are planned apart, each by the one that suits it.
  const once = raw(filters.search || filters.attributes?.size ? 'materialized' : 'not materialized');
  const rows = await em.execute<(Record<string, unknown> & { total: string })[]>(
    sql`with matching as ${once} (${matching.toRaw()})
      select t.total, ${raw(reader.columns)}
      from (select count(*) as total from matching) t
      left join (select id from matching order by id desc limit ${limit} offset ${offset}) p on true
      left join users u on u.id = p.id and ${live(User, 'u')}
      order by p.id desc`,
  );
  return [rows.flatMap((row) => reader.read(row) ?? []), Number(rows[0]?.total)];
}

function conditionsOf(filters: UserFilters): object {
  const { status, role, search, attributes } = checkGiven('filters', filters);
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  const attributed = attributeConditions(attributes);
  return {
    ...(status && { status: checkText('status', status) }),
    ...(role && { role: checkText('role', role) }),
    ...(pattern && { $or: [{ email: { $ilike: pattern } }, { username: { $ilike: pattern } }] }),
    ...(attributed.length > 0 && { $and: attributed }),
  };
}
