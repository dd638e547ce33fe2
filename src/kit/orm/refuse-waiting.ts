import type { Pool } from 'pg';

type End = (...args: unknown[]) => unknown;

interface Waiting {
  callback(error: Error): void;
}

/**
 * Lets the end of a pool refuse those who wait for a place in it, as it refuses whoever comes later: the pool itself forgets
 * them, so that their calls would never settle.
 */
export function refuseWaiting(pool: Pool): void {
  const end = pool.end.bind(pool) as End;
  const ended: End = (...args) => {
    const answer = end(...args);
    const { _pendingQueue: waiting = [] } = pool as { _pendingQueue?: Waiting[] };
    for (const { callback } of waiting.splice(0))
      callback(new Error('Cannot use a pool after calling end on the pool'));
    return answer;
  };
  Object.assign(pool, { end: ended });
}
