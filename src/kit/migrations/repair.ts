import { type AuditEntry, audit } from './audit.ts';
import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { editOf, renamedTo } from './findings.ts';
import { ask, type LedgerRow } from './ledger.ts';
import { find } from './find-file.ts';
import type { Session } from './session.ts';
import { forgetTokensSql, hasTokens, recordTokensSql } from './token-ledger.ts';

/** What to bring the ledger in line with. */
export interface RepairOptions {
  /** Names of files, or all that differ from what was applied by comments and white space alone. */
  readonly files: readonly string[] | 'comments';
  /** Also take files whose statements were changed. The schema is then not what the files say. */
  readonly acceptChangedStatements?: boolean;
  /** Only tell what would be changed. */
  readonly dryRun?: boolean;
  /** Who asks, for the audit; the database's user is added to it. */
  readonly by?: string;
}

/** One row of the ledger that was brought in line. */
export interface Repair extends AuditEntry {
  readonly kind: 'comments' | 'statements' | 'renamed';
}

/** Decides about each file before anything is written. */
export function planRepair(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  options: RepairOptions,
): Repair[] {
  const repairs = files.flatMap((file) => repairOf(file, files, rows) ?? []);
  if (options.files === 'comments') return repairs.filter(({ kind }) => kind === 'comments');
  const chosen = options.files.map((name) => find(files, name).name);
  return [...new Set(chosen)].map((name) => {
    const repair = repairs.find(({ filename }) => filename === name);
    if (!repair) throw nothingToDo(name);
    if (repair.kind === 'statements' && !options.acceptChangedStatements) throw notAccepted(name);
    return repair;
  });
}

function repairOf(
  file: MigrationFile,
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
): Repair | undefined {
  const base = { action: 'repair', filename: file.name } as const;
  const row = rows.find(({ filename }) => filename === file.name);
  if (row) {
    const edit = editOf(file, row);
    if (!edit) return undefined;
    const kind = edit === 'comments' ? 'comments' : 'statements';
    return { ...base, kind, before: row.checksum, after: file.checksum };
  }
  const names = new Set(files.map(({ name }) => name));
  const old = rows.find((each) => !names.has(each.filename) && renamedTo(each, files, rows) === file);
  return old && { ...base, kind: 'renamed', before: old.filename, after: file.name };
}

/** Writes repairs, their token checksums and their audit. Call it in a transaction. */
export async function writeRepairs(
  session: Session,
  files: readonly MigrationFile[],
  repairs: readonly Repair[],
  by = '',
): Promise<void> {
  for (const { kind, filename, before } of repairs) {
    const file = find(files, filename);
    const old = kind === 'renamed' ? (before ?? '') : filename;
    const update = 'update public.schema_migrations set filename = $2, checksum = $3 where filename = $1';
    await ask(session, update, [old, filename, file.checksum], filename);
    if (!(await hasTokens(session))) continue;
    if (old !== filename) await ask(session, forgetTokensSql(old));
    await ask(session, recordTokensSql([file]));
  }
  await audit(session, by, repairs);
}

function nothingToDo(name: string): MigrationError {
  return new MigrationError(
    'MIGRATION.NO_SUCH_FILE',
    `${name} agrees with the ledger or is pending: there is nothing to repair. Look at "migrate verify".`,
    name,
  );
}

function notAccepted(name: string): MigrationError {
  return new MigrationError(
    'MIGRATION.CHECKSUM_MISMATCH',
    `The statements of ${name} were changed, and the database has the old ones. Restore the text, or say that you accept the difference (--accept-changed-statements).`,
    name,
  );
}
