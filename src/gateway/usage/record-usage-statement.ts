import type { PreparedStatement } from '../../kit/orm/index.ts';
import { chargeSql, PAYERS } from './charge-sql.ts';
import { type NewLogSql, ONE_LOG, ONE_LOG_BY_MONTH } from './new-log-sql.ts';
import type { BillingType } from './usage-record.ts';

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
 * Log, charge and ledger in one statement, and so in one transaction and one round trip; by billing type, because a statement
 * for both would set up the update of the other at each call. No row: the request was stored before, and nothing is charged,
 * because every other part reads what the first one has inserted.
 *
 * The update waits for others that charge the same row and adds to what they have left. A row that was deleted meanwhile
 * is not charged, and the ledger says so.
 */
export const RECORD_USAGE: Readonly<Record<BillingType, PreparedStatement>> = {
  0: { name: 'tombstone_record_usage_balance', text: recordUsage(ONE_LOG, 0) },
  1: { name: 'tombstone_record_usage_subscription', text: recordUsage(ONE_LOG, 1) },
};

/** The same where the logs are divided by month. */
export const RECORD_USAGE_BY_MONTH: typeof RECORD_USAGE = {
  0: { name: 'tombstone_record_usage_balance_by_month', text: recordUsage(ONE_LOG_BY_MONTH, 0) },
  1: { name: 'tombstone_record_usage_subscription_by_month', text: recordUsage(ONE_LOG_BY_MONTH, 1) },
};

function recordUsage({ claim, log }: NewLogSql, billingType: BillingType): string {
  return `with ${claim ? `${claim}, ` : ''}log as (${log} ${chargeSql(PAYERS[billingType])}`;
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
