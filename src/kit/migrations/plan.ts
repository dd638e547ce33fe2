import { ChecksumMismatchError, MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';
import type { LedgerRow } from './ledger.ts';

/** Which pending files `up` takes: all, up to and with one, the first few, or exactly these. */
export interface UpOptions {
  /** A file's name, in full, without the module, or only its number. */
  readonly to?: string;
  readonly steps?: number;
  readonly only?: readonly string[];
}

/** Which applied files `down` takes: the last one, the last few, or all after `to`; `0` is all of them. */
export interface DownOptions {
  readonly to?: string | 0;
  readonly steps?: number;
}

/**
 * Compares files and ledger.
 *
 * @throws ChecksumMismatchError for a file that was edited after it had been applied.
 * @throws MigrationError for a file that was applied and is gone, and for a pending file below an applied one of its module.
 */
export function verifyPlan(files: readonly MigrationFile[], rows: readonly LedgerRow[]): void {
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const row of ownRows(files, rows)) {
    const file = byName.get(row.filename);
    if (!file) throw gone(row.filename);
    if (file.checksum !== row.checksum)
      throw new ChecksumMismatchError(file.name, row.checksum, file.checksum);
  }
  refuseOutOfOrder(files, rows);
}

/** Rows of the given modules; what other tools have recorded under other names is none of our business. */
function ownRows(files: readonly MigrationFile[], rows: readonly LedgerRow[]): LedgerRow[] {
  const modules = new Set(files.map((file) => file.module));
  return rows.filter((row) => modules.has(row.filename.split('/')[0] ?? '') && row.filename.includes('/'));
}

function refuseOutOfOrder(files: readonly MigrationFile[], rows: readonly LedgerRow[]): void {
  const applied = new Set(rows.map((row) => row.filename));
  const highest = new Map<string, MigrationFile>();
  for (const file of files) if (applied.has(file.name)) highest.set(file.module, file);
  for (const file of files) {
    const last = highest.get(file.module);
    if (last && !applied.has(file.name) && file.version < last.version) {
      throw new MigrationError(
        'MIGRATION.OUT_OF_ORDER',
        `${file.name} is pending although ${last.name} is applied. Give it a number above ${last.version}.`,
        file.name,
      );
    }
  }
}

/** The files that `up` applies, in order. */
export function planUp(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  options: UpOptions,
): MigrationFile[] {
  const applied = new Set(rows.map((row) => row.filename));
  let pending = files.filter((file) => !applied.has(file.name));
  if (options.only) {
    const chosen = new Set(options.only.map((name) => find(files, name).name));
    pending = pending.filter((file) => chosen.has(file.name));
  }
  if (options.to !== undefined) pending = pending.filter(upTo(files, find(files, options.to)));
  return pending.slice(0, options.steps ?? pending.length);
}

function upTo(files: readonly MigrationFile[], last: MigrationFile): (file: MigrationFile) => boolean {
  const end = files.indexOf(last);
  return (file) => files.indexOf(file) <= end;
}

/**
 * The files that `down` reverts, newest first.
 *
 * @throws MigrationError `MIGRATION.IRREVERSIBLE` when one of them has no Down; nothing has been reverted then.
 */
export function planDown(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  options: DownOptions,
): MigrationFile[] {
  const recorded = new Set(rows.map((row) => row.filename));
  const applied = files.filter((file) => recorded.has(file.name)).toReversed();
  const chosen = applied.slice(0, howMany(files, applied, options));
  const stuck = chosen.find((file) => !file.down);
  if (stuck) {
    throw new MigrationError(
      'MIGRATION.IRREVERSIBLE',
      `${stuck.name} has no Down: what it changed cannot be restored. Restore a backup, or write a new migration.`,
      stuck.name,
    );
  }
  return chosen;
}

function howMany(
  files: readonly MigrationFile[],
  applied: readonly MigrationFile[],
  { to, steps }: DownOptions,
): number {
  if (to === 0 || to === '0') return applied.length;
  if (to === undefined) return steps ?? 1;
  const target = find(files, to);
  const at = applied.findIndex((file) => file.name === target.name);
  if (at >= 0) return at;
  throw new MigrationError(
    'MIGRATION.NO_SUCH_FILE',
    `${target.name} is not applied, so nothing lies above it.`,
    target.name,
  );
}

/** A file by its full name, its name without module, without ".sql", or its number where that is unambiguous. */
export function find(files: readonly MigrationFile[], name: string): MigrationFile {
  const wanted = name.replace(/\.sql$/, '');
  const matches = files.filter((file) => {
    const full = file.name.replace(/\.sql$/, '');
    const bare = full.slice(file.module.length + 1);
    return full === wanted || bare === wanted || (/^\d+$/.test(wanted) && file.version === Number(wanted));
  });
  if (matches.length === 1) return matches[0] as MigrationFile;
  const problem = matches.length === 0 ? 'names no migration file' : 'names several migration files';
  throw new MigrationError(
    'MIGRATION.NO_SUCH_FILE',
    `"${name}" ${problem}. Use a name as "migrate status" prints it.`,
  );
}

function gone(name: string): MigrationError {
  return new MigrationError(
    'MIGRATION.UNKNOWN',
    `${name} was applied but the file is gone. Bring it back with the text that was applied; a change belongs into a new migration.`,
    name,
  );
}
