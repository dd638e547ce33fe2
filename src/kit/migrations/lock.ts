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
  /** After how long an idle holder is suspected of being dead. */
  readonly suspectIdleMs: number;
  /** Called at every poll that found the lock taken. */
  onWait(waitedMs: number, holder: LockHolder | undefined): void;
}

/**
 * Takes the session lock, asking again and again: a session that waits inside `pg_advisory_lock` holds a snapshot, and a
 * concurrent index build of the holder would wait for that snapshot for ever.
 *
 * @throws LockTimeoutError
 */
async function takeLock(session: Session, options: LockOptions): Promise<void> {
  await poll(session, options, () => ask(session, 'pg_try_advisory_lock'));
}

/**
 * Begins a transaction that holds the lock until it ends. Between two polls there is no transaction, so that a pooler can
 * give its server connection to somebody else.
 *
 * @throws LockTimeoutError
 */
export async function beginLocked(session: Session, options: LockOptions): Promise<void> {
  await poll(session, options, async () => {
    await session.begin();
    const isTaken = await ask(session, 'pg_try_advisory_xact_lock');
    if (!isTaken) await session.run('rollback');
    return isTaken;
  });
}

async function poll(
  session: Session,
  { timeoutMs, pollMs, suspectIdleMs, onWait }: LockOptions,
  take: () => Promise<boolean>,
): Promise<void> {
  const start = performance.now();
  for (;;) {
    if (await take()) return;
    const holder = await lockHolder(session, LOCK_ID, suspectIdleMs);
    const waited = performance.now() - start;
    if (waited >= timeoutMs) throw new LockTimeoutError(waited, holder);
    onWait(waited, holder);
    await sleep(Math.min(pollMs, timeoutMs - waited));
  }
}

async function ask(session: Session, lock: string): Promise<boolean> {
  const [row] = await session.query<{ taken: boolean }>(`select ${lock}(${LOCK_ID}) as taken`);
  return row?.taken === true;
}

/** Works while this session holds the lock. */
export async function underLock<T>(
  session: Session,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await takeLock(session, options);
  try {
    return await work();
  } finally {
    // Closing the connection frees the lock too; the answer only matters to a connection that would be used again.
    await ask(session, 'pg_advisory_unlock').catch(() => false);
  }
}

/** Works in one transaction that holds the lock. */
export async function inLockedTransaction<T>(
  session: Session,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await beginLocked(session, options);
  return finish(session, work);
}

/** Works in one transaction. */
export async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.run('begin');
  return finish(session, work);
}

async function finish<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await session.run('commit');
    return result;
  } catch (error) {
    await session.run('rollback').catch(() => undefined);
    throw error;
  }
}
