import type { Access } from '../access.ts';
import { writeBaseline } from '../baseline.ts';
import { MigrationError } from '../errors.ts';
import type { MigrationFile } from '../files.ts';
import { Journal } from '../journal.ts';
import { createLedger } from '../ledger.ts';
import { inTransaction } from '../lock.ts';
import { Run } from '../run.ts';
import type { Session } from '../session.ts';
import { throughGate } from '../phases/gate.ts';
import { stepsOf } from '../step.ts';
import type { AdoptionEvent } from './adoption-event.ts';
import type { HeldLock, StepContext } from './align/align-step.ts';
import type { OnlineFile } from './adoption.ts';
import { briefly } from './align/brief.ts';
import { describeStep } from './describe-plan.ts';
import { locksOf } from './locks-of.ts';
import type { PlannedStep } from './plan.ts';
import { AdoptionRecords } from './records.ts';
import { applyRule } from './rules.ts';

/** Carries steps out in one session, which holds the lock of migrations. */
export class AdoptionRun {
  readonly #access: Access;
  readonly #session: Session;
  readonly #records: AdoptionRecords;
  readonly #tell: (event: AdoptionEvent) => void;
  readonly #held = new Map<string, HeldLock>();
  #hasLedger = false;

  private constructor(
    access: Access,
    session: Session,
    records: AdoptionRecords,
    tell: (event: AdoptionEvent) => void,
  ) {
    this.#access = access;
    this.#session = session;
    this.#records = records;
    this.#tell = tell;
  }

  static async begin(
    access: Access,
    session: Session,
    state: string,
    tell: (event: AdoptionEvent) => void,
  ): Promise<AdoptionRun> {
    return new AdoptionRun(access, session, await AdoptionRecords.open(session, state), tell);
  }

  async execute(steps: readonly PlannedStep[]): Promise<void> {
    for (const [index, step] of steps.entries()) {
      const { text } = describeStep(step);
      this.#tell({ type: 'adoption-step', text, index, total: steps.length });
      let longest: number | undefined;
      const context: StepContext = {
        session: this.#session,
        tell: this.#tell,
        held: (lock) => {
          longest = Math.max(longest ?? 0, lock.ms);
          this.#note(lock);
        },
      };
      await this.#records.keep(
        text,
        () => this.#take(step, context),
        () => longest,
      );
    }
  }

  /** Says that the adoption has come to its end. */
  async end(): Promise<void> {
    await this.#records.end();
  }

  /** The longest that each table was locked in each mode, the longest first. */
  get locks(): HeldLock[] {
    return [...this.#held.values()].toSorted((a, b) => b.ms - a.ms);
  }

  async #take(step: PlannedStep, context: StepContext): Promise<void> {
    switch (step.kind) {
      case 'rows':
        // What a program goes on storing is for the next step to refuse, or for the next run to find.
        await applyRule(step.rule.rule, context);
        return;
      case 'schema':
        return step.step.run(context);
      case 'record':
        await this.#createLedger();
        return inTransaction(this.#session, () => writeBaseline(this.#session, [step.file], 'adopt'));
      case 'online':
        return this.#online(step.file, step.online, context);
      default:
        return this.#run(step.file, step.behind, context);
    }
  }

  async #run(file: MigrationFile, behind: number, { held }: StepContext): Promise<void> {
    await this.#createLedger();
    if (behind > 0) await this.#markDone(file, behind);
    const locks = await locksOf(this.#session, file);
    const note = (ms: number, statement?: number): void => {
      for (const lock of locks)
        if (statement === undefined || lock.statement === statement)
          held({ table: lock.table, lock: lock.lock, ms, isAtMost: true });
    };
    const ran = (statement: number, ms: number): void => note(ms, statement);
    const run = new Run(this.#access, this.#session, { ran });
    const [step] = await run.execute(run.ready([file], 'up'), 'up');
    // Locks of a file with a transaction are held until it ends.
    if (file.transactional) note(step?.ms ?? 0);
  }

  /** Through the gate of the file: what stands against it stands against this way too. */
  async #online(file: MigrationFile, online: OnlineFile, context: StepContext): Promise<void> {
    const { table, begin, end } = online;
    await throughGate(file, { session: this.#session, direction: 'up', done: [] }, [], async () => {
      // Granted, it has waited for every writer that does not know of the trigger.
      await briefly(context, { tables: [table], lock: 'SHARE ROW EXCLUSIVE', statements: [begin] });
      const { text } = describeStep({ kind: 'online', file, online });
      if (!(await applyRule({ ...online, name: text }, context))) throw unsettled(text, table);
      await briefly(context, { tables: [table], lock: 'ACCESS EXCLUSIVE', statements: [end] });
    });
  }

  /** Not before it is needed: another tool's table may have to give its name free first. */
  async #createLedger(): Promise<void> {
    if (!this.#hasLedger) await createLedger(this.#session);
    this.#hasLedger = true;
  }

  /** What the catalogue shows is done: a run goes on behind it. Where an earlier run has begun, its own lines say more. */
  async #markDone(file: MigrationFile, behind: number): Promise<void> {
    const journal = await Journal.open(this.#session);
    const steps = stepsOf(file, 'up').slice(0, behind);
    for (const { entry } of steps)
      if ((await journal.done(entry)) < entry.statement) await journal.finish(entry);
  }

  #note(lock: HeldLock): void {
    const key = `${lock.table} ${lock.lock}`;
    const before = this.#held.get(key);
    if (!before || before.ms < lock.ms) this.#held.set(key, lock);
  }
}

/** Taking the old side away now would lose what only it has. */
function unsettled(text: string, table: string): MigrationError {
  return new MigrationError(
    'MIGRATION.FAILED',
    `${text}: rows of ${table} are still left on one side after several passes, because a program writes them so that they stay. Stop it, and run again: what is done is found.`,
  );
}
