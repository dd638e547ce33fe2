import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount, Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';

/** What an account served since an instant, without an upper bound. */
export interface AccountWindowStats {
  readonly requests: number;
  /** Input, output and both of the cache. */
  readonly tokens: number;
  /** The account's side, with fourteen decimals. */
  readonly cost: Amount;
  /** The list price. */
  readonly standardCost: Amount;
  /** What users pay. */
  readonly userCost: Amount;
}

/** One aggregate over the index range of the account; `since` is an instant as SQL. */
export async function accountWindow(
  em: DataEntityManager,
  accountId: Id,
  since: RawQueryFragment,
): Promise<AccountWindowStats> {
  const [row] = await em.execute<AccountWindowStats[]>(sql`select ${measures.requests} as requests,
    ${measures.allTokens} as tokens, ${measures.accountCost} as cost, ${measures.listCost} as "standardCost",
    ${measures.userCost} as "userCost"
    from usage_logs where account_id = ${accountId}::bigint and created_at >= ${since}`);
  return withCounts(row as AccountWindowStats, ['requests', 'tokens']);
}
