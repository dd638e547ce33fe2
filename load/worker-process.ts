import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Assignment, Order, Word } from './messages.ts';

/** The name of the sessions, by which they are found in `pg_stat_activity`. */
export const APPLICATION = 'tombstone-load';

/** So long it may take to close what it has open, when all its calls have ended. */
const LEAVE_MS = 30_000;

/** A process of callers, seen from the one that orders it. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #words: Word[] = [];
  #wake: () => void = () => undefined;

  constructor(url: string, assignment: Assignment) {
    const preload = new URL('../tools/from-sources.js', import.meta.url).href;
    this.#child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [JSON.stringify(assignment)], {
      execArgv: ['--import', preload],
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url, PGAPPNAME: APPLICATION },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
    void this.#ended.then(() => this.#wake());
    this.#child.on('message', (word: Word) => {
      this.#words.push(word);
      this.#wake();
    });
  }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** Waits for what it says next. @throws Error with a sentence when it has ended instead. */
  async word<Type extends Word['type']>(type: Type): Promise<Extract<Word, { type: Type }>> {
    for (;;) {
      const index = this.#words.findIndex((word) => word.type === type);
      if (index >= 0) return this.#words.splice(index, 1)[0] as Extract<Word, { type: Type }>;
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(
          `A process of callers ended before its time (${signalCode ?? `exit code ${exitCode}`}). Look at its last lines, and run the load again.`,
        );
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Lets it close its sessions and end. @throws Error when it does not: a session of it was lost, and nobody gives it back. */
  async leave(): Promise<void> {
    this.order({ type: 'leave' });
    const isLate = await Promise.race([this.#ended.then(() => false), sleep(LEAVE_MS, true, { ref: false })]);
    if (!isLate) return;
    await this.kill();
    throw new Error(
      `A process of callers could not close its sessions within ${LEAVE_MS / 1000} s. Look for a call that took a connection and never gave it back.`,
    );
  }

  /** Ends it at once; one that has ended is left alone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
