import { sql } from '@mikro-orm/core';
import type { Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';
import { TOTALS_OF_LOGS, totalsOf, type UsageRate, usageRate, type UsageTotals } from './usage-totals.ts';
import { startOfTodaySql } from './zone-sql.ts';

/** What a user sees first. */
export interface UserDashboardStats extends UsageRate {
  /** Live keys. */
  readonly totalApiKeys: number;
  /** Live keys with the status `active`. */
  readonly activeApiKeys: number;
  /** Since the first log. */
  readonly total: UsageTotals;
  readonly today: UsageTotals;
  /** Of all requests that have a duration. */
  readonly averageDurationMs: number;
}

type Row = UsageTotals & { readonly averageDurationMs: number };

/** Three statements. */
export async function userDashboard(
  em: DataEntityManager,
  userId: Id,
  zone: string,
): Promise<UserDashboardStats> {
  const ofUser = sql`user_id = ${userId}::bigint`;
  const [total, today] = await em.execute<[Row, Row]>(sql`with today as materialized (
      select ${startOfTodaySql(zone)} as start
    )
    select 1 as part, ${TOTALS_OF_LOGS}, ${measures.averageOfMeasured} as "averageDurationMs"
      from usage_logs where ${ofUser}
    union all
    select 2, ${TOTALS_OF_LOGS}, 0 from usage_logs where ${ofUser} and created_at >= (select start from today)
    order by part`);
  return {
    ...(await keyCounts(em, userId)),
    total: totalsOf(total),
    today: totalsOf(today),
    averageDurationMs: total.averageDurationMs,
    ...(await usageRate(em, ofUser)),
  };
}

async function keyCounts(
  em: DataEntityManager,
  userId: Id,
): Promise<Pick<UserDashboardStats, 'totalApiKeys' | 'activeApiKeys'>> {
  const [row] = await em.execute<Pick<UserDashboardStats, 'totalApiKeys' | 'activeApiKeys'>[]>(
    sql`select count(*) as "totalApiKeys", count(*) filter (where status = 'active') as "activeApiKeys"
      from api_keys where user_id = ${userId}::bigint and deleted_at is null`,
  );
  return withCounts(row as UserDashboardStats, ['totalApiKeys', 'activeApiKeys']);
}
