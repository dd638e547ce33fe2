import type { TransactionOptions } from '@mikro-orm/core';
import type { DataEntityManager } from '../orm/index.ts';
import { type Attempts, retryLostRace } from './retry-lost-race.ts';

/** How often, how long apart, and in what transaction. */
export interface RetryOptions extends TransactionOptions, Attempts {}

/**
 * Runs `work` in a transaction, and again from its start when the transaction lost against a concurrent one (40001,
 * 40P01). Every attempt has an entity manager of its own, so nothing that a lost attempt loaded survives.
 *
 * Called inside a transaction it joins and does not retry: only the outermost work can run again.
 */
export async function retryTransaction<T>(
  em: DataEntityManager,
  work: (em: DataEntityManager) => Promise<T>,
  { attempts, pauseMs, ...options }: RetryOptions = {},
): Promise<T> {
  if (em.isInTransaction()) return em.transactional(work, options);
  const limits = { ...(attempts !== undefined && { attempts }), ...(pauseMs !== undefined && { pauseMs }) };
  return retryLostRace(() => em.fork().transactional(work, options), limits);
}
