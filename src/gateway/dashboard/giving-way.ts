import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import { retryLostRace } from '../../kit/transactions/index.ts';
import { lockWatermark } from './watermark.ts';

/** Half a minute in all, when no lock comes. */
const ATTEMPTS = { attempts: 12, pauseMs: 50 };

/**
 * Runs a change of partitions in a transaction of its own, behind other aggregation and clean-up. Whoever waits for a strong
 * lock keeps everybody behind it waiting; so it waits for half a second at most and tries again later. That is shorter than
 * the second after which the server looks for deadlocks, so it is never a writer that loses one.
 *
 * In a transaction of the caller it joins, and waits as the caller has said.
 */
export async function givingWay<T>(
  em: DataEntityManager,
  work: (em: DataEntityManager) => Promise<T>,
): Promise<T> {
  const attempt = (setting?: string): Promise<T> =>
    unitOfWork(em, async (tx) => {
      // Others aggregate for longer than half a second, and stop nobody.
      await lockWatermark(tx);
      if (setting) await tx.execute(setting);
      return work(tx);
    });
  return em.isInTransaction()
    ? attempt()
    : retryLostRace(() => attempt('set local lock_timeout = 500'), ATTEMPTS);
}
