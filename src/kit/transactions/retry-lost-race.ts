import { setTimeout as sleep } from 'node:timers/promises';
import { isDataError } from '../errors/index.ts';

/** How often, and how long apart. */
export interface Attempts {
  /** In all, the first one included. Default 5. */
  readonly attempts?: number;
  /** The first pause in milliseconds; it doubles, with jitter, up to 64 times that. Default 5. */
  readonly pauseMs?: number;
}

/**
 * Runs `work` again from its start when it lost against a concurrent transaction (40001, 40P01). It must be all or nothing,
 * and outside a transaction: one that has lost refuses every further statement.
 */
export async function retryLostRace<T>(
  work: () => Promise<T>,
  { attempts = 5, pauseMs = 5 }: Attempts = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !isDataError(error, 'DATA.CONCURRENCY')) throw error;
      await sleep(pauseMs * 2 ** Math.min(attempt - 1, 6) * (0.5 + Math.random()));
    }
  }
}
