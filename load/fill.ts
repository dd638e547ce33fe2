import { MikroORM } from '@mikro-orm/core';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway, gatewayRepositories } from 'tombstone/gateway';

/** How many rows there are of each kind, dead ones included. */
export interface DataSize {
  readonly users: number;
  readonly groups: number;
  readonly accounts: number;
  readonly proxies: number;
  readonly logs: number;
}

export const FULL: DataSize = { users: 8000, groups: 60, accounts: 1200, proxies: 80, logs: 120_000 };
export const QUICK: DataSize = { users: 400, groups: 24, accounts: 120, proxies: 20, logs: 2000 };

/** The first users are those that many callers charge at once, each by several keys. */
export const HOT_USERS = 4;
const KEYS_OF_USER = 3;
const HISTORY_DAYS = 3;

/** Between which the accounts are divided. */
export const PLATFORMS = ['anthropic', 'openai', 'gemini', 'antigravity'] as const;

/** 30 % of the rows, scattered; what the hot users need is live. */
const dead = (live: number): string =>
  `case when n > ${live} and (n * 7919 / 64) % 10 in (1, 4, 7) then now() - interval '1 day' end`;

/** Every third group is sold by subscription; the user's own is among the first ones for the hot users. */
const subscribedGroup = (user: string, groups: number): string =>
  `3 * (1 + (${user} - 1) % ${Math.floor(groups / 3)})`;

function statements({ users, groups, accounts, proxies, logs }: DataSize): string[] {
  const keys = KEYS_OF_USER * users;
  const group = (n: string): string => `(select id from groups where name = 'group ' || ${n})`;
  return [
    `insert into groups (name, platform, subscription_type, rate_multiplier, deleted_at)
     select 'group ' || n, 'anthropic', case n % 3 when 0 then 'subscription' else 'standard' end, 1 + (n % 4) * 0.25,
       ${dead(3 * HOT_USERS)} from generate_series(1, ${groups}) n`,
    `insert into users (email, password_hash, username, balance, deleted_at)
     select 'user' || n || '@example.com', 'not a real hash', 'user ' || n, 100 + n % 100, ${dead(HOT_USERS)}
     from generate_series(1, ${users}) n`,
    `insert into api_keys (user_id, key, name, group_id, deleted_at)
     select u.id, 'sk-load-' || n, 'key ' || n, g.id, case when (n - 1) % ${users} >= ${HOT_USERS} then ${dead(0)} end
     from generate_series(1, ${keys}) n
     join users u on u.username = 'user ' || (1 + (n - 1) % ${users})
     join groups g on g.name = 'group ' || case when (n - 1) / ${users} = 0
       then ${subscribedGroup(`(1 + (n - 1) % ${users})`, groups)} else 1 + (n * 2) % ${groups} end
     /* soft-delete: all rows, because keys of deleted users are part of the data */`,
    `insert into user_subscriptions (user_id, group_id, starts_at, expires_at, daily_window_start, weekly_window_start,
       monthly_window_start, daily_usage_usd, weekly_usage_usd, monthly_usage_usd, deleted_at)
     select u.id, ${group(subscribedGroup('n', groups))}, now() - interval '5 days', now() + interval '25 days', w.start, w.start,
       w.start, w.used, 2 * w.used, 3 * w.used, ${dead(HOT_USERS)}
     from generate_series(1, ${users}) n join users u on u.username = 'user ' || n,
       lateral (select case n % 3 when 0 then null when 1 then now() - interval '25 hours' else now() end as start,
         case n % 3 when 0 then 0 else 1.2345678901 end as used) w
     /* soft-delete: all rows, because subscriptions of deleted users are part of the data */`,
    `insert into user_allowed_groups (user_id, group_id)
     select distinct user_id, group_id from api_keys where user_id % 2 = 0
     /* soft-delete: all rows, because sets keep what is deleted */`,
    `insert into proxies (name, protocol, host, port, deleted_at)
     select 'proxy ' || n, 'http', '10.0.0.' || n, 8080, ${dead(0)} from generate_series(1, ${proxies}) n`,
    `insert into accounts (name, platform, type, proxy_id, priority, credentials, deleted_at)
     select 'account ' || n, (array['${PLATFORMS.join("', '")}'])[1 + n % ${PLATFORMS.length}], 'oauth',
       case n % 2 when 0 then (select id from proxies where name = 'proxy ' || 1 + n % ${proxies}) end, n % 7,
       jsonb_build_object('access_token', repeat('x', 200)), ${dead(groups)} from generate_series(1, ${accounts}) n
     /* soft-delete: all rows, because accounts behind deleted proxies are part of the data */`,
    // The first account of each group has no proxy that could go, and is not deleted in the run: the group can always be served.
    `update accounts set proxy_id = null, extra = '{"load": "kept"}' where id <= (select min(id) + ${groups - 1} from accounts
     /* soft-delete: all rows, because ids are counted */) and deleted_at is null`,
    `insert into account_groups (account_id, group_id, priority)
     select distinct on (a.id, g.id) a.id, g.id, k from generate_series(1, ${accounts}) n cross join generate_series(0, 2) k
     join accounts a on a.name = 'account ' || n
     join groups g on g.name = 'group ' || 1 + (n - 1 + k * 7) % ${groups}
     /* soft-delete: all rows, because bindings of deleted accounts and groups are part of the data */`,
    `insert into usage_logs (user_id, api_key_id, account_id, group_id, request_id, model, input_tokens, output_tokens, total_cost,
       actual_cost, duration_ms, created_at)
     select k.user_id, k.id, a.id, k.group_id, 'history-' || n, 'model ' || n % 5, n % 4000, n % 900, 0.0123456789, 0.01,
       n % 30000, now() - interval '1 minute' - n * (interval '${HISTORY_DAYS} days' / ${logs})
     from generate_series(1, ${logs}) n
     join api_keys k on k.key = 'sk-load-' || 1 + n * 17 % ${keys}
     join accounts a on a.name = 'account ' || 1 + n * 13 % ${accounts}
     /* soft-delete: all rows, because logs of deleted keys and accounts stay */`,
    `insert into billing_usage_entries (usage_log_id, user_id, api_key_id, billing_type, delta_usd, created_at)
     select id, user_id, api_key_id, 0, actual_cost, created_at from usage_logs`,
    'analyze',
  ];
}

/** Fills a migrated gateway database, with its statistics added up until now. */
export async function fill(url: string, size: DataSize): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // Joins of generated numbers are of no use to the planner as it guesses them.
    await client.query('set enable_nestloop = off');
    for (const statement of statements(size)) await client.query(statement);
  } finally {
    await client.end();
  }
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  try {
    await gatewayRepositories(orm.em.fork()).dashboardAggregation.aggregateNewLogs();
  } finally {
    await orm.close();
  }
}
