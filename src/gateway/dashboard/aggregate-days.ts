import { raw, type RawQueryFragment, sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import type { HalfOpenRange } from '../usage/usage-range.ts';
import { BUCKET_START, dateOfSql } from './bucket-sql.ts';

/**
 * Adds up the days that the range touches, from their hours. Hours live shorter than days: days before the oldest hour keep
 * what they have, and its own day is replaced only by one that counts at least as many requests.
 */
export async function aggregateDays(
  em: DataEntityManager,
  range: HalfOpenRange,
  zone: string,
): Promise<void> {
  const span = spanSql(range, zone);
  const date = dateOfSql(BUCKET_START, zone);
  await em.execute(usersSql(span, date));
  await em.execute(sumsSql(span, date));
}

function spanSql({ start, end }: HalfOpenRange, zone: string): RawQueryFragment {
  const [from, to] = [sql`${start}::timestamptz`, sql`${end}::timestamptz`];
  const last = sql`(${to} - interval '1 microsecond')`;
  // No day of any zone is longer than 27 hours.
  return sql`span as materialized (
    select ${dateOfSql(from, zone)} as first, ${dateOfSql(last, zone)} as last, ${dateOfSql(raw('oldest'), zone)} as oldest,
      ${from} - interval '27 hours' as earliest, ${to} + interval '27 hours' as latest
    from (select min(bucket_start) as oldest from usage_dashboard_hourly) h
  )`;
}

const inSpan = (date: RawQueryFragment): RawQueryFragment => sql`bucket_start >= (select earliest from span)
  and bucket_start < (select latest from span)
  and ${date} between (select first from span) and (select last from span)`;

const EMPTIED = raw(`bucket_date between (select first from span) and (select last from span)
  and bucket_date > (select oldest from span)`);

const usersSql = (span: RawQueryFragment, date: RawQueryFragment): RawQueryFragment => sql`with ${span},
  found as materialized (
    select distinct ${date} as bucket_date, user_id from usage_dashboard_hourly_users where ${inSpan(date)}
  ), gone as (
    delete from usage_dashboard_daily_users u where ${EMPTIED}
    and not exists (select from found f where f.bucket_date = u.bucket_date and f.user_id = u.user_id)
  )
  insert into usage_dashboard_daily_users (bucket_date, user_id) select bucket_date, user_id from found
  on conflict (bucket_date, user_id) do nothing`;

const sumsSql = (span: RawQueryFragment, date: RawQueryFragment): RawQueryFragment => sql`with ${span},
  found as materialized (
    select ${date} as bucket_date, sum(total_requests) as total_requests, sum(input_tokens) as input_tokens,
      sum(output_tokens) as output_tokens, sum(cache_creation_tokens) as cache_creation_tokens,
      sum(cache_read_tokens) as cache_read_tokens, sum(total_cost) as total_cost, sum(actual_cost) as actual_cost,
      sum(total_duration_ms) as total_duration_ms
    from usage_dashboard_hourly where ${inSpan(date)} group by 1
  ), gone as (
    delete from usage_dashboard_daily d where ${EMPTIED}
    and not exists (select from found f where f.bucket_date = d.bucket_date)
  )
  insert into usage_dashboard_daily as d (bucket_date, total_requests, input_tokens, output_tokens,
    cache_creation_tokens, cache_read_tokens, total_cost, actual_cost, total_duration_ms, active_users)
  select f.*, (select count(*) from usage_dashboard_daily_users u where u.bucket_date = f.bucket_date) from found f
  on conflict (bucket_date) do update set total_requests = excluded.total_requests,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
    cache_creation_tokens = excluded.cache_creation_tokens, cache_read_tokens = excluded.cache_read_tokens,
    total_cost = excluded.total_cost, actual_cost = excluded.actual_cost,
    total_duration_ms = excluded.total_duration_ms, active_users = excluded.active_users, computed_at = now()
  where excluded.bucket_date > (select oldest from span) or excluded.total_requests >= d.total_requests`;
