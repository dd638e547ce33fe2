import type { Id } from '../../kit/columns/index.ts';
import { liveSql, type PreparedStatement } from '../../kit/orm/index.ts';
import { Group } from '../groups/group.entity.ts';
import { Proxy } from '../proxies/proxy.entity.ts';
import { ASKED_ROWS } from '../whole-list.ts';
import {
  ACCOUNT_COLUMNS,
  type AccountColumns,
  accountColumns,
  type StoredColumns,
} from './account-columns.ts';
import { Account } from './account.entity.ts';

/** An account that may serve a request now. */
export interface SchedulableAccount extends AccountColumns {
  /** Live groups that it serves, by the priority of the binding, then by id. */
  readonly groupIds: readonly Id[];
}

/** What a selection reads beside the accounts' own columns. */
export interface SelectionOptions {
  /** `false` leaves out `groupIds`, for which the server works as long as for the accounts; they are read by default. */
  readonly groups?: boolean;
}

/** An account of a selection with these options: without `groupIds` where they were not, or may not have been, asked for. */
export type SelectedAccount<Options extends SelectionOptions> = Options extends { readonly groups?: true }
  ? SchedulableAccount
  : AccountColumns;

/** A row of the statements below. */
export interface SchedulableRow extends StoredColumns {
  readonly groupIds?: readonly Id[];
}

/** The two statements of one way to ask. */
interface Selection {
  readonly withGroups: PreparedStatement;
  readonly alone: PreparedStatement;
}

// One instant for all conditions, of the statement and not of a transaction that may have begun long ago. The instant itself
// is free, but for expires_at. An account whose proxy is deleted would reach its platform without one.
const SCHEDULABLE = `${liveSql(Account, 'a')} and a.status = 'active' and a.schedulable
  and (a.temp_unschedulable_until is null or a.temp_unschedulable_until <= statement_timestamp())
  and (a.overload_until is null or a.overload_until <= statement_timestamp())
  and (a.rate_limit_reset_at is null or a.rate_limit_reset_at <= statement_timestamp())
  and (a.expires_at is null or a.expires_at > statement_timestamp() or not a.auto_pause_on_expired)
  and (a.proxy_id is null or exists (select from proxies p where p.id = a.proxy_id and ${liveSql(Proxy, 'p')}))`;

// The bindings of all accounts are joined at once: in a sub-select for each account the groups, of which there are few, would
// be read anew each time. The offset keeps the look-up by account, which a table that grows does not slow down; the two
// materialized steps keep the planner from joining the groups inside it.
const withGroupIds = (chosen: string, order: string): string => `with chosen as materialized (
    ${chosen}
  ), bindings as materialized (
    select b.account_id, b.group_id, b.priority from chosen c
    cross join lateral (select * from account_groups where account_id = c.id offset 0) b
  ), bound as (
    select b.account_id, array_agg(b.group_id::text order by b.priority, b.group_id) as ids
    from bindings b join groups g on g.id = b.group_id and ${liveSql(Group, 'g')}
    group by b.account_id
  ) select c.*, coalesce(bound.ids, '{}') as "groupIds"
  from chosen c left join bound on bound.account_id = c.id order by ${order.replaceAll('a.', 'c.')}`;

const ONE_PLATFORM = (n: number): string => `and a.platform = $${n}`;
const PLATFORMS = (n: number): string =>
  `and a.platform = any (array(select jsonb_array_elements_text($${n}::jsonb)))`;

function selection(name: string, from: string, order: string): Selection {
  const chosen = `${from} order by ${order} limit ${ASKED_ROWS}`;
  return {
    withGroups: { name, text: withGroupIds(chosen, order), readsDates: true },
    alone: { name: `${name}_alone`, text: chosen, readsDates: true },
  };
}

function ofAll(name: string, platform = ''): Selection {
  const chosen = `select ${ACCOUNT_COLUMNS} from accounts a where ${SCHEDULABLE} ${platform}`;
  return selection(`gateway_schedulable_${name}`, chosen, 'a.priority, a.id');
}

function ofGroup(name: string, platform = ''): Selection {
  const chosen = `select own.priority as binding_priority, ${ACCOUNT_COLUMNS} from account_groups own
    join groups og on og.id = own.group_id and ${liveSql(Group, 'og')}
    join accounts a on a.id = own.account_id
    where own.group_id = $1::bigint and ${SCHEDULABLE} ${platform}`;
  return selection(`gateway_schedulable_group_${name}`, chosen, 'binding_priority, a.priority, a.id');
}

/** Two statements for each way to ask, and each reads everything at one instant of the database. */
export const SCHEDULABLE_ACCOUNTS = {
  all: ofAll('all'),
  platform: ofAll('platform', ONE_PLATFORM(1)),
  platforms: ofAll('platforms', PLATFORMS(1)),
  group: ofGroup('all'),
  groupPlatform: ofGroup('platform', ONE_PLATFORM(2)),
  groupPlatforms: ofGroup('platforms', PLATFORMS(2)),
} as const;

export function schedulableAccount(row: SchedulableRow): SchedulableAccount {
  return Object.assign(accountColumns(row), { groupIds: row.groupIds ?? [] });
}
