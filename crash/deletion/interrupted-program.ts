import { setTimeout as sleep } from 'node:timers/promises';
import { type Proxy, startProxy } from '../proxy.ts';
import type { Random } from '../random.ts';
import { SESSIONS, Victim } from '../victim.ts';
import type { Task } from './child.ts';
import { type House, STEPS } from './operations.ts';

/** How programs are interrupted, in turn. */
export const FAULTS = ['SIGKILL', 'session ended', 'socket cut'] as const;

const LONGEST_DELAY_MS = 12;
const WAIT_MS = 30_000;
const CHILD = new URL('child.ts', import.meta.url);

/** A program that is connected, and waits to be given its task and to be interrupted at it. */
export class InterruptedProgram {
  readonly #proxy: Proxy;
  readonly #victim: Victim;

  private constructor(proxy: Proxy, byHand: boolean) {
    this.#proxy = proxy;
    this.#victim = new Victim(proxy.url, CHILD, byHand ? ['by-hand'] : []);
  }

  /** @param byHand whether it works by statements that each stand alone. */
  static async start(url: string, byHand: boolean): Promise<InterruptedProgram> {
    return new InterruptedProgram(await startProxy(url), byHand);
  }

  /** Lets it work and strikes at a random moment. Answers whether it was interrupted, when the server has ended its sessions. */
  async interrupt(
    house: House,
    fault: (typeof FAULTS)[number],
    task: Task,
    random: Random,
  ): Promise<boolean> {
    // Each operation says two lines.
    await this.#victim.work(task, 1 + random.below(task.trees * STEPS * 2 - 12));
    await sleep(random.below(LONGEST_DELAY_MS));
    const own = `${SESSIONS} and application_name = '${this.#victim.name}'`;
    if (fault === 'SIGKILL') this.#victim.kill();
    else if (fault === 'socket cut') this.#proxy.cut();
    else await house.rows(`select pg_terminate_backend(pid) from ${own}`);
    const isInterrupted = await this.#victim.end();
    // What was sent before may still be at work, up to the commit.
    for (const deadline = performance.now() + WAIT_MS; (await house.rows(`select from ${own}`)).length > 0;) {
      if (performance.now() > deadline)
        throw new Error('A session of a program that has ended does not end.');
      await sleep(2);
    }
    await this.#proxy.close();
    return isInterrupted;
  }

  /** By tree, how many operations it has said to have begun and done. */
  progress(): Map<number, { begun: number; done: number }> {
    const progress = new Map<number, { begun: number; done: number }>();
    for (const line of this.#victim.said) {
      const [tree = '', what] = line.split(' ');
      const own = progress.get(Number(tree)) ?? { begun: 0, done: 0 };
      progress.set(Number(tree), own);
      if (what === 'begun') own.begun += 1;
      else own.done += 1;
    }
    return progress;
  }
}
