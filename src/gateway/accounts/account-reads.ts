import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { Proxy } from '../proxies/proxy.entity.ts';
import { AccountGroup } from './account-group.entity.ts';
import { accountRecord, type AccountRecord } from './account-record.ts';
import type { Account } from './account.entity.ts';

/**
 * Accounts with their proxies, bindings and groups: three statements whatever their number, one less where no account has
 * a proxy, and none for none.
 */
export async function hydrated(
  em: DataEntityManager,
  accounts: readonly Account[],
): Promise<AccountRecord[]> {
  if (accounts.length === 0) return [];
  const bindings = await bindingsOf(
    em,
    accounts.map((account) => account.id),
  );
  const proxies = await byId(em, Proxy, idsOf(accounts.map((account) => account.proxy?.id)));
  const groups = await byId(em, Group, idsOf([...bindings.values()].flat().map((one) => one.group.id)));
  return accounts.map((account) =>
    accountRecord(account, proxies.get(account.proxy?.id ?? ''), bindings.get(account.id) ?? [], groups),
  );
}

/** The bindings of each account by their priority, then by group. */
async function bindingsOf(em: DataEntityManager, ids: readonly Id[]): Promise<Map<Id, AccountGroup[]>> {
  const bindings = await reader(em).find(
    AccountGroup,
    { account: { $in: [...ids] } },
    { orderBy: { priority: 'asc', group: { id: 'asc' } } },
  );
  const byAccount = new Map<Id, AccountGroup[]>(ids.map((id) => [id, []]));
  for (const binding of bindings) byAccount.get(binding.account.id)?.push(binding);
  return byAccount;
}

/** The rows that are there, by id. */
async function byId<Entity extends Group | Proxy>(
  em: DataEntityManager,
  entity: new () => Entity,
  ids: Id[],
): Promise<Map<Id, Entity>> {
  if (ids.length === 0) return new Map();
  const found = await reader(em).find(entity, { id: { $in: ids } });
  return new Map(found.map((row) => [row.id, row as Entity]));
}

function idsOf(ids: readonly (Id | undefined)[]): Id[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
export function reader(em: DataEntityManager): DataEntityManager {
  return em.fork({ keepTransactionContext: true });
}
