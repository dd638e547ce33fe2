import type { ClientConfig } from 'pg';
import { MigrationError } from './errors.ts';
import type { ExecutionEvent, MigrationEvent } from './events.ts';
import { executeFile, executePooled } from './execute.ts';
import type { Direction, Execution } from './execution.ts';
import { loadMigrations, type MigrationFile, type MigrationSource, parseFiles } from './files.ts';
import {
  createLedger,
  forget,
  hasLedger,
  type LedgerRow,
  PEEK,
  peekedRows,
  readLedger,
  record,
} from './ledger.ts';
import { clearJournal, readJournal } from './journal.ts';
import { inLockedTransaction, type LockOptions, underLock } from './lock.ts';
import { refuseLockBreakers } from './lock-breakers.ts';
import {
  type DownOptions,
  find,
  planDown,
  planUp,
  type UpOptions,
  verifyFiles,
  verifyOrder,
} from './plan.ts';
import { forgetFloor } from './phases/floor.ts';
import { throughGate } from './phases/gate.ts';
import { waiversFor } from './phases/waiver.ts';
import { refuseSessionFiles } from './pooler.ts';
import { verifyJournal } from './resume.ts';
import { Session } from './session.ts';
import { type MigrationStatus, statusOf } from './status.ts';
import { type TimeoutOptions, type Timeouts, timeoutsWith } from './timeouts.ts';

export interface MigratorOptions {
  /** A URL, or what `pg` takes; its password is never printed. */
  readonly connection: string | ClientConfig;
  /** In the order in which their migrations run. */
  readonly modules: readonly MigrationSource[];
  /** How long to wait for another run to end, in milliseconds. Default 10 minutes. */
  readonly lockTimeoutMs?: number;
  /** How often to ask for the lock, in milliseconds. Default 500. */
  readonly lockPollMs?: number;
  /** How long statements wait for locks and run, and how often a file is tried again. */
  readonly timeouts?: TimeoutOptions;
  onProgress?(event: MigrationEvent): void;
}

/** What a person has answered beforehand. */
type Answers = Pick<UpOptions, 'inDoubt' | 'waive'>;

/** One file that a run has applied or reverted. */
export interface MigrationStep {
  readonly name: string;
  readonly module: string;
  readonly path: string;
  readonly ms: number;
}

export interface MigrationResult {
  readonly direction: Direction;
  readonly steps: readonly MigrationStep[];
  /** Milliseconds, waiting for the lock included. */
  readonly ms: number;
}

/**
 * Runs the migrations of modules. Every call opens one connection of its own, reads and parses all files first, and runs
 * nothing when one of them is wrong or has been edited after it was applied.
 *
 * @example
 * ```ts
 * await new Migrator({ connection: url, modules: [gateway] }).up();
 * ```
 */
export class Migrator {
  readonly #options: MigratorOptions;
  readonly #timeouts: Timeouts;

  /** @throws RangeError for a timeout that is no number of milliseconds. */
  constructor(options: MigratorOptions) {
    this.#options = options;
    this.#timeouts = timeoutsWith(options.timeouts);
  }

  /** Applies pending files. Running it again does nothing. */
  async up(options: UpOptions = {}): Promise<MigrationResult> {
    const plan = (files: MigrationFile[], rows: LedgerRow[]): MigrationFile[] => {
      verifyOrder(files, rows);
      return planUp(files, rows, options);
    };
    return this.#run('up', plan, options);
  }

  /** Reverts applied files, newest first; by default the last one. */
  async down(options: DownOptions = {}): Promise<MigrationResult> {
    return this.#run('down', (files, rows) => planDown(files, rows, options), options);
  }

  /** Every file and every ledger row with its state; reads only, and reports what `up` would refuse. */
  async status(): Promise<MigrationStatus[]> {
    return this.#read(async (session, files) => statusOf(files, await readLedger(session), this.#modules()));
  }

  /** The last applied file of each module that has one. */
  async version(): Promise<{ module: string; name: string }[]> {
    const applied = (await this.status()).filter((row) => row.state === 'applied' || row.state === 'changed');
    const last = new Map(applied.map((row) => [row.module ?? '', row.name]));
    return [...last].map(([module, name]) => ({ module, name }));
  }

  /** Compares files and ledger and throws what `up` would throw, without running anything. */
  async verify(): Promise<void> {
    await this.#read(async (session, files) => {
      const rows = await readLedger(session);
      verifyFiles(files, rows, this.#modules());
      verifyOrder(files, rows);
    });
  }

  /**
   * Records a file as applied without running it.
   *
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when it is recorded already.
   */
  async log(name: string): Promise<void> {
    await this.#locked(async (session, files) => {
      const file = find(files, name);
      if ((await readLedger(session)).some((row) => row.filename === file.name))
        throw notThere(`${file.name} is recorded as applied already.`, file.name);
      await record(session, file.name, file.checksum);
      await forgetProgress(session, file.name);
    });
  }

  /**
   * Takes a file out of the ledger without reverting it. The full name of a file that is gone from the disk will do too.
   *
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when it is not recorded.
   */
  async unlog(name: string): Promise<void> {
    await this.#locked(async (session, files) => {
      const recorded = new Set((await readLedger(session)).map((row) => row.filename));
      const isOwn = this.#modules().some((module) => name.startsWith(`${module}/`));
      const file = isOwn && recorded.has(name) ? name : find(files, name).name;
      if (!recorded.has(file)) throw notThere(`${file} is not recorded as applied.`, file);
      await forget(session, file);
      await forgetFloor(session, file);
      await forgetProgress(session, file);
    });
  }

  async #run(
    direction: Direction,
    plan: (files: MigrationFile[], rows: LedgerRow[]) => MigrationFile[],
    answers: Answers,
  ): Promise<MigrationResult> {
    const start = performance.now();
    const planFor = (files: MigrationFile[], rows: LedgerRow[]): MigrationFile[] => {
      verifyFiles(files, rows, this.#modules());
      parseFiles(files, new Set(rows.map((row) => row.filename)));
      return plan(files, rows);
    };
    const steps = await this.#connected(async (session, files) => {
      const rows = peekedRows(session);
      parseFiles(files, new Set(rows?.map((row) => row.filename)));
      // Without anything to do there is nothing to be alone for: a start of many services does not queue.
      if (rows && planFor(files, rows).length === 0) return [];
      await session.prepare();
      return this.#exclusively(session, async () => {
        const planned = planFor(files, await readLedger(session));
        verifyJournal(files, await readJournal(session), this.#modules(), direction);
        refuseLockBreakers(planned);
        if (session.isPooled) refuseSessionFiles(planned);
        const waive = waiversFor(answers.waive ?? [], (name) => find(files, name));
        return this.#execute(session, planned, direction, { ...answers, waive });
      });
    });
    return { direction, steps, ms: performance.now() - start };
  }

  async #execute(
    session: Session,
    files: readonly MigrationFile[],
    direction: Direction,
    { inDoubt, waive = [] }: Answers,
  ): Promise<MigrationStep[]> {
    const steps: MigrationStep[] = [];
    const total = files.length;
    for (const [index, file] of files.entries()) {
      const { name, module, path } = file;
      this.#tell({ type: 'start', name, index, total });
      const start = performance.now();
      const done = steps.map((step) => step.name);
      const tell = (event: ExecutionEvent): void => this.#tell(event);
      const execution = { session, direction, done, timeouts: this.#timeouts, inDoubt, tell };
      const isOurs = await throughGate(file, execution, waive, () => this.#executeFile(file, execution));
      if (!isOurs) continue;
      const ms = performance.now() - start;
      steps.push({ name, module, path, ms });
      this.#tell({ type: direction === 'up' ? 'applied' : 'reverted', name, index, total, ms });
    }
    return steps;
  }

  /** False when another run has done the file in the meantime, which can only be where each file has a lock of its own. */
  async #executeFile(file: MigrationFile, execution: Execution): Promise<boolean> {
    const { session } = execution;
    if (session.isPooled) return executePooled(file, execution, this.#lock());
    await session.refuseChange();
    await executeFile(file, execution);
    return true;
  }

  /** Works under the lock, which through a pooler only a transaction can hold. */
  async #locked<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    return this.#read((session, files) => {
      const locked = session.isPooled ? inLockedTransaction : underLock;
      return locked(session, this.#lock(), async () => {
        await createLedger(session);
        return work(session, files);
      });
    });
  }

  /** Works under the lock; through a pooler each file takes it for itself, after the ledger was made under it. */
  async #exclusively<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const prepare = (): Promise<void> => createLedger(session);
    if (!session.isPooled) return underLock(session, this.#lock(), () => prepare().then(work));
    if (!(await hasLedger(session))) await inLockedTransaction(session, this.#lock(), prepare);
    return work();
  }

  #lock(): LockOptions {
    const { lockTimeoutMs = 600_000, lockPollMs = 500 } = this.#options;
    return {
      timeoutMs: lockTimeoutMs,
      pollMs: lockPollMs,
      onWait: (ms, holder) => this.#tell({ type: 'waiting-for-lock', ms, holder }),
    };
  }

  async #read<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    return this.#connected(async (session, files) => {
      parseFiles(files, new Set());
      await session.prepare();
      return work(session, files);
    });
  }

  /** Reads the files while the connection is made; a mistake in them is told first. */
  async #connected<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    const opening = Session.open(this.#options.connection, this.#timeouts, PEEK);
    const [loaded, opened] = await Promise.allSettled([loadMigrations(this.#options.modules), opening]);
    try {
      if (loaded.status === 'rejected') throw loaded.reason;
      if (opened.status === 'rejected') throw opened.reason;
      return await work(opened.value, loaded.value);
    } catch (error) {
      throw opened.status === 'fulfilled' ? opened.value.explain(error) : error;
    } finally {
      if (opened.status === 'fulfilled') await opened.value.close();
    }
  }

  #modules(): string[] {
    return this.#options.modules.map(({ name }) => name);
  }

  #tell(event: MigrationEvent): void {
    this.#options.onProgress?.(event);
  }
}

/** Whoever says by hand that a file is applied, or is not, has settled what a half-done run had left open. */
async function forgetProgress(session: Session, file: string): Promise<void> {
  const rows = (await readJournal(session)).filter((row) => row.filename === file);
  for (const direction of new Set(rows.map((row) => row.direction)))
    await session.run(clearJournal(file, direction));
}

function notThere(problem: string, file: string): MigrationError {
  return new MigrationError('MIGRATION.NO_SUCH_FILE', `${problem} Look at the status.`, file);
}
