import type { MigrationEvent } from './events.ts';
import { type Loaded, type MigrationFile, parseAll, readMigrations } from './files.ts';
import { createLedger, hasLedger, PEEK } from './ledger.ts';
import { inLockedTransaction, inTransaction, type LockOptions, underLock } from './lock.ts';
import { SUSPECT_IDLE_MS } from './lock-holder.ts';
import type { MigratorOptions } from './options.ts';
import { Session } from './session.ts';
import { type Timeouts, timeoutsWith } from './timeouts.ts';
import { hasTokens } from './token-ledger.ts';

/** How an operation comes to its files, its connection and the lock. */
export class Access {
  readonly options: MigratorOptions;
  readonly timeouts: Timeouts;
  /** Names of the modules. */
  readonly modules: readonly string[];

  /** @throws RangeError for a timeout that is no number of milliseconds. */
  constructor(options: MigratorOptions) {
    this.options = options;
    this.timeouts = timeoutsWith(options.timeouts);
    this.modules = options.modules.map(({ name }) => name);
  }

  tell(event: MigrationEvent): void {
    this.options.onProgress?.(event);
  }

  /** Reads the files while the connection is made; a mistake in them is told first. */
  async connected<T>(work: (session: Session, loaded: Loaded) => Promise<T>): Promise<T> {
    const opening = Session.open(this.options.connection, this.timeouts, PEEK);
    const [loaded, opened] = await Promise.allSettled([readMigrations(this.options.modules), opening]);
    try {
      if (loaded.status === 'rejected') throw loaded.reason;
      if (opened.status === 'rejected') throw loaded.value.problems[0] ?? opened.reason;
      return await work(opened.value, loaded.value);
    } catch (error) {
      throw opened.status === 'fulfilled' ? opened.value.explain(error) : error;
    } finally {
      if (opened.status === 'fulfilled') await opened.value.close();
    }
  }

  /** Files that may run, and what is odd in the folders told. */
  accept({ files, problems, notes }: Loaded): MigrationFile[] {
    if (problems[0]) throw problems[0];
    for (const note of notes) this.tell({ type: 'note', ...note });
    return files;
  }

  /** Works on all files, parsed, without the lock. */
  async reading<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    return this.connected(async (session, loaded) => {
      const files = this.accept(parseAll(loaded));
      await session.prepare();
      return work(session, files);
    });
  }

  /** Works on the ledger in one transaction under the lock. */
  async locked<T>(work: (session: Session, files: MigrationFile[]) => Promise<T>): Promise<T> {
    return this.reading(async (session, files) => {
      const prepare = (): Promise<void> => createLedger(session);
      const change = (): Promise<T> => work(session, files);
      // Through a pooler only a transaction can hold the lock.
      if (session.isPooled) return inLockedTransaction(session, this.lock, () => prepare().then(change));
      return underLock(session, this.lock, () => prepare().then(() => inTransaction(session, change)));
    });
  }

  /** Runs files under the lock; through a pooler each takes it for itself, after the ledger was made under it. */
  async exclusively<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const prepare = (): Promise<void> => createLedger(session);
    if (!session.isPooled) return underLock(session, this.lock, () => prepare().then(work));
    if (!(await hasLedger(session)) || !(await hasTokens(session)))
      await inLockedTransaction(session, this.lock, prepare);
    return work();
  }

  get lock(): LockOptions {
    const { lockTimeoutMs = 600_000, lockPollMs = 500, suspectIdleMs = SUSPECT_IDLE_MS } = this.options;
    return {
      timeoutMs: lockTimeoutMs,
      pollMs: lockPollMs,
      suspectIdleMs,
      onWait: (ms, holder) => this.tell({ type: 'waiting-for-lock', ms, holder }),
    };
  }
}
