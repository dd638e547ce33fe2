import { USAGE_FIELDS } from './library.ts';

/** The SQL of the floor: what a program without any library above the driver would write. Named by their keys. */

export const column = (field: string): string =>
  field.replaceAll(/[A-Z]|\d+k/g, (part) => `_${part.toLowerCase()}`);
const list = (alias: string, fields: readonly string[], prefix = ''): string =>
  fields.map((field) => `${alias}.${column(field)} as "${prefix}${field}"`).join(', ');

const AUTH_KEY = ['id', 'userId', 'groupId', 'status', 'ipWhitelist', 'ipBlacklist'];
const AUTH_USER = ['id', 'status', 'role', 'balance', 'concurrency'];
const AUTH_GROUP = [
  'id',
  'name',
  'platform',
  'status',
  'subscriptionType',
  'rateMultiplier',
  'dailyLimitUsd',
  'weeklyLimitUsd',
  'monthlyLimitUsd',
  'imagePrice1k',
  'imagePrice2k',
  'imagePrice4k',
  'claudeCodeOnly',
  'fallbackGroupId',
  'modelRoutingEnabled',
  'modelRouting',
];
const KEY = [...AUTH_KEY.slice(0, 4), 'key', 'name', 'ipWhitelist', 'ipBlacklist', 'createdAt', 'updatedAt'];
const USER = [...AUTH_USER, 'email', 'username', 'notes', 'createdAt', 'updatedAt'];
const GROUP = [...AUTH_GROUP, 'description', 'isExclusive', 'defaultValidityDays', 'createdAt', 'updatedAt'];
const ACCOUNT = [
  'id',
  'name',
  'notes',
  'platform',
  'type',
  'credentials',
  'extra',
  'proxyId',
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
];

/** The columns that the workloads read, by the property names of the gateway's entities. */
export const FIELDS = { AUTH_KEY, AUTH_USER, AUTH_GROUP, KEY, USER, GROUP, ACCOUNT } as const;

const OWNERS = `left join users u on u.id = k.user_id and u.deleted_at is null
  left join groups g on g.id = k.group_id and g.deleted_at is null`;

export const BY_KEY = `select ${list('k', AUTH_KEY)}, ${list('u', AUTH_USER, 'u_')}, ${list('g', AUTH_GROUP, 'g_')}
  from api_keys k ${OWNERS} where k.key = $1 and k.deleted_at is null`;

/** The page size is written out: as a parameter it would be unknown to the plan that is kept. */
export const PAGE_OF_KEYS = `select t.total, ${list('k', KEY)}, ${list('u', USER, 'u_')}, ${list('g', GROUP, 'g_')}
  from (select count(*) as total from api_keys where group_id = $1 and deleted_at is null) t
  left join (
    select * from api_keys where group_id = $1 and deleted_at is null order by id desc limit 50 offset $2
  ) k on true ${OWNERS} order by k.id desc`;

const MAY_SERVE = `a.deleted_at is null and a.status = 'active' and a.schedulable
  and (a.temp_unschedulable_until is null or a.temp_unschedulable_until <= now())
  and (a.overload_until is null or a.overload_until <= now())
  and (a.rate_limit_reset_at is null or a.rate_limit_reset_at <= now())
  and (a.expires_at is null or a.expires_at > now() or not a.auto_pause_on_expired)`;

export const ACCOUNTS_OF_GROUP = `select ${list('a', ACCOUNT)} from account_groups b
  join groups g on g.id = b.group_id and g.deleted_at is null
  join accounts a on a.id = b.account_id
  where b.group_id = $1 and ${MAY_SERVE} order by b.priority, a.priority, a.id`;

/** The same with what the gateway's repository does beyond it: the live groups of each account, and proxies that are live. */
export const ACCOUNTS_WITH_GROUPS = `with chosen as materialized (
    select b.priority as binding, ${list('a', ACCOUNT)} from account_groups b
    join groups g on g.id = b.group_id and g.deleted_at is null
    join accounts a on a.id = b.account_id
    where b.group_id = $1 and ${MAY_SERVE}
      and (a.proxy_id is null or exists (select from proxies p where p.id = a.proxy_id and p.deleted_at is null))
  ), bindings as materialized (
    select b.account_id, b.group_id, b.priority from chosen c
    cross join lateral (select * from account_groups where account_id = c.id offset 0) b
  ), bound as (
    select b.account_id, array_agg(b.group_id::text order by b.priority, b.group_id) as ids
    from bindings b join groups g on g.id = b.group_id and g.deleted_at is null group by b.account_id
  ) select c.*, bound.ids as "groupIds" from chosen c left join bound on bound.account_id = c.id
  order by c.binding, c.priority, c.id`;

const USAGE_COLUMNS = USAGE_FIELDS.map(column);
const USAGE_TYPES = [
  'bigint',
  'bigint',
  'bigint',
  'bigint',
  'text',
  'text',
  'int',
  'int',
  'numeric',
  'numeric',
  'numeric',
  'int',
  'text',
  'text',
];

export const INSERT_USAGE = `insert into usage_logs (${USAGE_COLUMNS.join(', ')})
  values (${USAGE_COLUMNS.map((_, n) => `$${n + 1}`).join(', ')}) returning id`;

/** One array for each column: one text whatever the number of rows. */
export const INSERT_USAGES = `insert into usage_logs (${USAGE_COLUMNS.join(', ')})
  select * from unnest(${USAGE_TYPES.map((type, n) => `$${n + 1}::${type}[]`).join(', ')})`;

export const COPY_USAGES = `copy usage_logs (${USAGE_COLUMNS.join(', ')}) from stdin`;

export const DELETE_KEY =
  'update api_keys set deleted_at = now(), updated_at = now() where id = $1 and deleted_at is null';

export const KEYS_TO_RENAME = `select ${list('k', KEY)} from api_keys k where k.id = any ($1::bigint[]) and k.deleted_at is null`;

export const RENAME_KEYS = `update api_keys k set name = c.name, updated_at = now()
  from unnest($1::bigint[], $2::text[]) as c (id, name) where k.id = c.id and k.deleted_at is null`;

export const DEDUCT =
  'update users set balance = balance - $1::numeric, updated_at = now() where id = $2 and deleted_at is null';

/** Owner and group of a flat row as objects of their own, null where the row has none. */
export function nested(
  row: Record<string, unknown>,
): Record<string, unknown> & { user: unknown; group: unknown } {
  const own: Record<string, unknown> = {};
  const user: Record<string, unknown> = {};
  const group: Record<string, unknown> = {};
  for (const name in row) {
    if (name.startsWith('u_')) user[name.slice(2)] = row[name];
    else if (name.startsWith('g_')) group[name.slice(2)] = row[name];
    else own[name] = row[name];
  }
  return Object.assign(own, {
    user: user['id'] === null ? null : user,
    group: group['id'] === null ? null : group,
  });
}
