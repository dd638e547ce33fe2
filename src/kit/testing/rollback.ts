import type { EntityManager } from '@mikro-orm/core';

/**
 * Runs `work` in a transaction of a fork that is rolled back afterwards, whether `work` succeeds or fails, and passes
 * on what it returned. A `transactional` inside joins or nests as usual; nothing of it stays.
 *
 * Only what goes through the given fork is undone, so hand it to the code under test. Sequences keep their values.
 */
export async function withRollback<Manager extends EntityManager, T>(
  em: Manager,
  work: (em: Manager) => Promise<T>,
): Promise<T> {
  const fork = em.fork();
  await fork.begin();
  let result: T;
  try {
    result = await work(fork);
  } catch (error) {
    // The reason of the failure is worth more than a rollback that fails on a lost connection.
    await fork.rollback().catch(() => undefined);
    throw error;
  }
  await fork.rollback();
  return result;
}
