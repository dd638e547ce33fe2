import { raw, sql } from '@mikro-orm/core';
import type { Amount, Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { startOfTodaySql } from './zone-sql.ts';

/** What users paid, today and since the first log. */
export interface BatchTotals {
  readonly todayActualCost: Amount;
  readonly totalActualCost: Amount;
}

const ZERO: BatchTotals = { todayActualCost: '0.0000000000', totalActualCost: '0.0000000000' };

/** Every id is in the answer, with zeros where it has no log; one statement, or none for no ids. */
export async function batchTotals(
  em: DataEntityManager,
  column: 'user_id' | 'api_key_id',
  ids: readonly Id[],
  zone: string,
): Promise<Map<Id, BatchTotals>> {
  const totals = new Map(ids.map((id) => [id, ZERO]));
  if (ids.length === 0) return totals;
  const rows = await em.execute<(BatchTotals & { id: Id })[]>(sql`with today as materialized (
      select ${startOfTodaySql(zone)} as start
    )
    select ${raw(column)} as id, round(sum(actual_cost), 10) as "totalActualCost",
      round(coalesce(sum(actual_cost) filter (where created_at >= (select start from today)), 0), 10) as "todayActualCost"
    from usage_logs where ${raw(column)} = any (${`{${ids.join(',')}}`}::bigint[]) group by 1`);
  for (const { id, ...costs } of rows) totals.set(id, costs);
  return totals;
}
