import { ChecksumMismatchError, type EditKind, MigrationError, type MigrationErrorCode } from './errors.ts';
import type { MigrationFile } from './files.ts';
import type { JournalRow } from './journal.ts';
import type { LedgerRow } from './ledger.ts';
import { journalFindings } from './resume.ts';
import { tokenChecksumOf } from './token-checksum.ts';

/** From what makes every run wrong to what only looks wrong. */
const WORST_FIRST: readonly MigrationErrorCode[] = [
  'MIGRATION.SYNTAX',
  'MIGRATION.ILLEGAL_NAME',
  'MIGRATION.NO_SUCH_FILE',
  'MIGRATION.DUPLICATE_VERSION',
  'MIGRATION.CHECKSUM_MISMATCH',
  'MIGRATION.UNKNOWN',
  'MIGRATION.RENAMED',
  'MIGRATION.UNFINISHED',
  'MIGRATION.OUT_OF_ORDER',
  'MIGRATION.COMMENT_CHANGED',
];

/** The worst first; equal ones stay in their order. */
export function byWeight(findings: readonly MigrationError[]): MigrationError[] {
  return findings.toSorted((a, b) => WORST_FIRST.indexOf(a.code) - WORST_FIRST.indexOf(b.code));
}

/**
 * Everything in which files and ledger disagree: edited, missing and renamed files.
 *
 * @param modules names of the modules; the ledger's rows of others are none of our business.
 */
export function fileFindings(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  modules: readonly string[],
): MigrationError[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  return rows.flatMap((row) => {
    const file = byName.get(row.filename);
    if (file) {
      const kind = editOf(file, row);
      return kind ? [new ChecksumMismatchError(file.name, row.checksum, file.checksum, kind)] : [];
    }
    if (!modules.some((module) => row.filename.startsWith(`${module}/`))) return [];
    const other = renamedTo(row, files, rows);
    return [other ? renamed(row.filename, other.name) : gone(row.filename)];
  });
}

/** Everything that a run would refuse, with what is wrong with single files, the worst first. */
export function allFindings(
  files: readonly MigrationFile[],
  problems: readonly MigrationError[],
  { rows, journal }: { readonly rows: readonly LedgerRow[]; readonly journal: readonly JournalRow[] },
  modules: readonly string[],
): MigrationError[] {
  const unreadable = new Set(problems.map(({ file }) => file));
  const differing = fileFindings(files, rows, modules);
  const newNames = new Set(differing.flatMap(({ code, file }) => (code === 'MIGRATION.RENAMED' ? file : [])));
  // A file that cannot be read is not gone, and one that was renamed is not new.
  return byWeight([
    ...problems,
    ...[...differing, ...journalFindings(files, journal, modules, 'up')].filter(
      ({ file }) => !unreadable.has(file),
    ),
    ...orderFindings(files, rows).filter(({ file }) => !newNames.has(file)),
  ]);
}

/** What was edited in an applied file, if anything. */
export function editOf(file: MigrationFile, row: LedgerRow): EditKind | undefined {
  if (file.checksum === row.checksum) return undefined;
  if (!row.tokens) return 'unknown';
  return tokenChecksumOf(file) === row.tokens ? 'comments' : 'statements';
}

/** The pending file that says the same as an applied one which is gone. */
export function renamedTo(
  row: LedgerRow,
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
): MigrationFile | undefined {
  const applied = new Set(rows.map(({ filename }) => filename));
  const pending = files.filter(
    ({ name, module }) => !applied.has(name) && row.filename.startsWith(`${module}/`),
  );
  return (
    pending.find(({ checksum }) => checksum === row.checksum) ??
    pending.find((file) => row.tokens && file.up.length > 0 && tokenChecksumOf(file) === row.tokens)
  );
}

/**
 * Pending files below an applied one of their module: a fresh install would run them the other way round. A contract step waits
 * for older code to end, and files behind it may have come meanwhile.
 */
export function orderFindings(files: readonly MigrationFile[], rows: readonly LedgerRow[]): MigrationError[] {
  const applied = new Set(rows.map(({ filename }) => filename));
  const last = new Map<string, number>();
  for (const [index, file] of files.entries()) if (applied.has(file.name)) last.set(file.module, index);
  return files.flatMap((file, index) => {
    const lastApplied = files[last.get(file.module) ?? -1];
    if (!lastApplied || applied.has(file.name) || index > files.indexOf(lastApplied)) return [];
    if (file.phase?.name === 'contract') return [];
    const remedy =
      file.order === 'number'
        ? `Give it a number above ${lastApplied.version}.`
        : 'Give it a name that sorts behind it.';
    return [
      new MigrationError(
        'MIGRATION.OUT_OF_ORDER',
        `${file.name} is pending although ${lastApplied.name} is applied. ${remedy}`,
        file.name,
        { behind: lastApplied.name },
      ),
    ];
  });
}

function gone(name: string): MigrationError {
  return new MigrationError(
    'MIGRATION.UNKNOWN',
    `${name} was applied but the file is gone. Bring it back with the text that was applied; a change belongs into a new migration.`,
    name,
  );
}

function renamed(from: string, to: string): MigrationError {
  return new MigrationError(
    'MIGRATION.RENAMED',
    `${from} was applied and now has the name ${to}. Give it its name back, or accept the new one with "migrate repair" and this file.`,
    to,
    { recorded: from },
  );
}
