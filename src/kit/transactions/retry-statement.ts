import type { DataEntityManager } from '../orm/index.ts';
import { retryLostRace } from './retry-lost-race.ts';

/**
 * Runs a single statement, and again when it lost against a concurrent transaction (40001, 40P01): one that waits for one row
 * only may lose as well, in a cycle of others who queue for that row in front of it and behind it.
 *
 * In a transaction of the caller it runs once, because that transaction has lost with it and only the whole can run again.
 * Not an async function, which would give the promise back three turns of the queue later.
 */
export function retryStatement<T>(em: DataEntityManager, statement: () => Promise<T>): Promise<T> {
  try {
    return em.isInTransaction() ? statement() : retryLostRace(statement);
  } catch (error) {
    return Promise.reject(error);
  }
}
