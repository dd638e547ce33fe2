import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Form } from './gateway.ts';
import type { Task } from './task.ts';

const APPLICATION = 'tombstone-crash-victim';

/** Ends the sessions of all victims, as an administrator would. */
export const END_SESSIONS = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${APPLICATION}'`;

/** A program that records, and will be interrupted. */
export class Victim {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;
  readonly #ended: Promise<unknown>;
  #done = 0;
  #moment: { after: number; reached: () => void } | undefined;

  constructor(url: string, form: Form) {
    const preload = new URL('../../tools/from-sources.js', import.meta.url).href;
    const script = new URL('child.ts', import.meta.url).pathname;
    this.#child = spawn(process.execPath, ['--import', preload, script, form], {
      env: { ...process.env, DATABASE_URL: url, PGAPPNAME: APPLICATION },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = once(this.#child, 'close');
    this.#ready = new Promise((resolve) => {
      const lines = this.#child.stdout && createInterface(this.#child.stdout);
      lines?.on('line', (line) => (line === 'ready' ? resolve(line) : this.#count()));
    });
  }

  /** Hands it its task; settles when it has said `after` times that something is done, or has ended. */
  async work(task: Task, after: number): Promise<void> {
    await Promise.race([this.#ready, this.#ended]);
    const reached = new Promise<void>((resolve) => (this.#moment = { after, reached: resolve }));
    this.#child.stdin?.write(`${JSON.stringify(task)}\n`);
    if (after > 0) await Promise.race([reached, this.#ended]);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Whether it was interrupted: it did not get to its own end. */
  async end(): Promise<boolean> {
    await this.#ended;
    return this.#child.exitCode !== 0;
  }

  #count(): void {
    this.#done += 1;
    if (this.#moment && this.#done >= this.#moment.after) this.#moment.reached();
  }
}
