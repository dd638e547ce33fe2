import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount, Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';
import { labelSql } from './zone-sql.ts';

/** What the requests of a range used and cost together. */
export interface UsageStats {
  readonly totalRequests: number;
  readonly totalInputTokens: number;
  readonly totalOutputTokens: number;
  /** Written to the cache and read from it. */
  readonly totalCacheTokens: number;
  /** The sum of the three. */
  readonly totalTokens: number;
  /** The list price. */
  readonly totalCost: Amount;
  /** What users pay. */
  readonly totalActualCost: Amount;
  readonly averageDurationMs: number;
}

/** Those of one day of the application's zone; a day without requests is missing. */
export interface DailyUsageStats extends UsageStats {
  /** `YYYY-MM-DD` */
  readonly date: string;
}

/** How a request without a duration counts in the average: as 0, or not at all. */
export type DurationAverage = 'ofAll' | 'ofMeasured';

const AVERAGES = { ofAll: measures.averageOfAll, ofMeasured: measures.averageOfMeasured } as const;

const COUNTS = [
  'totalRequests',
  'totalInputTokens',
  'totalOutputTokens',
  'totalCacheTokens',
  'totalTokens',
] as const;

const columns = (average: DurationAverage): RawQueryFragment => sql`
  ${measures.requests} as "totalRequests", ${measures.inputTokens} as "totalInputTokens",
  ${measures.outputTokens} as "totalOutputTokens", ${measures.cacheTokens} as "totalCacheTokens",
  ${measures.allTokens} as "totalTokens", ${measures.listCost} as "totalCost",
  ${measures.userCost} as "totalActualCost", ${AVERAGES[average]} as "averageDurationMs"`;

/** One statement over the rows that meet the condition. */
export async function usageStats(
  em: DataEntityManager,
  where: RawQueryFragment,
  average: DurationAverage,
): Promise<UsageStats> {
  const [row] = await em.execute<UsageStats[]>(
    sql`select ${columns(average)} from usage_logs where ${where}`,
  );
  return withCounts(row as UsageStats, COUNTS);
}

/** The same with the account's side of the cost. */
export async function usageStatsWithAccountCost(
  em: DataEntityManager,
  where: RawQueryFragment,
): Promise<UsageStats & { totalAccountCost: Amount }> {
  const [row] = await em.execute<(UsageStats & { totalAccountCost: Amount })[]>(
    sql`select ${columns('ofMeasured')}, ${measures.accountCost} as "totalAccountCost" from usage_logs where ${where}`,
  );
  return withCounts(row as UsageStats & { totalAccountCost: Amount }, COUNTS);
}

/** One entry for each day on which there was a request, the earliest first. */
export async function dailyStats(
  em: DataEntityManager,
  where: RawQueryFragment,
  zone: string,
): Promise<DailyUsageStats[]> {
  const rows = await em.execute<DailyUsageStats[]>(
    sql`select ${labelSql('day', zone)} as date, ${columns('ofAll')} from usage_logs where ${where} group by 1 order by 1`,
  );
  return rows.map((row) => withCounts(row, COUNTS));
}

/** The short form for one user. */
export interface UserStats {
  readonly totalRequests: number;
  /** Input, output and both of the cache. */
  readonly totalTokens: number;
  /** What the user pays. */
  readonly totalCost: Amount;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
}

/** One statement over the rows of the user. */
export async function userStats(
  em: DataEntityManager,
  userId: Id,
  range: RawQueryFragment,
): Promise<UserStats> {
  const { requests, allTokens, userCost, inputTokens, outputTokens, cacheReadTokens } = measures;
  const [row] = await em.execute<UserStats[]>(sql`select ${requests} as "totalRequests",
    ${allTokens} as "totalTokens", ${userCost} as "totalCost", ${inputTokens} as "inputTokens",
    ${outputTokens} as "outputTokens", ${cacheReadTokens} as "cacheReadTokens"
    from usage_logs where user_id = ${userId}::bigint and ${range}`);
  const counts = ['totalRequests', 'totalTokens', 'inputTokens', 'outputTokens', 'cacheReadTokens'] as const;
  return withCounts(row as UserStats, counts);
}
