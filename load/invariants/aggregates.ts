import { type Invariant, numbersOf } from './invariant.ts';

const SUMS = `count(*) as total_requests, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
  sum(total_cost) as total_cost, sum(actual_cost) as actual_cost, coalesce(sum(duration_ms), 0) as total_duration_ms,
  count(distinct user_id) as active_users`;
const COLUMNS =
  'total_requests, input_tokens, output_tokens, total_cost, actual_cost, total_duration_ms, active_users';

/** The default zone of the repositories, whose hours are those of UTC. */
const HOUR = `date_trunc('hour', created_at, 'UTC')`;
const DAY = `(created_at at time zone 'Asia/Shanghai')::date`;

const DIFFERENCES = `with hours as (
    select ${HOUR} as bucket_start, ${SUMS} from usage_logs group by 1
  ), days as (
    select ${DAY} as bucket_date, ${SUMS} from usage_logs group by 1
  ), hourly as (
    select count(*) filter (where (h.*) is distinct from (a.*)) as wrong, count(*) as buckets, sum(a.total_requests) as requests,
      sum(a.actual_cost) as cost
    from hours h full join (select bucket_start, ${COLUMNS} from usage_dashboard_hourly) a using (bucket_start)
  ), daily as (
    select count(*) filter (where (d.*) is distinct from (a.*)) as wrong, count(*) as buckets, sum(a.total_requests) as requests
    from days d full join (select bucket_date, ${COLUMNS} from usage_dashboard_daily) a using (bucket_date)
  )
  select (select count(*) from usage_logs) as logs, h.requests as "requestsOfHours", d.requests as "requestsOfDays",
    h.buckets as hours, d.buckets as days, h.wrong as "hoursThatDiffer", d.wrong as "daysThatDiffer",
    h.cost as "sumOfHours", (select sum(actual_cost) from usage_logs) as "sumOfLogs"
  from hourly h, daily d`;

/** After one more `aggregateNewLogs`, which is all that a service does. */
export const aggregates: Invariant = {
  name: 'aggregates',
  claim: 'Hours and days that were added up beforehand are what the logs add up to.',
  check: async (evidence) => {
    const numbers = await numbersOf<'logs' | 'hoursThatDiffer' | 'daysThatDiffer'>(evidence, DIFFERENCES);
    const isRight = numbers.hoursThatDiffer === 0 && numbers.daysThatDiffer === 0;
    return { holds: isRight && numbers.logs > 0, numbers };
  },
};
