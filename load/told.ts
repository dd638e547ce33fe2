import type { Id } from 'tombstone';
import type { RecordedInBatch, SubscriptionUsage } from 'tombstone/gateway';

/** An answer of `recordUsage` or `recordUsages`, as far as the database has to bear it out. */
export interface ToldCharge {
  readonly requestId: string;
  readonly apiKeyId: Id;
  readonly logId: Id;
  readonly inserted: boolean;
  /** Null where nothing was to be charged. */
  readonly amount: string | null;
  readonly applied: boolean;
  /** The subscription that was charged, with its counters after the charge. */
  readonly subscription?: { readonly id: Id; readonly usage: SubscriptionUsage };
}

/** What the callers of one process were told. */
export interface Told {
  readonly charges: readonly ToldCharge[];
  /** What was added to balances: by user, in units of the tenth decimal. */
  readonly topUps: ReadonlyMap<Id, bigint>;
  /** By subscription: how often the caller was told that the daily window begins anew. */
  readonly resets: ReadonlyMap<Id, number>;
}

/** Keeps what callers are told, to be compared with the database. */
export class Answers {
  readonly #charges: ToldCharge[] = [];
  readonly #topUps = new Map<Id, bigint>();
  readonly #resets = new Map<Id, number>();

  charged(
    apiKeyId: Id,
    recorded: RecordedInBatch & { readonly usage?: SubscriptionUsage | null },
    subscriptionId?: Id | null,
  ): void {
    const { requestId, id: logId, inserted, charge, usage } = recorded;
    this.#charges.push({
      requestId,
      apiKeyId,
      logId,
      inserted,
      amount: charge?.amount ?? null,
      applied: charge?.applied ?? false,
      ...(usage && subscriptionId && { subscription: { id: subscriptionId, usage } }),
    });
  }

  toppedUp(userId: Id, units: bigint): void {
    this.#topUps.set(userId, (this.#topUps.get(userId) ?? 0n) + units);
  }

  reset(subscriptionId: Id): void {
    this.#resets.set(subscriptionId, (this.#resets.get(subscriptionId) ?? 0) + 1);
  }

  told(): Told {
    return { charges: this.#charges, topUps: this.#topUps, resets: this.#resets };
  }
}
