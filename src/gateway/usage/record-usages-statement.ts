import type { PreparedStatement } from '../../kit/orm/index.ts';
import { USAGE_COLUMNS } from './usage-columns.ts';

const COLUMNS = USAGE_COLUMNS.map(({ column }) => column).join(', ');
const ARRAYS = USAGE_COLUMNS.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
const VALUES = USAGE_COLUMNS.map(({ column, absent }) =>
  absent === undefined ? column : `coalesce(${column}, ${absent})`,
).join(', ');

/**
 * As for one request, for many: the parameters are arrays, one for each column.
 *
 * Logs go in by key and request, users and then subscriptions are locked by id before any of them is changed: two batches
 * that have several of them in common wait for each other in one order. PostgreSQL runs the parts as they are asked for, by a log
 * of the one or of the other; so the lock of subscriptions asks for the charges of users. Each row is changed once, by the sum
 * of its charges, which comes with the lock: the planner takes a batch for a few rows, and would compare all with all.
 */
export const RECORD_USAGES: PreparedStatement = {
  name: 'tombstone_record_usages',
  text: `with given (${COLUMNS}) as (
    select * from unnest(${ARRAYS})
  ), log as (
    insert into usage_logs (${COLUMNS}) select ${VALUES} from given order by api_key_id, request_id
    on conflict (request_id, api_key_id) do nothing
    returning id, created_at, user_id, api_key_id, request_id, subscription_id, billing_type,
      case billing_type when 1 then total_cost else actual_cost end as amount
  ), owed as (
    select user_id, sum(amount) as amount from log where billing_type = 0 and amount > 0 group by user_id
  ), counted as (
    select subscription_id, sum(amount) as amount from log where billing_type = 1 and amount > 0 group by subscription_id
  ), locked_user as materialized (
    select u.id, o.amount from owed o join users u on u.id = o.user_id
    where u.deleted_at is null order by u.id for no key update of u
  ), payer as (
    update users u set balance = u.balance - l.amount, updated_at = now()
    from locked_user l where u.id = l.id and u.deleted_at is null
    returning u.id
  ), locked_subscription as materialized (
    select s.id, c.amount from counted c join user_subscriptions s on s.id = c.subscription_id
    join groups g on g.id = s.group_id and g.deleted_at is null
    where s.deleted_at is null and (select count(*) from payer) >= 0 order by s.id for no key update of s
  ), counter as (
    update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + l.amount,
      weekly_usage_usd = s.weekly_usage_usd + l.amount, monthly_usage_usd = s.monthly_usage_usd + l.amount, updated_at = now()
    from locked_subscription l where s.id = l.id and s.deleted_at is null
    returning s.id
  ), entry as (
    insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, applied, delta_usd)
    select id, user_id, api_key_id, subscription_id, billing_type,
      case billing_type when 1 then subscription_id in (select id from counter) else user_id in (select id from payer) end,
      amount
    from log where amount > 0
    returning usage_log_id, applied, delta_usd
  )
  select log.id, log.created_at, log.request_id, log.api_key_id, entry.applied, entry.delta_usd as amount
  from log left join entry on entry.usage_log_id = log.id`,
};

/** What earlier calls stored for several requests: arrays of request ids and of keys. */
export const STORED_USAGES: PreparedStatement = {
  name: 'tombstone_stored_usages',
  text: `select l.id, l.created_at, l.request_id, l.api_key_id, e.applied, e.delta_usd as amount
    from unnest($1::text[], $2::bigint[]) as asked (request_id, api_key_id)
    join usage_logs l on l.request_id = asked.request_id and l.api_key_id = asked.api_key_id
    left join billing_usage_entries e on e.usage_log_id = l.id`,
};
