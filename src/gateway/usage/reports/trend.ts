import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';
import { labelSql } from './zone-sql.ts';

/** One day or hour of the application's zone; one without requests is missing. */
export interface TrendPoint {
  /** `YYYY-MM-DD`, or `YYYY-MM-DD HH:00` by the hour. */
  readonly date: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Written to the cache and read from it. */
  readonly cacheTokens: number;
  readonly totalTokens: number;
  /** The list price. */
  readonly cost: Amount;
  /** What users pay. */
  readonly actualCost: Amount;
}

const COUNTS = ['requests', 'inputTokens', 'outputTokens', 'cacheTokens', 'totalTokens'] as const;

/** The earliest first. */
export async function usageTrend(
  em: DataEntityManager,
  where: RawQueryFragment,
  granularity: string,
  zone: string,
): Promise<TrendPoint[]> {
  const rows = await em.execute<TrendPoint[]>(sql`select ${labelSql(granularity, zone)} as date,
    ${measures.requests} as requests, ${measures.inputTokens} as "inputTokens",
    ${measures.outputTokens} as "outputTokens", ${measures.cacheTokens} as "cacheTokens",
    ${measures.allTokens} as "totalTokens", ${measures.listCost} as cost, ${measures.userCost} as "actualCost"
    from usage_logs where ${where} group by 1 order by 1`);
  return rows.map((row) => withCounts(row, COUNTS));
}
