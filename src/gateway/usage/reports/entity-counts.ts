import { sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { withCounts } from './measures.ts';
import { startOfTodaySql } from './zone-sql.ts';

/** How many live users, keys and accounts there are. */
export interface EntityCounts {
  readonly totalUsers: number;
  /** Since midnight of the application's zone. */
  readonly todayNewUsers: number;
  readonly totalApiKeys: number;
  readonly activeApiKeys: number;
  readonly totalAccounts: number;
  /** Active and schedulable. */
  readonly normalAccounts: number;
  readonly errorAccounts: number;
  /** Until an instant to come. */
  readonly rateLimitedAccounts: number;
  /** Until an instant to come. */
  readonly overloadedAccounts: number;
}

const NAMES = [
  'totalUsers',
  'todayNewUsers',
  'totalApiKeys',
  'activeApiKeys',
  'totalAccounts',
  'normalAccounts',
  'errorAccounts',
  'rateLimitedAccounts',
  'overloadedAccounts',
] as const;

/** One statement, all of one instant. */
export async function entityCounts(em: DataEntityManager, zone: string): Promise<EntityCounts> {
  const [row] = await em.execute<EntityCounts[]>(sql`with today as materialized (
      select ${startOfTodaySql(zone)} as start
    )
    select * from (
      select count(*) as "totalUsers", count(*) filter (where created_at >= (select start from today)) as "todayNewUsers"
      from users where deleted_at is null
    ) u, (
      select count(*) as "totalApiKeys", count(*) filter (where status = 'active') as "activeApiKeys"
      from api_keys where deleted_at is null
    ) k, (
      select count(*) as "totalAccounts", count(*) filter (where status = 'active' and schedulable) as "normalAccounts",
        count(*) filter (where status = 'error') as "errorAccounts",
        count(*) filter (where rate_limit_reset_at > now()) as "rateLimitedAccounts",
        count(*) filter (where overload_until > now()) as "overloadedAccounts"
      from accounts where deleted_at is null
    ) a`);
  return withCounts(row as EntityCounts, NAMES);
}
