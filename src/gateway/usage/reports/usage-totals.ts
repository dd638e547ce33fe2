import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';

/** Everything that a dashboard adds up. */
export interface UsageTotals {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheReadTokens: number;
  /** The sum of the four. */
  readonly totalTokens: number;
  /** The list price. */
  readonly cost: Amount;
  /** What users pay. */
  readonly actualCost: Amount;
}

/** Requests and tokens of one minute: a fifth of the last five, cut to a whole number. */
export interface UsageRate {
  readonly rpm: number;
  /** Input and output. */
  readonly tpm: number;
}

const TOTAL_COUNTS = [
  'requests',
  'inputTokens',
  'outputTokens',
  'cacheCreationTokens',
  'cacheReadTokens',
  'totalTokens',
] as const;

/** The columns of {@link UsageTotals} over usage logs. */
export const TOTALS_OF_LOGS = sql`${measures.requests} as requests, ${measures.inputTokens} as "inputTokens",
  ${measures.outputTokens} as "outputTokens", ${measures.cacheCreationTokens} as "cacheCreationTokens",
  ${measures.cacheReadTokens} as "cacheReadTokens", ${measures.allTokens} as "totalTokens",
  ${measures.listCost} as cost, ${measures.userCost} as "actualCost"`;

/** The row without the columns that are not totals. */
export function totalsOf(row: UsageTotals): UsageTotals {
  const { requests, inputTokens, outputTokens, cacheCreationTokens, cacheReadTokens, totalTokens } = row;
  const { cost, actualCost } = row;
  const counts = { requests, inputTokens, outputTokens, cacheCreationTokens, cacheReadTokens, totalTokens };
  return withCounts({ ...counts, cost, actualCost }, TOTAL_COUNTS);
}

/** Of the rows of the last five minutes that meet the condition. */
export async function usageRate(em: DataEntityManager, where: RawQueryFragment): Promise<UsageRate> {
  const [row] = await em.execute<UsageRate[]>(sql`select count(*) / 5 as rpm,
    div(coalesce(sum(input_tokens::bigint + output_tokens), 0), 5) as tpm
    from usage_logs where created_at >= now() - interval '5 minutes' and ${where}`);
  return withCounts(row as UsageRate, ['rpm', 'tpm']);
}
