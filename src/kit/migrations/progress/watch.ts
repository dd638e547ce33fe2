import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../rebuild/connection.ts';
import { Session } from '../session.ts';
import { lookAt, type StatementProgress } from './statement-progress.ts';

/** Looks at another session from a connection of its own, which is made only when the run takes long enough to be looked at. */
export class StatementWatch {
  readonly #ending = new AbortController();
  readonly #ended: Promise<void>;
  #file = '';

  /**
   * @param pid the process of the session that is watched; nothing is ever sent to it.
   * @param everyMs how often to look; a statement that is faster is not seen.
   */
  constructor(
    connection: Connection,
    pid: number,
    everyMs: number,
    tell: (progress: StatementProgress) => void,
  ) {
    // What goes wrong here is nobody's business: the run goes on without being watched.
    this.#ended = this.#watch(connection, pid, everyMs, tell).catch(() => undefined);
  }

  /** The file whose statements run from now on. */
  at(file: string): void {
    this.#file = file;
  }

  /** Waits for the watching connection to close, but not for a server that does not answer it. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.race([this.#ended, sleep(1000, undefined, { ref: false })]);
  }

  async #watch(
    connection: Connection,
    pid: number,
    everyMs: number,
    tell: (progress: StatementProgress) => void,
  ): Promise<void> {
    const { signal } = this.#ending;
    await sleep(everyMs, undefined, { signal });
    const watcher = await Session.open(connection);
    try {
      // A server in trouble shall not collect questions that nobody waits for.
      await watcher.run(`set statement_timeout to '2s'; set application_name to 'tombstone progress'`);
      while (!signal.aborted) {
        const progress = await lookAt(watcher, pid, this.#file);
        if (progress && isWorthTelling(progress, everyMs) && !signal.aborted) tell(progress);
        await sleep(everyMs, undefined, { signal });
      }
    } finally {
      await watcher.close();
    }
  }
}

function isWorthTelling({ ms, phase, blockedBy }: StatementProgress, everyMs: number): boolean {
  return phase !== undefined || blockedBy.length > 0 || ms >= everyMs;
}
