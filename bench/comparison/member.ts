import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ready, Reply, Request } from './child.ts';
import type { Connections } from './library.ts';
import type { LibraryFile } from './libraries.ts';

export type Answer = Extract<Reply, { turn: object }>;

/** For tests, which run before anything is built: a service imports compiled files, and so does the bench. */
const FROM_SOURCES = process.env['BENCH_FROM_SOURCES']
  ? ['--import', new URL('../../tools/from-sources.js', import.meta.url).href]
  : [];

/** A library in a process of its own, so that its processor time and its memory are nobody else's. */
export class Member {
  readonly name: string;
  readonly ready: Ready;
  readonly #process: ChildProcess;

  private constructor(name: string, process: ChildProcess, ready: Ready) {
    this.name = name;
    this.#process = process;
    this.ready = ready;
  }

  /** @throws Error naming the library, when it cannot be loaded or does not reach the database. */
  static async start({ name, path }: LibraryFile, { url, size }: Connections): Promise<Member> {
    const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [path, url, String(size)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning', ...FROM_SOURCES],
    });
    const reply = await replyOf(name, child);
    if ('ready' in reply) return new Member(name, child, reply.ready);
    child.kill();
    throw new Error(`${name} does not start. ${reasonOf(reply)}`);
  }

  /** Runs a turn. @throws Error naming the library, when a call fails. */
  async run(request: Request): Promise<Answer> {
    const reply = replyOf(this.name, this.#process);
    this.#process.send(request);
    const answer = await reply;
    if ('turn' in answer) return answer;
    throw new Error(`${this.name} ${request.way} fails at ${request.workload}. ${reasonOf(answer)}`);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill();
    await ended;
  }
}

const reasonOf = (reply: Reply): string => ('failed' in reply ? reply.failed : 'It gave an unknown reply.');

function replyOf(name: string, child: ChildProcess): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`The process of ${name} ended with ${String(code)}. Its last lines are above.`));
    child.once('exit', onExit);
    child.once('message', (reply) => {
      child.off('exit', onExit);
      resolve(reply as Reply);
    });
  });
}
