import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, storedInstant } from '../../kit/orm/index.ts';
import {
  type OutboxPosition,
  schedulerEventRecord,
  type SchedulerEventRecord,
  type SchedulerEventRow,
} from './scheduler-event-record.ts';

/**
 * What became of an event that could not be applied. `retry`: the consumer stands before it, read it again. `parked`: it is a
 * dead letter, and the consumer stands behind it. `passed`: the consumer stands behind it already, because another process was
 * faster, or the event is gone.
 */
export type FailureOutcome = 'retry' | 'parked' | 'passed';

/** An event that a consumer has given up. */
export interface DeadLetter extends SchedulerEventRecord {
  readonly attempts: number;
  /** The class of the last error, and its code when it is one of ours. */
  readonly lastError: string;
  readonly failedAt: Date;
  readonly parkedAt: Date;
}

type DeadLetterRow = SchedulerEventRow & {
  readonly attempts: number;
  readonly last_error: string;
  readonly failed_at: string;
  readonly parked_at: string;
};

// Parked and passed in one statement: a consumer that dies in between would apply the event once more and keep its dead letter.
// The row of the failure is locked before the watermark; nothing locks them the other way round.
const FAIL = `with failed as (
    insert into scheduler_outbox_failures as f (consumer, event_id, txid, event_type, account_id, group_id, payload,
      created_at, attempts, last_error, parked_at)
    select g.consumer, o.id, o.txid, o.event_type, o.account_id, o.group_id, o.payload, o.created_at, 1, g.error,
      case when g.most <= 1 then now() end
    from (select ?::text as consumer, ?::text::xid8 as txid, ?::bigint as id, ?::text as error, ?::int as most) g
    join scheduler_outbox o on o.id = g.id and o.txid = g.txid
    where not exists (select from scheduler_outbox_watermarks w
      where w.consumer = g.consumer and (w.txid, w.event_id) >= (o.txid, o.id))
    on conflict (consumer, event_id) do update set txid = excluded.txid, attempts = f.attempts + 1,
      last_error = excluded.last_error, failed_at = now(),
      parked_at = coalesce(f.parked_at, case when f.attempts + 1 >= ?::int then now() end)
    returning f.txid, f.event_id, f.parked_at is not null as parked
  ), passed as (
    insert into scheduler_outbox_watermarks as w (consumer, txid, event_id)
    select ?::text, txid, event_id from failed where parked
    on conflict (consumer) do update set txid = excluded.txid, event_id = excluded.event_id, updated_at = now()
    where (w.txid, w.event_id) < (excluded.txid, excluded.event_id)
  )
  select parked from failed`;

const LIST = `select event_id as id, txid::text as txid, event_type, account_id, group_id, payload, created_at, attempts,
    last_error, failed_at, parked_at
  from scheduler_outbox_failures
  where consumer = ? and parked_at is not null and event_id > ?::bigint order by event_id limit ?`;

// As new events, because nothing can be put between those that were read. Each goes back once, whoever else tries.
const PUT_BACK = `with taken as (
    delete from scheduler_outbox_failures where consumer = ? and parked_at is not null and event_id = any (?::bigint[])
    returning txid, event_id, event_type, account_id, group_id, payload
  ), stored as (
    insert into scheduler_outbox (event_type, account_id, group_id, payload)
    select event_type, account_id, group_id, payload from taken order by txid, event_id returning id
  )
  select count(*)::int as count from stored`;

const DISCARD = `delete from scheduler_outbox_failures
  where consumer = ? and parked_at is not null and event_id = any (?::bigint[])`;

/** Counts a failure of the first event that the consumer has not applied; the last one that it may have parks the event. */
export async function countFailure(
  em: DataEntityManager,
  consumer: string,
  { txid, id }: OutboxPosition,
  failure: { readonly error: string; readonly most: number },
): Promise<FailureOutcome> {
  const { error, most } = failure;
  const values = [consumer, txid, id, error, most, most, consumer];
  const [row] = await em.execute<{ parked: boolean }[]>(FAIL, values);
  if (!row) return 'passed';
  return row.parked ? 'parked' : 'retry';
}

/** Dead letters of a consumer behind an id, by id. */
export async function readDeadLetters(
  em: DataEntityManager,
  consumer: string,
  afterId: Id,
  limit: number,
): Promise<DeadLetter[]> {
  const rows = await em.execute<DeadLetterRow[]>(LIST, [consumer, afterId, limit]);
  return rows.map((row) => ({
    ...schedulerEventRecord(row),
    attempts: row.attempts,
    lastError: row.last_error,
    failedAt: storedInstant(row.failed_at),
    parkedAt: storedInstant(row.parked_at),
  }));
}

/** Stores dead letters as new events, in their old order; answers how many there were. */
export async function putBack(em: DataEntityManager, consumer: string, ids: readonly Id[]): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(PUT_BACK, [consumer, `{${ids.join(',')}}`]);
  return row?.count ?? 0;
}

/** Removes dead letters for good; answers how many there were. */
export async function discard(em: DataEntityManager, consumer: string, ids: readonly Id[]): Promise<number> {
  const values = [consumer, `{${ids.join(',')}}`];
  const { affectedRows } = await em.execute<{ affectedRows: number }>(DISCARD, values, 'run');
  return affectedRows;
}
