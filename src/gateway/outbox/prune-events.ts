import type { DataEntityManager } from '../../kit/orm/index.ts';
import type { OutboxPosition } from './scheduler-event-record.ts';

// Two that prune at once take different rows instead of waiting for each other. What only counts the attempts at an event goes
// with it; a dead letter holds a copy, and stays.
const PRUNE = `with gone as (
    delete from scheduler_outbox where id in (
      select id from scheduler_outbox o
      where (o.txid, o.id) <= (?::text::xid8, ?::bigint) and o.created_at <= now() - make_interval(secs => ?)
        and (o.txid, o.id) <= all (select w.txid, w.event_id from scheduler_outbox_watermarks w)
      order by o.txid, o.id limit ? for update skip locked)
    returning id
  ), uncounted as (
    delete from scheduler_outbox_failures f using gone g where f.event_id = g.id and f.parked_at is null
  )
  select count(*)::int as count from gone`;

/** Deletes the oldest events that every watermark has passed and that are as old as the grace period; answers how many. */
export async function pruneEvents(
  em: DataEntityManager,
  { txid, id }: OutboxPosition,
  { batch, grace }: { readonly batch: number; readonly grace: number },
): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(PRUNE, [txid, id, grace, batch]);
  return row?.count ?? 0;
}
