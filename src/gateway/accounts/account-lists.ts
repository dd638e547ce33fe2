import type { Id } from '../../kit/columns/index.ts';
import { checkGiven, checkId, checkIds, checkOneOf, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, runPrepared } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { checkPlatform, checkPlatforms } from '../platforms.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { ACCOUNT_STATUSES, ACCOUNT_TYPES, accountColumns } from './account-columns.ts';
import { hydrated, reader } from './account-reads.ts';
import type { AccountFilters, AccountRecord } from './account-record.ts';
import { Account } from './account.entity.ts';
import {
  SCHEDULABLE_ACCOUNTS,
  schedulableAccount,
  type SchedulableRow,
  type SelectedAccount,
  type SelectionOptions,
} from './schedulable-accounts.ts';

/** The account of a key, hydrated; null when there is no such live one. */
export async function findAccount(em: DataEntityManager, id: Id): Promise<AccountRecord | null> {
  const account = await reader(em).findOne(Account, checkId('id', id));
  return account ? ((await hydrated(em, [account]))[0] ?? null) : null;
}

/** In the order in which the ids come first; ids up to zero and of no live account are left out. */
export async function accountsByIds(em: DataEntityManager, ids: readonly Id[]): Promise<AccountRecord[]> {
  const distinct = checkIds('ids', ids);
  if (distinct.length === 0) return [];
  const accounts = await reader(em).find(Account, { id: { $in: distinct } });
  const byId = new Map((await hydrated(em, accounts)).map((account) => [account.id, account]));
  return [...new Set(ids)].flatMap((id) => byId.get(id) ?? []);
}

// By hand, because the index is on exactly this expression.
const BY_CRS_ID = `select id from accounts
  where extra ->> 'crs_account_id' = ? and deleted_at is null order by id limit 1`;

/** The oldest account that another system knows by this id; null for none and for the empty text. */
export async function accountByCrsId(em: DataEntityManager, crsId: string): Promise<AccountRecord | null> {
  const text = checkText('crsAccountId', crsId);
  if (text === '') return null;
  const [row] = await em.execute<{ id: Id }[]>(BY_CRS_ID, [text]);
  return row ? findAccount(em, row.id) : null;
}

/** Newest first; five statements at most, whatever the size of the page. */
export async function accountPage(
  em: DataEntityManager,
  request: PageRequest,
  filters: AccountFilters,
): Promise<Page<AccountRecord>> {
  const { limit, offset, page } = clampPage(request);
  const options = { orderBy: { id: 'desc' }, limit, offset } as const;
  const [accounts, total] = await reader(em).findAndCount(Account, whereOf(filters), options);
  return pageOf(await hydrated(em, accounts), total, { page, limit });
}

function whereOf(filters: AccountFilters): object {
  const { platform, type, status, search } = checkGiven('filters', filters);
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  return {
    ...(platform && { platform: checkPlatform('platform', platform) }),
    ...(type && { type: checkOneOf('type', type, ACCOUNT_TYPES) }),
    ...(status && { status: checkOneOf('status', status, ACCOUNT_STATUSES) }),
    ...(pattern && { name: { $ilike: pattern } }),
  };
}

/** Active accounts in the order in which they are preferred. @throws RuleError LIST_TOO_LONG. */
export async function activeAccounts(em: DataEntityManager, where: object): Promise<AccountRecord[]> {
  const options = { orderBy: { priority: 'asc', id: 'asc' }, limit: ASKED_ROWS } as const;
  const accounts = wholeList(await reader(em).find(Account, { status: 'active', ...where }, options));
  return hydrated(em, accounts);
}

const OF_GROUP = `select a.id from account_groups b
  join groups g on g.id = b.group_id and g.deleted_at is null
  join accounts a on a.id = b.account_id and a.deleted_at is null
  where b.group_id = ? and a.status = 'active' order by b.priority, a.priority, a.id limit ?`;

/** Active accounts of a live group, as its bindings prefer them. @throws RuleError LIST_TOO_LONG. */
export async function accountsOfGroup(em: DataEntityManager, groupId: Id): Promise<AccountRecord[]> {
  const rows = await em.execute<{ id: Id }[]>(OF_GROUP, [checkId('groupId', groupId), ASKED_ROWS]);
  return accountsByIds(
    em,
    wholeList(rows).map((row) => row.id),
  );
}

/** One statement at one instant of the database. @throws RuleError LIST_TOO_LONG. */
export async function schedulableAccounts<Options extends SelectionOptions>(
  em: DataEntityManager,
  by: keyof typeof SCHEDULABLE_ACCOUNTS,
  values: readonly string[],
  options: Options | undefined,
): Promise<SelectedAccount<Options>[]> {
  const { alone, withGroups } = SCHEDULABLE_ACCOUNTS[by];
  const isAlone = options?.groups === false;
  const rows = await runPrepared<SchedulableRow>(em, isAlone ? alone : withGroups, values);
  return wholeList(rows).map(isAlone ? accountColumns : schedulableAccount) as SelectedAccount<Options>[];
}

/** The platforms as one parameter; undefined for none. @throws InvalidInputError VALIDATION. */
export function checkedPlatforms(platforms: readonly string[]): string | undefined {
  const checked = checkPlatforms('platforms', platforms);
  return checked.length === 0 ? undefined : JSON.stringify(checked);
}
