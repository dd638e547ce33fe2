import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount, Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { measures, withCounts } from './measures.ts';
import { labelSql } from './zone-sql.ts';

/** One user on one day or in one hour. */
export interface UserTrendPoint {
  readonly date: string;
  readonly userId: Id;
  /** Also of a deleted user; empty when there is no row of the user. */
  readonly email: string;
  readonly requests: number;
  readonly tokens: number;
  /** The list price. */
  readonly cost: Amount;
  /** What the user pays. */
  readonly actualCost: Amount;
}

/** One key on one day or in one hour. */
export interface ApiKeyTrendPoint {
  readonly date: string;
  readonly apiKeyId: Id;
  /** Also of a deleted key; empty when there is no row of the key. */
  readonly keyName: string;
  readonly requests: number;
  readonly tokens: number;
}

/** Which rows, in which labels, and how many users or keys. */
export interface TopTrend {
  readonly range: RawQueryFragment;
  readonly granularity: string;
  readonly zone: string;
  readonly limit: number;
}

/** The users with the most tokens in the range; by date, then by tokens descending, then by id descending. */
export async function topUsersTrend(em: DataEntityManager, top: TopTrend): Promise<UserTrendPoint[]> {
  const { requests, allTokens, listCost, userCost } = measures;
  const rows = await em.execute<UserTrendPoint[]>(sql`with top as materialized (
      select user_id from usage_logs where ${top.range} group by 1 order by ${allTokens} desc, 1 desc limit ${top.limit}
    ), points as (
      select ${labelSql(top.granularity, top.zone)} as date, user_id, ${requests} as requests, ${allTokens} as tokens,
        ${listCost} as cost, ${userCost} as actual_cost
      from usage_logs where ${top.range} and user_id in (select user_id from top) group by 1, 2
    )
    select date, user_id as "userId", coalesce(u.email, '') as email, requests, tokens, cost, actual_cost as "actualCost"
    from points left join users u on u.id = user_id
    /* soft-delete: all rows, because what a deleted user cost is shown under the user's name */
    order by date, tokens desc, user_id desc`);
  return rows.map((row) => withCounts(row, ['requests', 'tokens']));
}

/** The keys with the most tokens in the range, in the same order. */
export async function topApiKeysTrend(em: DataEntityManager, top: TopTrend): Promise<ApiKeyTrendPoint[]> {
  const { requests, allTokens } = measures;
  const rows = await em.execute<ApiKeyTrendPoint[]>(sql`with top as materialized (
      select api_key_id from usage_logs where ${top.range} group by 1 order by ${allTokens} desc, 1 desc limit ${top.limit}
    ), points as (
      select ${labelSql(top.granularity, top.zone)} as date, api_key_id, ${requests} as requests, ${allTokens} as tokens
      from usage_logs where ${top.range} and api_key_id in (select api_key_id from top) group by 1, 2
    )
    select date, api_key_id as "apiKeyId", coalesce(k.name, '') as "keyName", requests, tokens
    from points left join api_keys k on k.id = api_key_id
    /* soft-delete: all rows, because what a deleted key used is shown under the key's name */
    order by date, tokens desc, api_key_id desc`);
  return rows.map((row) => withCounts(row, ['requests', 'tokens']));
}
