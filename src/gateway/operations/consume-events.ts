import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkInteger, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import {
  OUTBOX_START,
  type OutboxPosition,
  type SchedulerEventRecord,
} from '../outbox/scheduler-event-record.ts';
import { SchedulerOutboxRepository } from '../outbox/scheduler-outbox.repository.ts';

/** Who applies events, and how. */
export interface EventConsumer {
  /** The name of the watermark. */
  readonly consumer: string;
  /** Applies one event. It is called again for one that it has applied already, when the process dies before it says so. */
  readonly handle: (event: SchedulerEventRecord) => Promise<void> | void;
  /** How many events at most; default 200. */
  readonly limit?: number;
  /** How often an event may fail until it is parked; default 5. */
  readonly maxAttempts?: number;
}

/** What one call has done. */
export interface ConsumedEvents {
  readonly handled: number;
  /** Those that have become dead letters. */
  readonly parked: number;
  /** Where the consumer stands now. */
  readonly position: OutboxPosition;
  /** The event before which the consumer stands, because it failed: wait a little, then call again. */
  readonly failed: SchedulerEventRecord | null;
}

/**
 * One poll of a consumer: reads what is settled behind its watermark and applies it event by event, in order. An event that
 * fails is tried again by the next call and holds back the others until it is applied, or parked after `maxAttempts`; those
 * behind it are never applied before. Call it outside a transaction, because what fails would end that.
 *
 * @throws InvalidInputError VALIDATION. What `handle` throws is counted and not thrown.
 */
export async function consumeEvents(em: DataEntityManager, reader: EventConsumer): Promise<ConsumedEvents> {
  const { consumer, handle, limit, maxAttempts } = checkedReader(reader);
  const outbox = new SchedulerOutboxRepository(em);
  const start = await begin(outbox, consumer);
  let [position, handled, parked] = [start, 0, 0];
  for (const event of await outbox.listAfter(start, limit)) {
    const failure = await attempt(() => handle(event));
    if (failure) {
      // What was applied before it is said first, so that only this event is counted.
      if (position !== start) await outbox.advanceWatermark(consumer, position);
      const outcome = await outbox.recordFailure(consumer, event.position, failure.error, { maxAttempts });
      if (outcome === 'retry') return { handled, parked, position, failed: event };
      if (outcome === 'passed')
        return { handled, parked, position: await begin(outbox, consumer), failed: null };
      parked += 1;
    } else handled += 1;
    position = event.position;
  }
  if (position !== start) await outbox.advanceWatermark(consumer, position);
  return { handled, parked, position, failed: null };
}

function checkedReader(reader: EventConsumer): Required<EventConsumer> {
  const { consumer, handle, limit = 200, maxAttempts = 5 } = reader ?? {};
  if (typeof handle !== 'function') throw new InvalidInputError('handle', 'be a function');
  return {
    consumer: checkText('consumer', consumer, { max: 100, filled: true }),
    handle,
    limit: checkInteger('limit', limit, 1, 10_000),
    maxAttempts: checkInteger('maxAttempts', maxAttempts, 1),
  };
}

/** Where the consumer stands. One that is new says so, so that nothing is pruned before it has read it. */
async function begin(outbox: SchedulerOutboxRepository, consumer: string): Promise<OutboxPosition> {
  const stored = await outbox.watermark(consumer);
  if (stored) return stored;
  await outbox.advanceWatermark(consumer, OUTBOX_START);
  return (await outbox.watermark(consumer)) ?? OUTBOX_START;
}

async function attempt(work: () => Promise<void> | void): Promise<{ error: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { error };
  }
}
