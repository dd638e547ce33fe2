import { raw, type RawQueryFragment, sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import type { HalfOpenRange } from '../usage/usage-range.ts';
import { CREATED_AT, hourOfSql } from './bucket-sql.ts';

/**
 * Adds up the hours that the range touches, from the logs as they are. Logs beyond the retention are gone: hours before the
 * oldest log keep what they have, and its own hour is replaced only by one that counts at least as many requests.
 */
export async function aggregateHours(
  em: DataEntityManager,
  range: HalfOpenRange,
  zone: string,
): Promise<void> {
  const span = spanSql(range, zone);
  const hour = hourOfSql(CREATED_AT, zone);
  await em.execute(usersSql(span, hour));
  await em.execute(sumsSql(span, hour));
}

function spanSql({ start, end }: HalfOpenRange, zone: string): RawQueryFragment {
  const last = sql`(${end}::timestamptz - interval '1 microsecond')`;
  return sql`span as materialized (
    select ${hourOfSql(sql`${start}::timestamptz`, zone)} as first, ${hourOfSql(last, zone)} as last,
      ${hourOfSql(raw('oldest'), zone)} as oldest
    from (select min(created_at) as oldest from usage_logs) l
  )`;
}

/** The first two are for the index; an hour is longer than one where a clock goes back by less. */
const inSpan = (hour: RawQueryFragment): RawQueryFragment => sql`created_at >= (select first from span)
  and created_at < (select last from span) + interval '2 hours'
  and ${hour} between (select first from span) and (select last from span)`;

const EMPTIED = raw(`bucket_start between (select first from span) and (select last from span)
  and bucket_start > (select oldest from span)`);

const usersSql = (span: RawQueryFragment, hour: RawQueryFragment): RawQueryFragment => sql`with ${span},
  found as materialized (select distinct ${hour} as bucket_start, user_id from usage_logs where ${inSpan(hour)}),
  gone as (
    delete from usage_dashboard_hourly_users u where ${EMPTIED}
    and not exists (select from found f where f.bucket_start = u.bucket_start and f.user_id = u.user_id)
  )
  insert into usage_dashboard_hourly_users (bucket_start, user_id) select bucket_start, user_id from found
  on conflict (bucket_start, user_id) do nothing`;

const sumsSql = (span: RawQueryFragment, hour: RawQueryFragment): RawQueryFragment => sql`with ${span},
  found as materialized (
    select ${hour} as bucket_start, count(*) as total_requests, sum(input_tokens) as input_tokens,
      sum(output_tokens) as output_tokens, sum(cache_creation_tokens) as cache_creation_tokens,
      sum(cache_read_tokens) as cache_read_tokens, sum(total_cost) as total_cost, sum(actual_cost) as actual_cost,
      coalesce(sum(duration_ms), 0) as total_duration_ms
    from usage_logs where ${inSpan(hour)} group by 1
  ), gone as (
    delete from usage_dashboard_hourly h where ${EMPTIED}
    and not exists (select from found f where f.bucket_start = h.bucket_start)
  )
  insert into usage_dashboard_hourly as h (bucket_start, total_requests, input_tokens, output_tokens,
    cache_creation_tokens, cache_read_tokens, total_cost, actual_cost, total_duration_ms, active_users)
  select f.*, (select count(*) from usage_dashboard_hourly_users u where u.bucket_start = f.bucket_start) from found f
  on conflict (bucket_start) do update set total_requests = excluded.total_requests,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
    cache_creation_tokens = excluded.cache_creation_tokens, cache_read_tokens = excluded.cache_read_tokens,
    total_cost = excluded.total_cost, actual_cost = excluded.actual_cost,
    total_duration_ms = excluded.total_duration_ms, active_users = excluded.active_users, computed_at = now()
  where excluded.bucket_start > (select oldest from span) or excluded.total_requests >= h.total_requests`;
