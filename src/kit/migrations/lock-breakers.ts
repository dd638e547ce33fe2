import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { StatementCursor } from './statement-cursor.ts';

/**
 * Refuses statements that would give the run's own lock away, and with it let a second run begin in the middle of this one.
 *
 * @throws MigrationError `MIGRATION.UNSUPPORTED`; nothing has run.
 */
export function refuseLockBreakers(files: readonly MigrationFile[]): void {
  for (const file of files) {
    const breaker = [...file.up, ...(file.down ?? [])].find(({ text }) => breaksLock(text));
    if (!breaker) continue;
    throw new MigrationError(
      'MIGRATION.UNSUPPORTED',
      `${file.name}:${breaker.line}: DISCARD ALL and pg_advisory_unlock_all() give the lock of this run away. ` +
        'Remove the statement: the session is reset after each file anyway.',
      file.name,
      { line: breaker.line },
    );
  }
}

function breaksLock(text: string): boolean {
  if (/\bpg_advisory_unlock_all\b/i.test(text)) return true;
  return /^discard\b/i.test(text) && new StatementCursor(text).take('discard', 'all');
}
