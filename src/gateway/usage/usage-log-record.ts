import type { Amount, Id } from '../../kit/columns/index.ts';
import type { UsageLog } from './usage-log.entity.ts';

/** What one request used and cost. The ids stay when what they name is deleted. */
export interface UsageLogRecord {
  readonly id: Id;
  readonly userId: Id;
  readonly apiKeyId: Id;
  readonly accountId: Id;
  readonly groupId: Id | null;
  readonly subscriptionId: Id | null;
  readonly requestId: string | null;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheCreation5mTokens: number;
  readonly cacheCreation1hTokens: number;
  readonly inputCost: Amount;
  readonly outputCost: Amount;
  readonly cacheCreationCost: Amount;
  readonly cacheReadCost: Amount;
  /** The list price. */
  readonly totalCost: Amount;
  /** What the user pays. */
  readonly actualCost: Amount;
  readonly rateMultiplier: Amount;
  /** Null counts as 1. */
  readonly accountRateMultiplier: Amount | null;
  /** 0 from the balance, 1 from a subscription. */
  readonly billingType: number;
  readonly stream: boolean;
  readonly durationMs: number | null;
  readonly firstTokenMs: number | null;
  readonly userAgent: string | null;
  readonly ipAddress: string | null;
  readonly imageCount: number;
  readonly imageSize: string | null;
  readonly createdAt: Date;
}

export function usageLogRecord(log: UsageLog): UsageLogRecord {
  return { ...owners(log), ...amounts(log), ...circumstances(log) };
}

function owners(log: UsageLog) {
  const { id, model } = log;
  return {
    id,
    model,
    userId: log.user.id,
    apiKeyId: log.apiKey.id,
    accountId: log.account.id,
    groupId: log.group?.id ?? null,
    subscriptionId: log.subscription?.id ?? null,
    requestId: log.requestId ?? null,
  };
}

function amounts(log: UsageLog) {
  const { inputTokens, outputTokens, cacheCreationTokens, cacheReadTokens } = log;
  const { cacheCreation5mTokens, cacheCreation1hTokens } = log;
  const { inputCost, outputCost, cacheCreationCost, cacheReadCost, totalCost, actualCost, rateMultiplier } =
    log;
  return {
    inputTokens,
    outputTokens,
    cacheCreationTokens,
    cacheReadTokens,
    cacheCreation5mTokens,
    cacheCreation1hTokens,
    inputCost,
    outputCost,
    cacheCreationCost,
    cacheReadCost,
    totalCost,
    actualCost,
    rateMultiplier,
    accountRateMultiplier: log.accountRateMultiplier ?? null,
  };
}

function circumstances(log: UsageLog) {
  const { billingType, stream, createdAt } = log;
  return {
    billingType,
    stream,
    durationMs: log.durationMs ?? null,
    firstTokenMs: log.firstTokenMs ?? null,
    userAgent: log.userAgent ?? null,
    ipAddress: log.ipAddress ?? null,
    // Rows that older programs wrote have NULL for none.
    imageCount: log.imageCount ?? 0,
    imageSize: log.imageSize ?? null,
    createdAt,
  };
}
