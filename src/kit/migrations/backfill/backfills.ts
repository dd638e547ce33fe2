import type { ClientConfig } from 'pg';
import { MigrationError } from '../errors.ts';
import { loadMigrations, type MigrationFile, type MigrationSource } from '../files.ts';
import { find } from '../find-file.ts';
import { Session } from '../session.ts';
import { type BackfillRow, readBackfills, setPaused } from './ledger.ts';

/** Where a back-fill stands. */
export interface BackfillStatus extends Omit<BackfillRow, 'cursor' | 'checksum'> {
  readonly state: 'copying' | 'copied' | 'paused' | 'unverified' | 'verified';
}

/**
 * Looks after back-fills from beside the run that does them. It takes no lock: a run that is going on holds it.
 *
 * @example
 * ```ts
 * await new Backfills({ connection: url, modules: [gateway] }).pause('gateway/007_add_user_allowed_groups.sql');
 * ```
 */
export class Backfills {
  readonly #connection: string | ClientConfig;
  readonly #modules: readonly MigrationSource[];

  constructor(options: { connection: string | ClientConfig; modules: readonly MigrationSource[] }) {
    this.#connection = options.connection;
    this.#modules = options.modules;
  }

  /** Every back-fill that was begun, with its counters; of files that are applied too. */
  async status(): Promise<BackfillStatus[]> {
    return this.#with(async (session) => (await readBackfills(session)).map(statusOf));
  }

  /**
   * Makes the run stop behind the batch that it is doing, and every later run at this file, until it is resumed.
   *
   * @param name of the file: in full, without its module, or its number.
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when the file has no back-fill that was begun and is not verified.
   */
  async pause(name: string): Promise<void> {
    return this.#set(name, true);
  }

  /**
   * Takes a pause back. The next `up` goes on behind what is done.
   *
   * @throws MigrationError `MIGRATION.NO_SUCH_FILE`, as `pause` does.
   */
  async resume(name: string): Promise<void> {
    return this.#set(name, false);
  }

  async #set(name: string, isPaused: boolean): Promise<void> {
    await this.#with(async (session, files) => {
      const file = find(files, name).name;
      if ((await setPaused(session, file, isPaused)) > 0) return;
      throw new MigrationError(
        'MIGRATION.NO_SUCH_FILE',
        `${file} has no back-fill that is begun and not finished. Look at the status of back-fills.`,
        file,
      );
    });
  }

  async #with<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    const files = await loadMigrations(this.#modules);
    const session = await Session.open(this.#connection);
    try {
      return await work(session, files);
    } catch (error) {
      throw session.explain(error);
    } finally {
      await session.close();
    }
  }
}

function statusOf({ cursor: _cursor, checksum: _checksum, ...row }: BackfillRow): BackfillStatus {
  return { ...row, state: stateOf(row) };
}

function stateOf({
  verifiedAt,
  pausedAt,
  copiedAt,
  differences,
  passRows,
}: BackfillStatusRow): BackfillStatus['state'] {
  if (verifiedAt) return 'verified';
  if (pausedAt) return 'paused';
  if (copiedAt) return 'copied';
  return differences && passRows === 0 ? 'unverified' : 'copying';
}

type BackfillStatusRow = Pick<
  BackfillRow,
  'verifiedAt' | 'pausedAt' | 'copiedAt' | 'differences' | 'passRows'
>;
