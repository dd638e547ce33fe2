import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { dateOfSql } from './bucket-sql.ts';

/** How many hours and days went. */
export interface RemovedAggregates {
  readonly hours: number;
  readonly days: number;
}

/** Removes hours that began before the one instant, and days before the zone's date of the other. */
export async function removeAggregates(
  em: DataEntityManager,
  hourlyCutoff: Date,
  dailyCutoff: Date,
  zone: string,
): Promise<RemovedAggregates> {
  const hour = sql`bucket_start < ${hourlyCutoff}::timestamptz`;
  const day = sql`bucket_date < ${dateOfSql(sql`${dailyCutoff}::timestamptz`, zone)}`;
  await run(em, sql`delete from usage_dashboard_hourly_users where ${hour}`);
  await run(em, sql`delete from usage_dashboard_daily_users where ${day}`);
  return {
    hours: await run(em, sql`delete from usage_dashboard_hourly where ${hour}`),
    days: await run(em, sql`delete from usage_dashboard_daily where ${day}`),
  };
}

async function run(em: DataEntityManager, statement: RawQueryFragment): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(statement, [], 'run');
  return affectedRows;
}
