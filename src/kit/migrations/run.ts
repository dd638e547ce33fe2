import type { Access } from './access.ts';
import { executeFile, executePooled } from './execute.ts';
import type { Direction, Execution } from './execution.ts';
import { type MigrationFile, notesOf } from './files.ts';
import { refuseLockBreakers } from './lock-breakers.ts';
import type { MigrationStep } from './options.ts';
import { throughGate } from './phases/gate.ts';
import type { UpOptions } from './plan.ts';
import { refuseSessionFiles } from './pooler.ts';
import type { StatementProgress } from './progress/statement-progress.ts';
import { StatementWatch } from './progress/watch.ts';
import type { Session } from './session.ts';
import { substitute } from './substitute.ts';

/** What a person has answered beforehand, and who hears of statements. */
export type Answers = Pick<UpOptions, 'inDoubt' | 'waive'> & Pick<Execution, 'ran'>;

/** A run of files that were planned, in one session. */
export class Run {
  readonly #access: Access;
  readonly #session: Session;
  readonly #answers: Answers;

  constructor(access: Access, session: Session, answers: Answers) {
    this.#access = access;
    this.#session = session;
    this.#answers = answers;
  }

  /**
   * Looks values up and refuses what cannot be run, before the first file runs. Only for the direction that will run: a file
   * that is applied already needs no values for its Up.
   *
   * @throws MigrationError
   */
  ready(files: readonly MigrationFile[], direction: Direction): MigrationFile[] {
    const ready = files.map((file) => ({
      ...file,
      [direction]: substitute(file, file[direction] ?? [], this.#access.options.variables),
    }));
    refuseLockBreakers(ready);
    if (this.#session.isPooled) refuseSessionFiles(ready);
    return ready;
  }

  /** Runs files that are {@link ready}, watched from a second connection where that was asked for. */
  async execute(files: readonly MigrationFile[], direction: Direction): Promise<MigrationStep[]> {
    const { connection, statementProgressMs: everyMs } = this.#access.options;
    // Behind a pooler the process behind the connection changes, and another's statements would be shown.
    if (everyMs === undefined || files.length === 0 || this.#session.isPooled) {
      return this.#executeAll(files, direction);
    }
    const tell = (event: StatementProgress) => this.#access.tell(event);
    const watch = new StatementWatch(connection, this.#session.processId, everyMs, tell);
    try {
      return await this.#executeAll(files, direction, watch);
    } finally {
      await watch.stop();
    }
  }

  async #executeAll(
    files: readonly MigrationFile[],
    direction: Direction,
    watch?: StatementWatch,
  ): Promise<MigrationStep[]> {
    for (const note of files.flatMap(notesOf)) this.#access.tell({ type: 'note', ...note });
    const steps: MigrationStep[] = [];
    const total = files.length;
    for (const [index, file] of files.entries()) {
      const { name, module, path } = file;
      this.#access.tell({ type: 'start', name, index, total });
      watch?.at(name);
      const start = performance.now();
      const done = steps.map((step) => step.name);
      const execution = this.#execution(direction, done);
      const { waive = [] } = this.#answers;
      const isOurs = await throughGate(file, execution, waive, () => this.#executeFile(file, execution));
      if (!isOurs) continue;
      const ms = performance.now() - start;
      steps.push({ name, module, path, ms });
      this.#access.tell({ type: direction === 'up' ? 'applied' : 'reverted', name, index, total, ms });
    }
    return steps;
  }

  #execution(direction: Direction, done: readonly string[]): Execution {
    return {
      session: this.#session,
      direction,
      done,
      timeouts: this.#access.timeouts,
      inDoubt: this.#answers.inDoubt,
      ran: (statement, ms) => this.#answers.ran?.(statement, ms),
      tell: (event) => this.#access.tell(event),
    };
  }

  /** False when another run has done the file in the meantime, which can only be where each file has a lock of its own. */
  async #executeFile(file: MigrationFile, execution: Execution): Promise<boolean> {
    if (this.#session.isPooled) return executePooled(file, execution, this.#access.lock);
    await this.#session.refuseChange();
    await executeFile(file, execution);
    return true;
  }
}
