import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const APPLICATION = 'tombstone-crash-victim';

/** The sessions of all victims, as SQL behind FROM; each has the name of its victim. */
export const SESSIONS = `pg_stat_activity where application_name like '${APPLICATION}-%'`;

/** Ends the sessions of all victims, as an administrator would. */
export const END_SESSIONS = `select pg_terminate_backend(pid) from ${SESSIONS}`;

let started = 0;

/** A program that works, and will be interrupted. It says `ready`, takes its task as a line, and then a line for all that is done. */
export class Victim {
  /** Under which it is connected. */
  readonly name = `${APPLICATION}-${(started += 1)}`;
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;
  readonly #ended: Promise<unknown>;
  readonly #said: string[] = [];
  #moment: { after: number; reached: () => void } | undefined;

  /** @param script the program, and its arguments. */
  constructor(url: string, script: URL, args: readonly string[] = []) {
    const preload = new URL('../tools/from-sources.js', import.meta.url).href;
    this.#child = spawn(process.execPath, ['--import', preload, script.pathname, ...args], {
      env: { ...process.env, DATABASE_URL: url, PGAPPNAME: this.name },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = once(this.#child, 'close');
    this.#ready = new Promise((resolve) => {
      const lines = this.#child.stdout && createInterface(this.#child.stdout);
      lines?.on('line', (line) => (line === 'ready' ? resolve(line) : this.#hear(line)));
    });
  }

  /** What it has said was done, in order; all of it when {@link end} has settled. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** Hands it its task; settles when it has said `after` times that something is done, or has ended. */
  async work(task: object, after: number): Promise<void> {
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

  #hear(line: string): void {
    this.#said.push(line);
    if (this.#moment && this.#said.length >= this.#moment.after) this.#moment.reached();
  }
}
