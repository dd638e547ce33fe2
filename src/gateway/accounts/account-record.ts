import type { Amount, Id } from '../../kit/columns/index.ts';
import { groupRecord, type GroupRecord } from '../groups/group-record.ts';
import { proxyRecord, type ProxyRecord } from '../proxies/proxy-record.ts';
import type { Platform } from '../platforms.ts';
import {
  type AccountColumns,
  accountColumns,
  type AccountStatus,
  type AccountType,
} from './account-columns.ts';
import type { AccountGroup } from './account-group.entity.ts';
import type { Account } from './account.entity.ts';
import type { Proxy } from '../proxies/proxy.entity.ts';
import type { Group } from '../groups/group.entity.ts';

/** A binding to a group, which may be deleted. */
export interface AccountBinding {
  readonly groupId: Id;
  readonly priority: number;
  readonly createdAt: Date;
}

/** An account with what it belongs to. */
export interface AccountRecord extends AccountColumns {
  /** Null without a proxy and where it is deleted; `isProxyDeleted` tells the two apart. */
  readonly proxy: ProxyRecord | null;
  /** The account must not be used: it would reach its platform without the proxy that it was given. */
  readonly isProxyDeleted: boolean;
  /** Live groups by the priority of the binding, then by id. */
  readonly groups: readonly GroupRecord[];
  /** Ids of `groups`. */
  readonly groupIds: readonly Id[];
  /** All bindings in the same order, those to deleted groups too. */
  readonly accountGroups: readonly AccountBinding[];
}

interface WritableColumns {
  readonly name: string;
  readonly notes: string | null;
  readonly platform: Platform;
  readonly type: AccountType;
  readonly proxyId: Id | null;
  readonly concurrency: number;
  readonly priority: number;
  readonly rateMultiplier: Amount;
  readonly status: AccountStatus;
  readonly errorMessage: string | null;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly autoPauseOnExpired: boolean;
  readonly schedulable: boolean;
  readonly rateLimitedAt: Date | null;
  readonly rateLimitResetAt: Date | null;
  readonly overloadUntil: Date | null;
  readonly tempUnschedulableUntil: Date | null;
  readonly tempUnschedulableReason: string | null;
  readonly sessionWindowStart: Date | null;
  readonly sessionWindowEnd: Date | null;
  readonly sessionWindowStatus: string | null;
}

/** What a new account needs; what is left out has the column's default. */
export interface NewAccount extends Partial<WritableColumns> {
  readonly name: string;
  readonly platform: Platform;
  readonly type: AccountType;
  readonly credentials?: Readonly<Record<string, unknown>> | null;
  readonly extra?: Readonly<Record<string, unknown>> | null;
  /** Groups that the caller binds next: the event names them, and `create` binds none. */
  readonly groupIds?: readonly Id[];
}

/** Changes of the two JSON columns, made in the database: what others change at the same time stays. */
export interface JsonChange {
  /** Each key replaces what is stored under it, nested objects whole; null stores JSON null. */
  readonly credentials?: Readonly<Record<string, unknown>>;
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Keys to take out first. */
  readonly removeCredentials?: readonly string[];
  readonly removeExtra?: readonly string[];
}

/** What is left out stays; null clears a column that may be empty. */
export interface AccountChange extends Partial<WritableColumns>, JsonChange {
  readonly id: Id;
}

/** The same change for many accounts; a proxy of null, or '0', takes theirs away. */
export interface BulkAccountChange
  extends
    Partial<
      Pick<
        WritableColumns,
        'name' | 'proxyId' | 'concurrency' | 'priority' | 'rateMultiplier' | 'status' | 'schedulable'
      >
    >,
    JsonChange {}

/** Filters of a list; what is left out, null or empty filters nothing. */
export interface AccountFilters {
  readonly platform?: Platform;
  readonly type?: AccountType;
  readonly status?: AccountStatus;
  /** Part of the name, in any case. */
  readonly search?: string;
}

export function accountRecord(
  account: Account,
  proxy: Proxy | undefined,
  bindings: readonly AccountGroup[],
  liveGroups: ReadonlyMap<Id, Group>,
): AccountRecord {
  const proxyId = account.proxy?.id ?? null;
  const groups = bindings.flatMap((binding) => liveGroups.get(binding.group.id) ?? []).map(groupRecord);
  // Assigned, not spread: a copy would lose the credentials, which are not enumerable.
  return Object.assign(accountColumns({ ...own(account), proxyId } as never), {
    proxy: proxy ? proxyRecord(proxy) : null,
    isProxyDeleted: proxyId !== null && !proxy,
    groups,
    groupIds: groups.map((group) => group.id),
    accountGroups: bindings.map(({ group, priority, createdAt }) => ({
      groupId: group.id,
      priority,
      createdAt,
    })),
  });
}

/** The columns of an entity, by name: those of a spread entity would be its enumerable ones only. */
function own(account: Account): object {
  return Object.fromEntries(OWN.map((name) => [name, account[name]]));
}

const OWN = [
  'id',
  'name',
  'notes',
  'platform',
  'type',
  'credentials',
  'extra',
  'concurrency',
  'priority',
  'rateMultiplier',
  'status',
  'errorMessage',
  'lastUsedAt',
  'expiresAt',
  'autoPauseOnExpired',
  'schedulable',
  'rateLimitedAt',
  'rateLimitResetAt',
  'overloadUntil',
  'tempUnschedulableUntil',
  'tempUnschedulableReason',
  'sessionWindowStart',
  'sessionWindowEnd',
  'sessionWindowStatus',
  'createdAt',
  'updatedAt',
] as const;
