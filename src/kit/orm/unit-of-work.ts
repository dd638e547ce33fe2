import type { DataEntityManager } from './data-entity-manager.ts';

/**
 * Runs `work` in one transaction, the caller's when there is one, with an entity manager that holds nothing else: what
 * the caller has loaded is neither flushed along nor returned stale.
 */
export async function unitOfWork<T>(
  em: DataEntityManager,
  work: (em: DataEntityManager) => Promise<T>,
): Promise<T> {
  return em.transactional(async (tx) => {
    const own = tx.fork({ keepTransactionContext: true });
    const result = await work(own);
    await own.flush();
    return result;
  });
}
