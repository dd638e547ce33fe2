import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionOptions } from '@mikro-orm/core';
import { isDataError } from '../errors/index.ts';
import type { DataEntityManager } from '../orm/index.ts';

/** How often, and how long apart. */
export interface RetryOptions extends TransactionOptions {
  /** Attempts in all, the first one included. Default 5. */
  readonly attempts?: number;
  /** The first pause in milliseconds; it doubles, with jitter, up to 64 times that. Default 5. */
  readonly pauseMs?: number;
}

/**
 * Runs `work` in a transaction, and again from its start when the transaction lost against a concurrent one (40001,
 * 40P01). Every attempt has an entity manager of its own, so nothing that a lost attempt loaded survives.
 *
 * Called inside a transaction it joins and does not retry: only the outermost work can run again.
 */
export async function retryTransaction<T>(
  em: DataEntityManager,
  work: (em: DataEntityManager) => Promise<T>,
  { attempts = 5, pauseMs = 5, ...options }: RetryOptions = {},
): Promise<T> {
  if (em.isInTransaction()) return em.transactional(work, options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await em.fork().transactional(work, options);
    } catch (error) {
      if (attempt >= attempts || !isDataError(error, 'DATA.CONCURRENCY')) throw error;
      await sleep(pauseMs * 2 ** Math.min(attempt - 1, 6) * (0.5 + Math.random()));
    }
  }
}
