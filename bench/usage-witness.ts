import type { Pool } from 'pg';

/** What is the same whoever has written it: without ids, instants and the request ids, which are new for every variant. */
const OF_LOGS = `select to_jsonb(l) - '{id,request_id,created_at}'::text[] as log,
    to_jsonb(e) - '{id,usage_log_id,created_at}'::text[] as entry
  from usage_logs l left join billing_usage_entries e on e.usage_log_id = l.id
  where l.id > $1 order by 1, 2`;
const BALANCES = `select id, balance from users where updated_at > $1 and deleted_at is null order by id`;
const COUNTERS = `select id, daily_usage_usd, weekly_usage_usd, monthly_usage_usd from user_subscriptions
  where updated_at > $1 and deleted_at is null order by id`;
const BEGIN = `with u as (update users set balance = 100, updated_at = 'epoch' where deleted_at is null and updated_at > 'epoch'),
    s as (update user_subscriptions set daily_usage_usd = 0, weekly_usage_usd = 0, monthly_usage_usd = 0, updated_at = 'epoch'
      where deleted_at is null and updated_at > 'epoch')
  select coalesce(max(id), 0) as last from usage_logs`;

/**
 * Does the work and reads what it left: logs with their lines of the ledger, balances and counters. Where a repetition must
 * change nothing, it is done twice.
 */
export async function witness(pool: Pool, work: () => Promise<unknown>, times: 1 | 2 = 2): Promise<unknown> {
  const { rows } = await pool.query<{ last: string }>(BEGIN);
  for (let n = 0; n < times; n += 1) await work();
  const logs = await pool.query<object>(OF_LOGS, [rows[0]?.last]);
  if (logs.rows.length === 0)
    throw new Error('The work has stored no log. Correct the workload before timing it.');
  const balances = await pool.query<object>(BALANCES, [new Date(0)]);
  const counters = await pool.query<object>(COUNTERS, [new Date(0)]);
  return JSON.stringify([logs.rows, balances.rows, counters.rows]);
}
