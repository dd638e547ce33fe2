import { retryLostRace } from '../transactions/index.ts';
import type { Run } from './catalogue.ts';

/** Waits, in a transaction that has just begun, for those that have lost before. */
export type Queue = (run: Run) => Promise<void>;

/** There is nobody to wait for. */
export const NOBODY: Queue = () => Promise.resolve();

/** Any number that nothing else of a database is likely to lock. */
const TURNS = 0x746f6d62;

const behindOthers: Queue = async (run) => {
  await run('select pg_advisory_xact_lock(?)', [TURNS]);
};

/**
 * Runs work of a transaction again when it has lost against another one. Trees that meet from different ends lock each other out level
 * by level; were all of them to start again at once, they would meet again. So those that have lost once go one behind the other.
 */
export function inTurnsWhenLost<T>(work: (queue: Queue) => Promise<T>): Promise<T> {
  let queue = NOBODY;
  return retryLostRace(async () => {
    const own = queue;
    queue = behindOthers;
    return work(own);
  });
}
