import type { PreparedStatement } from '../../kit/orm/index.ts';
import { type NewLogSql, ONE_LOG, ONE_LOG_BY_MONTH } from './new-log-sql.ts';

/** The log alone. No row: the request was stored before. */
export const INSERT_LOG: PreparedStatement = {
  name: 'tombstone_usage_log',
  text: insertLog(ONE_LOG),
};

/** The same where the logs are divided by month. */
export const INSERT_LOG_BY_MONTH: PreparedStatement = {
  name: 'tombstone_usage_log_by_month',
  text: insertLog(ONE_LOG_BY_MONTH),
};

function insertLog({ claim, log }: NewLogSql): string {
  return `${claim ? `with ${claim} ` : ''}${log} returning id, created_at`;
}

/**
 * Log, charge and ledger in one statement, and so in one transaction and one round trip. No row: the request was stored
 * before, and nothing is charged, because every other part reads what the first one has inserted.
 *
 * The update waits for others that charge the same row and adds to what they have left. A row that was deleted meanwhile
 * is not charged, and the ledger says so.
 */
export const RECORD_USAGE: PreparedStatement = {
  name: 'tombstone_record_usage',
  text: recordUsage(ONE_LOG),
};

/** The same where the logs are divided by month. */
export const RECORD_USAGE_BY_MONTH: PreparedStatement = {
  name: 'tombstone_record_usage_by_month',
  text: recordUsage(ONE_LOG_BY_MONTH),
};

function recordUsage({ claim, log }: NewLogSql): string {
  return `with ${claim ? `${claim}, ` : ''}log as (
    ${log} returning id, created_at, user_id, api_key_id, subscription_id, billing_type, total_cost, actual_cost
  ), charge as (
    select id, user_id, api_key_id, subscription_id, billing_type,
      case billing_type when 1 then total_cost else actual_cost end as amount
    from log
  ), payer as (
    update users u set balance = u.balance - c.amount, updated_at = now()
    from charge c
    where u.id = c.user_id and u.deleted_at is null and c.billing_type = 0 and c.amount > 0
    returning u.balance
  ), counter as (
    update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + c.amount,
      weekly_usage_usd = s.weekly_usage_usd + c.amount, monthly_usage_usd = s.monthly_usage_usd + c.amount, updated_at = now()
    from charge c, groups g
    where s.id = c.subscription_id and s.deleted_at is null and g.id = s.group_id and g.deleted_at is null
      and c.billing_type = 1 and c.amount > 0
    returning s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd
  ), entry as (
    insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, applied, delta_usd)
    select id, user_id, api_key_id, subscription_id, billing_type,
      exists (select from payer) or exists (select from counter), amount
    from charge where amount > 0
    returning applied, delta_usd
  )
  select log.id, log.created_at, entry.applied, entry.delta_usd as amount, payer.balance,
    counter.daily_usage_usd, counter.weekly_usage_usd, counter.monthly_usage_usd
  from log left join entry on true left join payer on true left join counter on true`;
}

/** What an earlier call stored for a request. */
export const STORED_USAGE: PreparedStatement = {
  name: 'tombstone_stored_usage',
  text: `select l.id, l.created_at, e.applied, e.delta_usd as amount
    from usage_logs l left join billing_usage_entries e on e.usage_log_id = l.id
    where l.request_id = $1 and l.api_key_id = $2`,
};

/** The same where the logs are divided by month: the claim knows in which one the log is. */
export const STORED_USAGE_BY_MONTH: PreparedStatement = {
  name: 'tombstone_stored_usage_by_month',
  text: `select l.id, l.created_at, e.applied, e.delta_usd as amount
    from usage_request_ids c join usage_logs l on l.id = c.usage_log_id and l.created_at = c.created_at
    left join billing_usage_entries e on e.usage_log_id = l.id
    where c.request_id = $1 and c.api_key_id = $2`,
};
