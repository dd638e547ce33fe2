import { sql } from '@mikro-orm/core';
import type { DataEntityManager } from '../../kit/orm/index.ts';

const MILLISECONDS = `(extract(epoch from last_aggregated_at) * 1000)::float8 as until`;

/**
 * Makes whoever aggregates or cleans up wait for the others, until the transaction ends: two that add up the same hour would
 * insert its row twice, and an hour whose logs are being removed would be added up too small.
 */
export async function lockWatermark(em: DataEntityManager): Promise<void> {
  // An installation that comes from elsewhere may lack the row that is locked here.
  await em.execute(
    'insert into usage_dashboard_aggregation_watermark (id) values (1) on conflict (id) do nothing',
  );
  await em.execute('select id from usage_dashboard_aggregation_watermark where id = 1 for update');
}

/** 1970 before anything was aggregated. */
export async function readWatermark(em: DataEntityManager): Promise<Date> {
  const [row] = await em.execute<{ until: number }[]>(
    `select ${MILLISECONDS} from usage_dashboard_aggregation_watermark where id = 1`,
  );
  return new Date(row?.until ?? 0);
}

/** Never back: of two that aggregate at once, the one that comes last may have begun first. */
export async function raiseWatermark(em: DataEntityManager, until: Date): Promise<void> {
  await em.execute(sql`insert into usage_dashboard_aggregation_watermark as w (id, last_aggregated_at)
    values (1, ${until}::timestamptz) on conflict (id) do update
    set last_aggregated_at = excluded.last_aggregated_at, updated_at = now()
    where w.last_aggregated_at < excluded.last_aggregated_at`);
}
