import { setTimeout as sleep } from 'node:timers/promises';
import { type LockHolder, lockHolder } from './lock-holder.ts';
import { LockTimeoutError } from './lock-timeout-error.ts';
import type { Session } from './session.ts';

/** Shared with the gateway's original runner, so that both exclude each other. */
export const LOCK_ID = '694208311321144027';

/** How to wait for the lock. */
export interface LockOptions {
  /** Give up after this many milliseconds. */
  readonly timeoutMs: number;
  readonly pollMs: number;
  /** Called at every poll that found the lock taken. */
  onWait(waitedMs: number, holder: LockHolder | undefined): void;
}

/**
 * Takes the session lock, asking again and again: a session that waits inside `pg_advisory_lock` holds a snapshot, and a
 * concurrent index build of the holder would wait for that snapshot for ever.
 *
 * @throws LockTimeoutError
 */
export async function takeLock(session: Session, { timeoutMs, pollMs, onWait }: LockOptions): Promise<void> {
  const start = performance.now();
  for (;;) {
    const [row] = await session.query<{ taken: boolean }>(`select pg_try_advisory_lock(${LOCK_ID}) as taken`);
    if (row?.taken) return;
    const holder = await lockHolder(session, LOCK_ID);
    const waited = performance.now() - start;
    if (waited >= timeoutMs) throw new LockTimeoutError(waited, holder);
    onWait(waited, holder);
    await sleep(Math.min(pollMs, timeoutMs - waited));
  }
}

/** Gives the lock back; false when this session did not hold it, and the connection must then be closed. */
export async function releaseLock(session: Session): Promise<boolean> {
  const [row] = await session.query<{ released: boolean }>(
    `select pg_advisory_unlock(${LOCK_ID}) as released`,
  );
  return row?.released === true;
}
