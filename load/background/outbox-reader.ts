import { setTimeout as sleep } from 'node:timers/promises';
import { OUTBOX_START, type OutboxPosition } from 'tombstone/gateway';
import { type Ground, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';

/** What one consumer of the outbox has seen, and what it pruned. */
export interface Heard {
  readonly consumer: string;
  /** Of every event that was read, in the order in which they were read. */
  readonly positions: readonly OutboxPosition[];
  readonly pruned: number;
}

const PAUSE_MS = 20;
const BATCH = 500;
/** Between two prunings, in readings. */
const PRUNE_EVERY = 25;
const DRAIN_MS = 20_000;

const LAST =
  'select txid::text as txid, id from scheduler_outbox order by scheduler_outbox.txid desc, id desc limit 1';

/** Reads the outbox as a scheduler does, with a watermark of its own. The first one prunes what all have passed. */
export class OutboxReader {
  readonly #ground: Ground;
  readonly #consumer: string;
  readonly #prunes: boolean;
  readonly #positions: OutboxPosition[] = [];
  #pruned = 0;

  constructor(ground: Ground, index: number) {
    this.#ground = ground;
    this.#consumer = `load ${index}`;
    this.#prunes = index === 0;
  }

  /** Says where it begins. Nothing may be pruned before every consumer has said that. */
  async register(): Promise<void> {
    await repositoriesOf(this.#ground).schedulerOutbox.advanceWatermark(this.#consumer, OUTBOX_START);
  }

  async run(until: number): Promise<void> {
    for (let reading = 1; now() < until; reading += 1) {
      const read = await this.#read();
      if (this.#prunes && reading % PRUNE_EVERY === 0) await this.#prune();
      if (read < BATCH) await sleep(PAUSE_MS);
    }
  }

  /** Reads what is left, once nobody writes any more. What a transaction of someone else on the server holds back is missing. */
  async drain(): Promise<Heard> {
    for (const deadline = now() + DRAIN_MS; now() < deadline; await sleep(PAUSE_MS)) {
      if ((await this.#read()) > 0) continue;
      if (await this.#hasAll()) break;
    }
    return { consumer: this.#consumer, positions: this.#positions, pruned: this.#pruned };
  }

  async #hasAll(): Promise<boolean> {
    const { em, meter } = this.#ground;
    const found = await meter.time('outbox, last', [], () => em().execute<OutboxPosition[]>(LAST));
    const [last] = found ?? [];
    const own = this.#positions.at(-1) ?? OUTBOX_START;
    return found !== undefined && (!last || compare(own, last) >= 0);
  }

  async #read(): Promise<number> {
    const { meter } = this.#ground;
    const { schedulerOutbox } = repositoriesOf(this.#ground);
    // A scheduler that starts again knows nothing but its watermark.
    const stored = await meter.time('outbox, watermark', [], () => schedulerOutbox.watermark(this.#consumer));
    if (stored === undefined) return 0;
    const from = stored ?? OUTBOX_START;
    const events = await meter.time('outbox, listAfter', [], () => schedulerOutbox.listAfter(from, BATCH));
    const last = events?.at(-1)?.position;
    if (!events || !last) return 0;
    for (const { position } of events) this.#positions.push(position);
    await meter.time('outbox, advanceWatermark', [], () =>
      schedulerOutbox.advanceWatermark(this.#consumer, last),
    );
    return events.length;
  }

  async #prune(): Promise<void> {
    const { meter } = this.#ground;
    const { schedulerOutbox } = repositoriesOf(this.#ground);
    const own = this.#positions.at(-1);
    if (!own) return;
    const removed = await meter.time('outbox, deleteConsumedUpTo', [], () =>
      schedulerOutbox.deleteConsumedUpTo(own, BATCH),
    );
    this.#pruned += removed ?? 0;
  }
}

/** Below zero where the first one comes first. */
export function compare(one: OutboxPosition, other: OutboxPosition): number {
  const order = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b));
  return order(BigInt(one.txid), BigInt(other.txid)) || order(BigInt(one.id), BigInt(other.id));
}
