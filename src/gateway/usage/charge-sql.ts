/** Who pays for a request, as the parts of a statement that depend on it. */
interface Payer {
  /** The column of the log that is charged. */
  readonly amount: string;
  /** Charges the one row of `log`, and gives what is left. */
  readonly update: string;
}

const USER: Payer = {
  amount: 'actual_cost',
  update: `update users u set balance = u.balance - log.amount, updated_at = now()
    from log
    where u.id = log.user_id and u.deleted_at is null and log.amount > 0
    returning u.balance`,
};

const SUBSCRIPTION: Payer = {
  amount: 'total_cost',
  update: `update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + log.amount,
      weekly_usage_usd = s.weekly_usage_usd + log.amount, monthly_usage_usd = s.monthly_usage_usd + log.amount, updated_at = now()
    from log, groups g
    where s.id = log.subscription_id and s.deleted_at is null and g.id = s.group_id and g.deleted_at is null
      and log.amount > 0
    returning s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd`,
};

/** By billing type. */
export const PAYERS = { 0: USER, 1: SUBSCRIPTION } as const;

/** What follows `with log as (` where the log goes in: what it returns, the charge, the ledger and the answer. */
export const chargeSql = ({ amount, update }: Payer): string => `
    returning id, created_at, user_id, api_key_id, subscription_id, billing_type, ${amount} as amount
  ), payer as (
    ${update}
  ), entry as (
    insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, applied, delta_usd)
    select id, user_id, api_key_id, subscription_id, billing_type, exists (select from payer), amount
    from log where amount > 0
    returning applied, delta_usd
  )
  select log.id, log.created_at, entry.applied, entry.delta_usd as amount, payer.*
  from log left join entry on true left join payer on true`;
