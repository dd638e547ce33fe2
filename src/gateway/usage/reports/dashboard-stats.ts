import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { entityCounts, type EntityCounts } from './entity-counts.ts';
import { measures, withCounts } from './measures.ts';
import { TOTALS_OF_LOGS, totalsOf, type UsageRate, usageRate, type UsageTotals } from './usage-totals.ts';
import { todaySql } from './zone-sql.ts';

/** What an administrator sees first. */
export interface DashboardStats extends EntityCounts, UsageRate {
  /** Of all aggregated days, or of the range. */
  readonly total: UsageTotals;
  /** Of the aggregated hours of today. */
  readonly today: UsageTotals;
  /** Of what `total` counts; a request without a duration counts as one of 0. */
  readonly averageDurationMs: number;
  /** Users with a request in the aggregated hours of today. */
  readonly activeUsers: number;
  /** Users with a request in the aggregated part of this hour. */
  readonly hourlyActiveUsers: number;
  /** Until when logs are aggregated: what came later is missing in whatever is aggregated. */
  readonly aggregatedUntil: Date;
}

type Averaged = UsageTotals & { readonly averageDurationMs: number };

type Activity = Pick<DashboardStats, 'activeUsers' | 'hourlyActiveUsers' | 'aggregatedUntil'>;

/** Totals, with the activity, which is the same on every row. */
type Row = Averaged & Activity & { readonly until: number };

const OF_DAYS = sql`coalesce(sum(total_requests), 0) as requests, coalesce(sum(input_tokens), 0) as "inputTokens",
  coalesce(sum(output_tokens), 0) as "outputTokens", coalesce(sum(cache_creation_tokens), 0) as "cacheCreationTokens",
  coalesce(sum(cache_read_tokens), 0) as "cacheReadTokens",
  coalesce(sum(input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens), 0) as "totalTokens",
  round(coalesce(sum(total_cost), 0), 10) as cost, round(coalesce(sum(actual_cost), 0), 10) as "actualCost",
  coalesce(sum(total_duration_ms) / nullif(sum(total_requests), 0), 0)::float8 as "averageDurationMs"`;

/** Three statements, one more with a range; `range` is a condition on usage logs, which then give the total. */
export async function dashboardStats(
  em: DataEntityManager,
  zone: string,
  range?: RawQueryFragment,
): Promise<DashboardStats> {
  const [ofDays, today] = await em.execute<[Row, Row]>(aggregatedSql(zone));
  const total = range ? await totalOf(em, range) : ofDays;
  return {
    ...(await entityCounts(em, zone)),
    total: totalsOf(total),
    today: totalsOf(today),
    averageDurationMs: total.averageDurationMs,
    ...activityOf(ofDays),
    ...(await usageRate(em, sql`true`)),
  };
}

// In one statement: asked for later, the watermark may be that of an aggregation whose logs are not in the totals.
const aggregatedSql = (zone: string): RawQueryFragment => sql`with activity as (select
    coalesce((select active_users from usage_dashboard_daily where bucket_date = ${todaySql(zone)}), 0) as "activeUsers",
    coalesce((select active_users from usage_dashboard_hourly where bucket_start > now() - interval '1 hour'
      and bucket_start <= now() order by bucket_start desc limit 1), 0) as "hourlyActiveUsers",
    coalesce((select extract(epoch from last_aggregated_at) from usage_dashboard_aggregation_watermark where id = 1), 0)
      ::float8 as until
  ), totals as (
    select 1 as part, ${OF_DAYS} from usage_dashboard_daily
    union all
    select 2, ${OF_DAYS} from usage_dashboard_daily where bucket_date = ${todaySql(zone)}
  )
  select totals.*, activity.* from totals cross join activity order by part`;

async function totalOf(em: DataEntityManager, range: RawQueryFragment): Promise<Averaged> {
  const [row] = await em.execute<Averaged[]>(
    sql`select ${TOTALS_OF_LOGS}, ${measures.averageOfAll} as "averageDurationMs" from usage_logs where ${range}`,
  );
  return row as Averaged;
}

function activityOf({ activeUsers, hourlyActiveUsers, until }: Row): Activity {
  const counts = withCounts({ activeUsers, hourlyActiveUsers }, ['activeUsers', 'hourlyActiveUsers']);
  return { ...counts, aggregatedUntil: new Date(until * 1000) };
}
