import type { ClientBase } from 'pg';
import { withoutIndexes } from './without-indexes.ts';

/** Logs of one generation of users; each generation is followed by new users. */
export const GENERATION = { logs: 50_000, users: 500, accounts: 50, groups: 200 } as const;

/** 200 logs an hour; an older table of logs is longer, and its last ten days are the same. */
const APART = `interval '18 seconds'`;

/**
 * Log k is the k-th from the newest. Users, keys, accounts and subscriptions have the same ids whatever the number of rows,
 * the users of the last ten days from 1: so tables of different sizes hold the same rows for whoever asks for these days.
 */
const actors = (generations: number): string[] => [
  `insert into groups (name, subscription_type) select 'group ' || n, 'subscription' from generate_series(1, ${GENERATION.groups}) n`,
  `insert into users (email, password_hash, balance, updated_at)
   select 'user' || n || '@example.com', 'hash', 100, 'epoch' from generate_series(1, ${generations * GENERATION.users}) n`,
  `insert into api_keys (user_id, key, name, group_id)
   select u.id, 'sk-' || u.id, 'key', g.first + u.id % ${GENERATION.groups}
   from users u, (select min(id) as first from groups where name like 'group %') g order by u.id`,
  `insert into user_subscriptions (user_id, group_id, starts_at, expires_at, updated_at)
   select u.id, k.group_id, now(), now() + interval '30 days', 'epoch' from users u join api_keys k on k.user_id = u.id order by u.id`,
  `insert into accounts (name, platform, type)
   select 'account ' || n, 'anthropic', 'oauth' from generate_series(1, ${generations * GENERATION.accounts}) n`,
];

/** Users of a generation take turns in an order that scatters them over the pages. */
const logs = ({ rows, every = 1 }: History, until: string): string => `insert into usage_logs (
    user_id, api_key_id, account_id, group_id, subscription_id, request_id, model, input_tokens, output_tokens,
    cache_creation_tokens, cache_read_tokens, input_cost, output_cost, total_cost, actual_cost, rate_multiplier,
    billing_type, stream, duration_ms, first_token_ms, user_agent, ip_address, created_at)
  select u.id, u.id, 1 + generation * ${GENERATION.accounts} + (k / 7) % ${GENERATION.accounts}, key.group_id,
    case when (k / 3) % 5 = 0 then u.id end, md5(k::text), (array['claude', 'gpt', 'gemini', 'opus', 'haiku'])[1 + (k / 11) % 5],
    k % 977, k % 89, k % 500, k % 20000, 0.003, 0.0015, 0.0045, 0.0054, 1.2,
    case when (k / 3) % 5 = 0 then 1 else 0 end, k % 3 <> 0, k % 4000, k % 500, 'client/1.0 (external)', '203.0.113.7',
    ${until}::timestamptz - k * ${APART}
  from generate_series(${rows}, 1, -${every}) k
  cross join lateral (select (k - 1) / ${GENERATION.logs} as generation) e
  join lateral (select 1 + generation * ${GENERATION.users} + (k % ${GENERATION.users} * 7919) % ${GENERATION.users} as id offset 0) u on true
  join api_keys key on key.id = u.id and key.deleted_at is null
  order by k desc`;

const LEDGER = `insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, delta_usd, created_at)
  select id, user_id, api_key_id, subscription_id, billing_type,
    case billing_type when 1 then total_cost else actual_cost end, created_at
  from usage_logs order by id`;

/** How long the history is, and which of its logs are made. */
export interface History {
  readonly rows: number;
  /** The newest log is 18 seconds older. */
  readonly until: Date;
  /** Every how manieth log is made; a number that has no divisor in common with a generation gives each user its share. */
  readonly every?: number;
}

/**
 * Fills an empty gateway with logs and their ledger. Indexes are made after the rows, and foreign keys, which hold by the way
 * the rows are made, are not checked.
 */
export async function fillHistory(client: ClientBase, history: History): Promise<void> {
  for (const setting of SETTINGS) await client.query(`set ${setting}`);
  for (const statement of actors(Math.ceil(history.rows / GENERATION.logs))) await client.query(statement);
  await withoutIndexes(client, ['usage_logs', 'billing_usage_entries'], async () => {
    await client.query(logs(history, client.escapeLiteral(history.until.toISOString())));
    await client.query(LEDGER);
  });
  // Without VACUUM, the first read of each page would write it.
  await client.query('vacuum analyze');
}

const SETTINGS = [
  'session_replication_role = replica',
  `maintenance_work_mem = '512MB'`,
  'synchronous_commit = off',
];
