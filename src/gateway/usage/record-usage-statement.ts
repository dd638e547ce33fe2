import type { PreparedStatement } from '../../kit/orm/index.ts';
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

/** Who pays, as the parts of a statement that depend on it. */
interface Payment {
  readonly name: string;
  /** The column of the log that is charged. */
  readonly amount: string;
  /** Charges the one row, from `charge`, and gives what is left. */
  readonly update: string;
}

const BALANCE: Payment = {
  name: 'tombstone_record_usage_balance',
  amount: 'actual_cost',
  update: `update users u set balance = u.balance - c.amount, updated_at = now()
    from charge c
    where u.id = c.user_id and u.deleted_at is null and c.amount > 0
    returning u.balance`,
};

const SUBSCRIPTION: Payment = {
  name: 'tombstone_record_usage_subscription',
  amount: 'total_cost',
  update: `update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + c.amount,
      weekly_usage_usd = s.weekly_usage_usd + c.amount, monthly_usage_usd = s.monthly_usage_usd + c.amount, updated_at = now()
    from charge c, groups g
    where s.id = c.subscription_id and s.deleted_at is null and g.id = s.group_id and g.deleted_at is null
      and c.amount > 0
    returning s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd`,
};

const recording = ({ name, amount, update }: Payment): PreparedStatement => ({
  name,
  text: `with charge as (
    ${LOG} returning id, created_at, user_id, api_key_id, subscription_id, billing_type, ${amount} as amount
  ), payer as (
    ${update}
  ), entry as (
    insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, applied, delta_usd)
    select id, user_id, api_key_id, subscription_id, billing_type, exists (select from payer), amount
    from charge where amount > 0
    returning applied, delta_usd
  )
  select charge.id, charge.created_at, entry.applied, entry.delta_usd as amount, payer.*
  from charge left join entry on true left join payer on true`,
});

/**
 * Log, charge and ledger in one statement, and so in one transaction and one round trip; by billing type, because a statement
 * for both would set up the update of the other at each call. No row: the request was stored before, and nothing is charged,
 * because every other part reads what the first one has inserted.
 *
 * The update waits for others that charge the same row and adds to what they have left. A row that was deleted meanwhile
 * is not charged, and the ledger says so.
 */
export const RECORD_USAGE: Readonly<Record<BillingType, PreparedStatement>> = {
  0: recording(BALANCE),
  1: recording(SUBSCRIPTION),
};

/** What an earlier call stored for a request. */
export const STORED_USAGE: PreparedStatement = {
  name: 'tombstone_stored_usage',
  text: `select l.id, l.created_at, e.applied, e.delta_usd as amount
    from usage_logs l left join billing_usage_entries e on e.usage_log_id = l.id
    where l.request_id = $1 and l.api_key_id = $2`,
};
