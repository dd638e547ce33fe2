import { audit } from './audit.ts';
import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { forgetProgress } from './journal.ts';
import { type LedgerRow, record } from './ledger.ts';
import { find } from './find-file.ts';
import type { Session } from './session.ts';

/** Which files to record as applied without running them. */
export interface BaselineOptions {
  /** The last of them: its name or its number. Modules before its own are recorded whole. */
  readonly to: string;
  /** Also where the ledger has rows of these modules. */
  readonly force?: boolean;
  readonly by?: string;
}

/**
 * The files that a baseline records.
 *
 * @throws MigrationError `MIGRATION.NOT_EMPTY` when files of these modules are recorded already.
 */
export function planBaseline(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  { to, force }: BaselineOptions,
): MigrationFile[] {
  const last = find(files, to);
  const applied = new Set(rows.map(({ filename }) => filename));
  const recorded = files.find(({ name }) => applied.has(name));
  if (recorded && !force)
    throw new MigrationError(
      'MIGRATION.NOT_EMPTY',
      `${recorded.name} is recorded already, so this database has a history. Use "migrate up", or say that you mean it (--yes).`,
      recorded.name,
    );
  return files.slice(0, files.indexOf(last) + 1).filter(({ name }) => !applied.has(name));
}

/** Records files, and who did it. Call it in a transaction. */
export async function writeBaseline(
  session: Session,
  files: readonly MigrationFile[],
  by = '',
): Promise<void> {
  for (const file of files) {
    await record(session, file);
    await forgetProgress(session, file.name);
  }
  const entries = files.map(({ name, checksum }) => ({
    action: 'baseline' as const,
    filename: name,
    before: null,
    after: checksum,
  }));
  await audit(session, by, entries);
}
