import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';

/** What the requests for one model used and cost. */
export interface ModelStats {
  readonly model: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Input, output and both of the cache. */
  readonly totalTokens: number;
  /** The list price. */
  readonly cost: Amount;
  /** What users pay; the account's side, with fourteen decimals, where the report is of an account alone. */
  readonly actualCost: Amount;
}

/** Which side's cost `actualCost` is. */
export type CostSide = 'user' | 'account';

/** The model with the most tokens first. */
export async function modelStats(
  em: DataEntityManager,
  where: RawQueryFragment,
  side: CostSide,
): Promise<ModelStats[]> {
  const actualCost = side === 'account' ? measures.accountCost : measures.userCost;
  const rows = await em.execute<ModelStats[]>(sql`select model, ${measures.requests} as requests,
    ${measures.inputTokens} as "inputTokens", ${measures.outputTokens} as "outputTokens",
    ${measures.allTokens} as "totalTokens", ${measures.listCost} as cost, ${actualCost} as "actualCost"
    from usage_logs where ${where} group by model order by ${measures.allTokens} desc, model collate "C"`);
  return rows.map((row) => withCounts(row, ['requests', 'inputTokens', 'outputTokens', 'totalTokens']));
}
