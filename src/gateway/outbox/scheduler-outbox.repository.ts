import type { Id } from '../../kit/columns/index.ts';
import { checkInteger, checkText } from '../../kit/input/index.ts';
import {
  type DataEntityManager,
  placeReads,
  type PreparedStatement,
  runPrepared,
} from '../../kit/orm/index.ts';
import { checkedEvent } from './check-event.ts';
import { enqueueEvent, type SchedulerEventType } from './enqueue-event.ts';
import {
  checkPosition,
  type OutboxPosition,
  schedulerEventRecord,
  type SchedulerEventRecord,
  type SchedulerEventRow,
} from './scheduler-event-record.ts';
import { advanceWatermark, forgetWatermark, readWatermark } from './watermarks.ts';

const DEFAULT_LIMIT = 100;
const LARGEST_LIMIT = 10_000;

// Below xmin every transaction has ended, and none begins: what is read there is all that there will ever be, in its final
// order. The horizon is that of the statement's own snapshot, so nothing settles between the two.
const AFTER: PreparedStatement = {
  name: 'gateway_outbox_after',
  text: `select id, event_type, account_id, group_id, payload, created_at, txid::text as txid from scheduler_outbox
    where (txid, id) > ($1::text::xid8, $2::bigint) and txid < pg_snapshot_xmin(pg_current_snapshot())
    order by scheduler_outbox.txid, id limit $3`,
};

const HORIZON = 'select pg_snapshot_xmin(pg_current_snapshot())::text as txid';

const MAX_ID = 'select coalesce(max(id), 0)::text as id from scheduler_outbox';

// Two that prune at once take different rows instead of waiting for each other.
const DELETE = `delete from scheduler_outbox where id in (
    select id from scheduler_outbox o
    where (o.txid, o.id) <= (?::text::xid8, ?::bigint)
      and (o.txid, o.id) <= all (select w.txid, w.event_id from scheduler_outbox_watermarks w)
    order by o.txid, o.id limit ? for update skip locked)`;

/**
 * What the scheduler must hear of. Every method joins the transaction of the entity manager that it was given.
 *
 * An event is read once every transaction that could still come before it has ended. A transaction that writes and stays open
 * therefore holds back what others have committed since.
 */
export class SchedulerOutboxRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** Call it in the transaction of the change that it tells of. @throws InvalidInputError VALIDATION. */
  async enqueue(
    eventType: SchedulerEventType,
    accountId?: Id | null,
    groupId?: Id | null,
    payload?: Readonly<Record<string, unknown>> | null,
  ): Promise<void> {
    await enqueueEvent(this.#em, checkedEvent(eventType, accountId, groupId, payload));
  }

  /**
   * Settled events behind the position, in the order that never changes: none will ever appear before one that was read.
   * A limit of 0 or less is 100.
   */
  async listAfter(after: OutboxPosition, limit = DEFAULT_LIMIT): Promise<SchedulerEventRecord[]> {
    const { txid, id } = checkPosition('after', after);
    const rows = Math.min(checkInteger('limit', limit), LARGEST_LIMIT);
    const values = [txid, id, rows > 0 ? rows : DEFAULT_LIMIT];
    return (await runPrepared<SchedulerEventRow>(this.#em, AFTER, values)).map(schedulerEventRecord);
  }

  /**
   * Behind everything that is settled. A consumer that builds its state anew takes it first: what it then reads of the
   * tables has every event up to here, and `listAfter` gives the others.
   */
  async horizon(): Promise<OutboxPosition> {
    const [row] = await this.#em.execute<{ txid: string }[]>(HORIZON);
    return { txid: row?.txid ?? '0', id: '0' };
  }

  /** The largest id, '0' for an empty table: how much has been written, and not how far one may read. */
  async maxId(): Promise<Id> {
    const [row] = await this.#em.execute<{ id: Id }[]>(MAX_ID);
    return row?.id ?? '0';
  }

  /** How far a consumer has come; null for one that has never stored it. */
  async watermark(consumer: string): Promise<OutboxPosition | null> {
    return readWatermark(this.#em, checkedConsumer(consumer));
  }

  /** Stores how far a consumer has come. An earlier position than the stored one changes nothing and answers false. */
  async advanceWatermark(consumer: string, position: OutboxPosition): Promise<boolean> {
    return advanceWatermark(this.#em, checkedConsumer(consumer), checkPosition('position', position));
  }

  /** Removes a consumer's watermark: until then nothing that the consumer has not read is pruned. */
  async forgetConsumer(consumer: string): Promise<boolean> {
    return forgetWatermark(this.#em, checkedConsumer(consumer));
  }

  /**
   * Deletes up to `batch` of the oldest events up to the position, of those that every stored watermark has passed; answers
   * how many. Repeat it until it answers less than `batch`.
   */
  async deleteConsumedUpTo(watermark: OutboxPosition, batch: number): Promise<number> {
    const { txid, id } = checkPosition('watermark', watermark);
    const values = [txid, id, checkInteger('batch', batch, 1)];
    const { affectedRows } = await this.#em.execute<{ affectedRows: number }>(DELETE, values, 'run');
    return affectedRows;
  }
}

function checkedConsumer(consumer: string): string {
  return checkText('consumer', consumer, { max: 100, filled: true });
}
