import type { ClientConfig } from 'pg';
import { type PlannedFile, planned } from './dry-run.ts';
import { MigrationError } from './errors.ts';
import { type Direction, executeFile } from './execute.ts';
import { type BaselineOptions, planBaseline, writeBaseline } from './baseline.ts';
import {
  inspectMigrations,
  loadMigrations,
  type MigrationFile,
  type MigrationNote,
  type MigrationSource,
} from './files.ts';
import { allFindings } from './findings.ts';
import { createLedger, forget, type LedgerRow, readLedger, record } from './ledger.ts';
import { releaseLock, takeLock } from './lock.ts';
import {
  type DownOptions,
  find,
  planDown,
  planUp,
  type UpOptions,
  verifyFiles,
  verifyOrder,
} from './plan.ts';
import type { StatementProgress } from './progress/statement-progress.ts';
import { StatementWatch } from './progress/watch.ts';
import { planRepair, type Repair, type RepairOptions, writeRepairs } from './repair.ts';
import { Session } from './session.ts';
import { type MigrationStatus, statusOf } from './status.ts';
import { substitute, type Variables } from './substitute.ts';
import { completeTokens } from './token-ledger.ts';

/** What a run tells while it goes on. */
export type MigrationEvent =
  | ({ readonly type: 'note' } & MigrationNote)
  | StatementProgress
  | { readonly type: 'waiting-for-lock'; readonly ms: number }
  | { readonly type: 'start'; readonly name: string; readonly index: number; readonly total: number }
  | {
      readonly type: 'applied' | 'reverted';
      readonly name: string;
      readonly index: number;
      readonly total: number;
      readonly ms: number;
    };

export interface MigratorOptions {
  /** A URL, or what `pg` takes; its password is never printed. */
  readonly connection: string | ClientConfig;
  /** In the order in which their migrations run. */
  readonly modules: readonly MigrationSource[];
  /** How long to wait for another run to end, in milliseconds. Default 10 minutes. */
  readonly lockTimeoutMs?: number;
  /** How often to ask for the lock, in milliseconds. Default 500. */
  readonly lockPollMs?: number;
  /** Values for `-- +goose ENVSUB ON`. The engine never reads the environment; without this no variable is set. */
  readonly variables?: Variables;
  /** Look at the running statement this often, in milliseconds, from a second connection. Left out: never. */
  readonly statementProgressMs?: number | undefined;
  onProgress?(event: MigrationEvent): void;
}

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

  constructor(options: MigratorOptions) {
    this.#options = options;
  }

  /** Applies pending files. Running it again does nothing. */
  async up(options: UpOptions = {}): Promise<MigrationResult> {
    return this.#run('up', (files, rows) => {
      verifyOrder(files, rows);
      return planUp(files, rows, options);
    });
  }

  /** Reverts applied files, newest first; by default the last one. */
  async down(options: DownOptions = {}): Promise<MigrationResult> {
    return this.#run('down', (files, rows) => planDown(files, rows, options));
  }

  /** What `up` would run, in order, with the locks that each statement takes. Reads only, and needs no values. */
  async plan(options: UpOptions = {}): Promise<PlannedFile[]> {
    const files = await this.#read(async (session, all) => {
      const rows = await readLedger(session);
      verifyFiles(all, rows, this.#modules());
      verifyOrder(all, rows);
      return planUp(all, rows, options);
    });
    return planned(files, 'up');
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
    const [worst] = await this.findings();
    if (worst) throw worst;
  }

  /** Everything that `up` would refuse, the worst first. Reads only, and reports all bad files, not the first. */
  async findings(): Promise<MigrationError[]> {
    const { files, problems } = await inspectMigrations(this.#options.modules);
    const rows = await this.#connected(readLedger);
    return allFindings(files, problems, rows, this.#modules());
  }

  /**
   * Brings the ledger in line with files that were edited or renamed, and writes down who did it.
   *
   * @throws MigrationError `MIGRATION.CHECKSUM_MISMATCH` for changed statements, unless they are accepted.
   */
  async repair(options: RepairOptions): Promise<Repair[]> {
    if (options.dryRun)
      return this.#read(async (session, files) => planRepair(files, await readLedger(session), options));
    return this.#locked(async (session, files) => {
      const repairs = planRepair(files, await readLedger(session), options);
      if (repairs.length > 0) await writeRepairs(session, files, repairs, options.by);
      return repairs;
    });
  }

  /** Records files as applied without running them, for a database that has their tables already. */
  async baseline(options: BaselineOptions): Promise<string[]> {
    return this.#locked(async (session, files) => {
      const chosen = planBaseline(files, await readLedger(session), options);
      await writeBaseline(session, chosen, options.by);
      return chosen.map(({ name }) => name);
    });
  }

  /** Reverts the last applied file and applies it again, with one lock around both. */
  async redo(): Promise<MigrationResult[]> {
    const start = performance.now();
    return this.#locked(async (session, files) => {
      const rows = await readLedger(session);
      verifyFiles(files, rows, this.#modules());
      const last = planDown(files, rows, {});
      const results: MigrationResult[] = [];
      // Values are looked up for both before anything runs.
      const ready = this.#withValues(this.#withValues(last, 'down'), 'up');
      for (const direction of ['down', 'up'] as const) {
        const steps = await this.#execute(session, ready, direction);
        results.push({ direction, steps, ms: performance.now() - start });
      }
      return results;
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
      await record(session, file);
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
    });
  }

  async #run(
    direction: Direction,
    plan: (files: MigrationFile[], rows: LedgerRow[]) => MigrationFile[],
  ): Promise<MigrationResult> {
    const start = performance.now();
    const steps = await this.#locked(async (session, files) => {
      const rows = await readLedger(session);
      verifyFiles(files, rows, this.#modules());
      await completeTokens(session, files, rows);
      return this.#execute(session, this.#withValues(plan(files, rows), direction), direction);
    });
    return { direction, steps, ms: performance.now() - start };
  }

  /** Of the direction that will run only: what is applied already needs no values. */
  #withValues(files: readonly MigrationFile[], direction: Direction): MigrationFile[] {
    return files.map((file) => ({
      ...file,
      [direction]: substitute(file, file[direction] ?? [], this.#options.variables),
    }));
  }

  async #execute(
    session: Session,
    files: readonly MigrationFile[],
    direction: Direction,
  ): Promise<MigrationStep[]> {
    const { connection, statementProgressMs: everyMs } = this.#options;
    if (everyMs === undefined || files.length === 0) return this.#executeAll(session, files, direction);
    const watch = new StatementWatch(connection, session.processId, everyMs, (event) => this.#tell(event));
    try {
      return await this.#executeAll(session, files, direction, watch);
    } finally {
      await watch.stop();
    }
  }

  async #executeAll(
    session: Session,
    files: readonly MigrationFile[],
    direction: Direction,
    watch?: StatementWatch,
  ): Promise<MigrationStep[]> {
    const steps: MigrationStep[] = [];
    const total = files.length;
    for (const [index, file] of files.entries()) {
      const { name, module, path } = file;
      this.#tell({ type: 'start', name, index, total });
      watch?.at(name);
      const start = performance.now();
      await executeFile(
        session,
        file,
        direction,
        steps.map((step) => step.name),
      );
      const ms = performance.now() - start;
      steps.push({ name, module, path, ms });
      this.#tell({ type: direction === 'up' ? 'applied' : 'reverted', name, index, total, ms });
    }
    return steps;
  }

  async #locked<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    const { lockTimeoutMs = 600_000, lockPollMs = 500 } = this.#options;
    return this.#read(async (session, files) => {
      await takeLock(session, {
        timeoutMs: lockTimeoutMs,
        pollMs: lockPollMs,
        onWait: (ms) => this.#tell({ type: 'waiting-for-lock', ms }),
      });
      try {
        await createLedger(session);
        return await work(session, files);
      } finally {
        // Closing the connection frees the lock too; the answer only matters to a connection that would be used again.
        await releaseLock(session).catch(() => false);
      }
    });
  }

  async #read<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    const { files, notes } = await loadMigrations(this.#options.modules);
    for (const note of notes) this.#tell({ type: 'note', ...note });
    return this.#connected((session) => work(session, files));
  }

  async #connected<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await Session.open(this.#options.connection);
    try {
      return await work(session);
    } catch (error) {
      throw session.explain(error);
    } finally {
      await session.close();
    }
  }

  #modules(): string[] {
    return this.#options.modules.map(({ name }) => name);
  }

  #tell(event: MigrationEvent): void {
    this.#options.onProgress?.(event);
  }
}

function notThere(problem: string, file: string): MigrationError {
  return new MigrationError('MIGRATION.NO_SUCH_FILE', `${problem} Look at the status.`, file);
}
