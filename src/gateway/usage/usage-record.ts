import type { Amount, Id } from '../../kit/columns/index.ts';

/** Who pays: 0 the user's balance, with the multiplied cost; 1 the subscription, with the list price. */
export type BillingType = 0 | 1;

/** What one request used and cost. Costs are in USD with up to ten decimals; what is left out is zero or nothing. */
export interface NewUsage {
  readonly userId: Id;
  readonly apiKeyId: Id;
  readonly accountId: Id;
  readonly groupId?: Id | null;
  /** Required where `billingType` is 1. */
  readonly subscriptionId?: Id | null;
  /** Makes a repeated call one call. Longer than 64 characters: its SHA-256 stands for it. */
  readonly requestId?: string | null;
  readonly model: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly cacheCreationTokens?: number;
  readonly cacheReadTokens?: number;
  readonly cacheCreation5mTokens?: number;
  readonly cacheCreation1hTokens?: number;
  readonly inputCost?: Amount;
  readonly outputCost?: Amount;
  readonly cacheCreationCost?: Amount;
  readonly cacheReadCost?: Amount;
  /** The list price. */
  readonly totalCost?: Amount;
  /** The list price times the group's multiplier: what a user without a subscription pays. */
  readonly actualCost?: Amount;
  readonly rateMultiplier?: Amount;
  /** The account's multiplier as it was; null counts as 1. */
  readonly accountRateMultiplier?: Amount | null;
  readonly billingType?: BillingType;
  readonly stream?: boolean;
  readonly durationMs?: number | null;
  readonly firstTokenMs?: number | null;
  /** Cut to 512 characters. */
  readonly userAgent?: string | null;
  readonly ipAddress?: string | null;
  readonly imageCount?: number | null;
  readonly imageSize?: string | null;
  /** The database's now() when it is left out. */
  readonly createdAt?: Date;
}

/** What was charged for a log; null where it cost nothing. */
export interface Charge {
  readonly amount: Amount;
  /** False: the user or the subscription was deleted, and nobody was charged. */
  readonly applied: boolean;
}

/** What a request of a batch left in the database; balances and counters are not told. */
export interface RecordedInBatch {
  readonly id: Id;
  /** The caller's, its hash, or the one that was made: a repeated call gives it. */
  readonly requestId: string;
  readonly createdAt: Date;
  /** False: an earlier call had stored the request, and this one changed nothing. */
  readonly inserted: boolean;
  readonly charge: Charge | null;
}

/** What a call of `recordUsage` left in the database. */
export interface RecordedUsage extends RecordedInBatch {
  /** The user's balance after this charge; null where it was not charged. */
  readonly balance: Amount | null;
  /** The counters of the subscription after this charge; null where it was not charged. */
  readonly usage: SubscriptionUsage | null;
}

/** A subscription's counters in USD. */
export interface SubscriptionUsage {
  readonly dailyUsageUsd: Amount;
  readonly weeklyUsageUsd: Amount;
  readonly monthlyUsageUsd: Amount;
}
