import { MigrationError } from './errors.ts';
import { describeHolder, type LockHolder } from './lock-holder.ts';

/** Another run held the lock until the deadline; nothing has run. */
export class LockTimeoutError extends MigrationError {
  override readonly name = 'LockTimeoutError';
  /** Who held it at the end. */
  readonly holder: LockHolder | undefined;

  constructor(waitedMs: number, holder: LockHolder | undefined) {
    const who = holder ? ` Its session: ${describeHolder(holder)}` : '';
    super(
      'MIGRATION.LOCK_TIMEOUT',
      `Another migration run has held the lock for ${Math.round(waitedMs / 1000)} s.${who}\n` +
        'Wait for it, or end its session with pg_terminate_backend; the next run goes on behind it.',
      undefined,
      { waitedMs: Math.round(waitedMs), holder },
    );
    this.holder = holder;
  }
}
