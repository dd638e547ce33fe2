import type { DataEntityManager } from '../../kit/orm/index.ts';
import type { OutboxPosition } from './scheduler-event-record.ts';

const READ = 'select txid::text as txid, event_id as id from scheduler_outbox_watermarks where consumer = ?';

// Two processes of one consumer may apply the same events; the slower one must not take the other's place back.
const ADVANCE = `insert into scheduler_outbox_watermarks as w (consumer, txid, event_id)
  values (?, ?::text::xid8, ?::bigint)
  on conflict (consumer) do update set txid = excluded.txid, event_id = excluded.event_id, updated_at = now()
  where (w.txid, w.event_id) < (excluded.txid, excluded.event_id)`;

const FORGET = 'delete from scheduler_outbox_watermarks where consumer = ?';

/** How far the consumer has come; null for one that has never said so. */
export async function readWatermark(em: DataEntityManager, consumer: string): Promise<OutboxPosition | null> {
  const [row] = await em.execute<OutboxPosition[]>(READ, [consumer]);
  return row ?? null;
}

/** Stores how far the consumer has come, never back; answers whether it moved. */
export async function advanceWatermark(
  em: DataEntityManager,
  consumer: string,
  { txid, id }: OutboxPosition,
): Promise<boolean> {
  return changes(em, ADVANCE, [consumer, txid, id]);
}

/** Removes the consumer, so that nothing is kept for it any more; answers whether there was one. */
export async function forgetWatermark(em: DataEntityManager, consumer: string): Promise<boolean> {
  return changes(em, FORGET, [consumer]);
}

async function changes(em: DataEntityManager, sql: string, values: unknown[]): Promise<boolean> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(sql, values, 'run');
  return affectedRows > 0;
}
