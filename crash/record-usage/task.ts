import type { NewUsage } from 'tombstone/gateway';

/** What one trial records. */
export interface Task {
  readonly trial: number;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly accountId: string;
}

/** Requests of one trial. */
export const REQUESTS = 12;

/** The same requests, with the same ids and costs, for whoever asks: a repeated call must find the first one. */
export function usagesOf({ trial, ...who }: Task): NewUsage[] {
  return Array.from({ length: REQUESTS }, (_, index) => ({
    ...who,
    model: 'model',
    requestId: `trial-${trial}-${index}`,
    totalCost: '0.02',
    actualCost: `0.${String(1_000_000_007 * (index + 1) + trial)
      .padStart(10, '0')
      .slice(-10)}`,
  }));
}
