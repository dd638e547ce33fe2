import type { PreparedStatement } from '../../kit/orm/index.ts';
import { chargeSql, PAYERS } from './charge-sql.ts';
import { USAGE_COLUMNS } from './usage-columns.ts';
import type { BillingType } from './usage-record.ts';

const COLUMNS = USAGE_COLUMNS.map(({ column }) => column).join(', ');

const VALUES = USAGE_COLUMNS.map(({ type, absent }, index) => {
  const parameter = `$${index + 1}::${type}`;
  return absent === undefined ? parameter : `coalesce(${parameter}, ${absent})`;
}).join(', ');

const LOG = `insert into usage_logs (${COLUMNS}) values (${VALUES})
  on conflict (request_id, api_key_id) do nothing`;

/** The log alone. No row: the request was stored before. */
export const INSERT_LOG: PreparedStatement = {
  name: 'tombstone_usage_log',
  text: `${LOG} returning id, created_at`,
};

/**
 * Log, charge and ledger in one statement, and so in one transaction and one round trip; by billing type, because a statement
 * for both would set up the update of the other at each call. No row: the request was stored before, and nothing is charged,
 * because every other part reads what the first one has inserted.
 *
 * The update waits for others that charge the same row and adds to what they have left. A row that was deleted meanwhile
 * is not charged, and the ledger says so.
 */
export const RECORD_USAGE: Readonly<Record<BillingType, PreparedStatement>> = {
  0: { name: 'tombstone_record_usage_balance', text: `with log as (${LOG} ${chargeSql(PAYERS[0])}` },
  1: { name: 'tombstone_record_usage_subscription', text: `with log as (${LOG} ${chargeSql(PAYERS[1])}` },
};

/** What an earlier call stored for a request. */
export const STORED_USAGE: PreparedStatement = {
  name: 'tombstone_stored_usage',
  text: `select l.id, l.created_at, e.applied, e.delta_usd as amount
    from usage_logs l left join billing_usage_entries e on e.usage_log_id = l.id
    where l.request_id = $1 and l.api_key_id = $2`,
};
