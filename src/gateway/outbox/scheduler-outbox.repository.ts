import type { Id } from '../../kit/columns/index.ts';
import { checkGiven, checkIds, checkInteger, checkOptionalId, checkText } from '../../kit/input/index.ts';
import {
  type DataEntityManager,
  placeReads,
  type PreparedStatement,
  runPrepared,
} from '../../kit/orm/index.ts';
import { checkedEvent } from './check-event.ts';
import { enqueueEvent, type SchedulerEventType } from './enqueue-event.ts';
import { errorName } from './error-name.ts';
import {
  countFailure,
  type DeadLetter,
  discard,
  type FailureOutcome,
  putBack,
  readDeadLetters,
} from './event-failures.ts';
import { pruneEvents } from './prune-events.ts';
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

/** As long as a scheduler goes without building its state anew. */
const GRACE_SECONDS = 300;

const DEFAULT_ATTEMPTS = 5;

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
  async listAfter(after: OutboxPosition, limit?: number): Promise<SchedulerEventRecord[]> {
    const { txid, id } = checkPosition('after', after);
    const values = [txid, id, checkedLimit(limit)];
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

  /** Removes a consumer's watermark: until then nothing that the consumer has not read is pruned. Its dead letters stay. */
  async forgetConsumer(consumer: string): Promise<boolean> {
    return forgetWatermark(this.#em, checkedConsumer(consumer));
  }

  /**
   * Counts that a consumer could not apply an event, everything before which it has applied. The `maxAttempts`th time the event
   * becomes a dead letter, in one statement with the watermark, which then stands behind it. Of the error only the class is
   * stored, and its code when it is one of ours.
   */
  async recordFailure(
    consumer: string,
    position: OutboxPosition,
    error: unknown,
    options: { readonly maxAttempts?: number } = {},
  ): Promise<FailureOutcome> {
    const { maxAttempts = DEFAULT_ATTEMPTS } = checkGiven('options', options);
    const failure = { error: errorName(error), most: checkInteger('maxAttempts', maxAttempts, 1) };
    return countFailure(this.#em, checkedConsumer(consumer), checkPosition('position', position), failure);
  }

  /** Dead letters of a consumer by id; go on behind the last one with `afterId`. A limit of 0 or less is 100. */
  async listDeadLetters(
    consumer: string,
    part: { readonly afterId?: Id | null; readonly limit?: number } = {},
  ): Promise<DeadLetter[]> {
    const { afterId, limit } = checkGiven('part', part);
    const after = checkOptionalId('afterId', afterId) ?? '0';
    return readDeadLetters(this.#em, checkedConsumer(consumer), after, checkedLimit(limit));
  }

  /** Enqueues dead letters anew, at the end and for every consumer; answers how many there were. */
  async putBackDeadLetters(consumer: string, ids: readonly Id[]): Promise<number> {
    return putBack(this.#em, checkedConsumer(consumer), checkIds('ids', ids));
  }

  /** Removes dead letters for good; answers how many there were. */
  async discardDeadLetters(consumer: string, ids: readonly Id[]): Promise<number> {
    return discard(this.#em, checkedConsumer(consumer), checkIds('ids', ids));
  }

  /**
   * Deletes up to `batch` of the oldest events up to the position, of those that every stored watermark has passed and that
   * are older than the grace period; answers how many. Repeat it until it answers less than `batch`. Dead letters stay.
   */
  async deleteConsumedUpTo(
    watermark: OutboxPosition,
    batch: number,
    options: { readonly graceSeconds?: number } = {},
  ): Promise<number> {
    const { graceSeconds = GRACE_SECONDS } = checkGiven('options', options);
    const position = checkPosition('watermark', watermark);
    const limits = {
      batch: checkInteger('batch', batch, 1),
      grace: checkInteger('graceSeconds', graceSeconds, 0),
    };
    return pruneEvents(this.#em, position, limits);
  }
}

function checkedLimit(limit = DEFAULT_LIMIT): number {
  const rows = Math.min(checkInteger('limit', limit), LARGEST_LIMIT);
  return rows > 0 ? rows : DEFAULT_LIMIT;
}

function checkedConsumer(consumer: string): string {
  return checkText('consumer', consumer, { max: 100, filled: true });
}
