import { Access } from './access.ts';
import { type BaselineOptions, planBaseline, writeBaseline } from './baseline.ts';
import { type PlannedFile, type PlanOptions, planned } from './dry-run.ts';
import { MigrationError } from './errors.ts';
import type { Direction } from './execution.ts';
import { type MigrationFile, parseAll, parsePending } from './files.ts';
import { find } from './find-file.ts';
import { allFindings } from './findings.ts';
import { forgetProgress, type JournalRow, readJournal } from './journal.ts';
import { forget, type LedgerRow, readLedger, record } from './ledger.ts';
import type { MigrationResult, MigratorOptions } from './options.ts';
import { hasNothingToDo } from './peek.ts';
import { forgetFloor } from './phases/floor.ts';
import { waiversFor } from './phases/waiver.ts';
import { type DownOptions, planDown, planUp, type UpOptions, verifyFiles, verifyOrder } from './plan.ts';
import { planRepair, type Repair, type RepairOptions, writeRepairs } from './repair.ts';
import { verifyJournal } from './resume.ts';
import { type Answers, Run } from './run.ts';
import type { Session } from './session.ts';
import { type MigrationStatus, statusOf } from './status.ts';
import { completeTokens } from './token-ledger.ts';

type Plan = (files: MigrationFile[], rows: LedgerRow[]) => MigrationFile[];

/**
 * Runs the migrations of modules. Every call opens one connection of its own, reads all files and parses what is not applied
 * first, and runs nothing when one of them is wrong or has been edited after it was applied.
 *
 * @example
 * ```ts
 * await new Migrator({ connection: url, modules: [gateway] }).up();
 * ```
 */
export class Migrator {
  readonly #access: Access;

  /** @throws RangeError for a timeout that is no number of milliseconds. */
  constructor(options: MigratorOptions) {
    this.#access = new Access(options);
  }

  /** Applies pending files. Running it again does nothing. */
  async up(options: UpOptions = {}): Promise<MigrationResult> {
    return this.#run('up', (files, rows) => orderedUp(files, rows, options), options);
  }

  /** Reverts applied files, newest first; by default the last one. */
  async down(options: DownOptions = {}): Promise<MigrationResult> {
    return this.#run('down', (files, rows) => planDown(files, rows, options), options);
  }

  /**
   * What `up`, `down` or `redo` would run, in order, with the locks that each statement takes. Reads only, and needs no values.
   *
   * @throws MigrationError what the run would refuse before its first statement.
   */
  async plan(options: PlanOptions = {}): Promise<PlannedFile[]> {
    const { direction = 'up' } = options;
    const first = direction === 'up' ? 'up' : 'down';
    const { files, journal } = await this.#access.reading(async (session, all) => {
      const { rows, journal: left } = await recorded(session);
      verifyFiles(all, rows, this.#access.modules);
      verifyJournal(all, left, this.#access.modules, first);
      return { files: filesOf(all, rows, options), journal: left };
    });
    const plan = await planned(files, first, journal);
    return direction === 'redo' ? [...plan, ...(await planned(files, 'up', journal))] : plan;
  }

  /** Every file and every ledger row with its state; reads only, and reports what `up` would refuse. */
  async status(): Promise<MigrationStatus[]> {
    return this.#access.reading(async (session, files) =>
      statusOf(files, await recorded(session), this.#access.modules),
    );
  }

  /** The last applied file of each module that has one. */
  async version(): Promise<{ module: string; name: string }[]> {
    const applied = (await this.status()).filter(
      ({ state, appliedAt }) => appliedAt && state !== 'missing' && state !== 'foreign',
    );
    const last = new Map(applied.map((row) => [row.module ?? '', row.name]));
    return [...last].map(([module, name]) => ({ module, name }));
  }

  /** Compares files and ledger and throws what `up` would throw, without running anything. */
  async verify(): Promise<void> {
    const [worst] = await this.findings();
    if (worst) throw worst;
  }

  /** Everything that `up` would refuse, the worst first. Reads only, and reports all bad files, not the first. */
  async findings(): Promise<MigrationError[]> {
    return this.#access.connected(async (session, loaded) => {
      const { files, problems } = parseAll(loaded);
      return allFindings(files, problems, await recorded(session), this.#access.modules);
    });
  }

  /**
   * Brings the ledger in line with files that were edited or renamed, and writes down who did it.
   *
   * @throws MigrationError `MIGRATION.CHECKSUM_MISMATCH` for changed statements, unless they are accepted.
   */
  async repair(options: RepairOptions): Promise<Repair[]> {
    const plan = async (session: Session, files: MigrationFile[]): Promise<Repair[]> =>
      planRepair(files, await readLedger(session), options);
    if (options.dryRun) return this.#access.reading(plan);
    return this.#access.locked(async (session, files) => {
      const repairs = await plan(session, files);
      if (repairs.length > 0) await writeRepairs(session, files, repairs, options.by);
      return repairs;
    });
  }

  /** Records files as applied without running them, for a database that has their tables already. */
  async baseline(options: BaselineOptions): Promise<string[]> {
    return this.#access.locked(async (session, files) => {
      const chosen = planBaseline(files, await readLedger(session), options);
      await writeBaseline(session, chosen, options.by);
      return chosen.map(({ name }) => name);
    });
  }

  /** Reverts the last applied file and applies it again, with one lock around both. */
  async redo(): Promise<MigrationResult[]> {
    const start = performance.now();
    return this.#access.reading((session, files) =>
      this.#access.exclusively(session, async () => {
        const last = await this.#planned(session, files, 'down', (all, rows) => planDown(all, rows, {}));
        const run = new Run(this.#access, session, {});
        // Values are looked up for both before anything runs.
        const ready = run.ready(run.ready(last, 'down'), 'up');
        const results: MigrationResult[] = [];
        for (const direction of ['down', 'up'] as const) {
          const steps = await run.execute(ready, direction);
          results.push({ direction, steps, ms: performance.now() - start });
        }
        return results;
      }),
    );
  }

  /**
   * Records a file as applied without running it.
   *
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when it is recorded already.
   */
  async log(name: string): Promise<void> {
    await this.#access.locked(async (session, files) => {
      const file = find(files, name);
      if ((await readLedger(session)).some((row) => row.filename === file.name))
        throw notThere(`${file.name} is recorded as applied already.`, file.name);
      await record(session, file);
      await forgetProgress(session, file.name);
    });
  }

  /**
   * Takes a file out of the ledger without reverting it. The full name of a file that is gone from the disk will do too.
   *
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when it is not recorded.
   */
  async unlog(name: string): Promise<void> {
    await this.#access.locked(async (session, files) => {
      const names = new Set((await readLedger(session)).map((row) => row.filename));
      const isOwn = this.#access.modules.some((module) => name.startsWith(`${module}/`));
      const file = isOwn && names.has(name) ? name : find(files, name).name;
      if (!names.has(file)) throw notThere(`${file} is not recorded as applied.`, file);
      await forget(session, file);
      await forgetFloor(session, file);
      await forgetProgress(session, file);
    });
  }

  async #run(direction: Direction, plan: Plan, answers: Answers): Promise<MigrationResult> {
    const start = performance.now();
    const steps = await this.#access.connected(async (session, loaded) => {
      const files = this.#access.accept(loaded);
      if (await hasNothingToDo(session, files, (rows) => this.#verified(files, rows, plan))) return [];
      await session.prepare();
      return this.#access.exclusively(session, async () => {
        const chosen = await this.#planned(session, files, direction, plan);
        const waive = waiversFor(answers.waive ?? [], (name) => find(files, name));
        const run = new Run(this.#access, session, { ...answers, waive });
        return run.execute(run.ready(chosen, direction), direction);
      });
    });
    return { direction, steps, ms: performance.now() - start };
  }

  /** What a run takes, after everything was compared that has to agree. Call it under the lock. */
  async #planned(
    session: Session,
    files: MigrationFile[],
    direction: Direction,
    plan: Plan,
  ): Promise<MigrationFile[]> {
    const { rows, journal } = await recorded(session);
    const chosen = this.#verified(files, rows, plan);
    verifyJournal(files, journal, this.#access.modules, direction);
    await completeTokens(session, files, rows);
    return chosen;
  }

  #verified(files: MigrationFile[], rows: LedgerRow[], plan: Plan): MigrationFile[] {
    parsePending(files, rows);
    verifyFiles(files, rows, this.#access.modules);
    return plan(files, rows);
  }
}

function orderedUp(files: MigrationFile[], rows: LedgerRow[], options: UpOptions): MigrationFile[] {
  verifyOrder(files, rows);
  return planUp(files, rows, options);
}

function filesOf(files: MigrationFile[], rows: LedgerRow[], options: PlanOptions): MigrationFile[] {
  if (options.direction === 'redo') return planDown(files, rows, {});
  return options.direction === 'down' ? planDown(files, rows, options) : orderedUp(files, rows, options);
}

async function recorded(session: Session): Promise<{ rows: LedgerRow[]; journal: JournalRow[] }> {
  return { rows: await readLedger(session), journal: await readJournal(session) };
}

function notThere(problem: string, file: string): MigrationError {
  return new MigrationError('MIGRATION.NO_SUCH_FILE', `${problem} Look at the status.`, file);
}
