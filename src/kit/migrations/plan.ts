import { MigrationError } from './errors.ts';
import type { InDoubt } from './execution.ts';
import type { MigrationFile } from './files.ts';
import { find } from './find-file.ts';
import { byWeight, fileFindings, orderFindings } from './findings.ts';
import type { LedgerRow } from './ledger.ts';
import type { Waiver } from './phases/waiver.ts';

/** Which pending files `up` takes: all, up to and with one, the first few, or exactly these. */
export interface UpOptions {
  /** A file's name, in full, without the module, or only its number. */
  readonly to?: string;
  /** At most this many, from 1 on. */
  readonly steps?: number;
  /** Files that would leave a pending one of their module behind them are refused. */
  readonly only?: readonly string[];
  /** For a statement of a NO TRANSACTION file of which nothing tells whether an interrupted run did it. */
  readonly inDoubt?: InDoubt;
  /** Contract steps that may be applied although something stands against them. */
  readonly waive?: readonly Waiver[];
}

/** Which applied files `down` takes: the last one, the last few, or all after `to`, at most `steps` of them; `0` is all. */
export interface DownOptions {
  readonly to?: string | 0;
  readonly steps?: number;
  readonly inDoubt?: InDoubt;
}

/**
 * Compares files and ledger.
 *
 * @param modules names of the modules; the ledger's rows of others are none of our business.
 * @throws ChecksumMismatchError for a file that was edited after it had been applied.
 * @throws MigrationError for a file that was applied and is gone, or has another name; the worst of all.
 */
export function verifyFiles(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  modules: readonly string[],
): void {
  const [worst] = byWeight(fileFindings(files, rows, modules));
  if (worst) throw worst;
}

/** @throws MigrationError `MIGRATION.OUT_OF_ORDER`. */
export function verifyOrder(files: readonly MigrationFile[], rows: readonly LedgerRow[]): void {
  const [first] = orderFindings(files, rows);
  if (first) throw first;
}

/** The files that `up` applies, in order. */
export function planUp(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  options: UpOptions,
): MigrationFile[] {
  const steps = countOf(options.steps);
  const applied = new Set(rows.map((row) => row.filename));
  let pending = files.filter((file) => !applied.has(file.name));
  if (options.only) pending = only(pending, new Set(options.only.map((name) => find(files, name).name)));
  if (options.to !== undefined) pending = pending.filter(upTo(files, find(files, options.to)));
  return pending.slice(0, steps);
}

function only(pending: readonly MigrationFile[], chosen: ReadonlySet<string>): MigrationFile[] {
  const taken = pending.filter((file) => chosen.has(file.name));
  for (const file of taken) {
    const before = pending.slice(0, pending.indexOf(file));
    const skipped = before.find((other) => other.module === file.module && !chosen.has(other.name));
    if (skipped)
      throw outOfOrder(
        skipped.name,
        `${skipped.name} is pending and comes before ${file.name}. Apply both, or neither.`,
      );
  }
  return taken;
}

function countOf(steps: number | undefined): number | undefined {
  if (steps === undefined || (Number.isSafeInteger(steps) && steps > 0)) return steps;
  throw new RangeError(`steps must be a whole number from 1 on, not ${steps}.`);
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
  const steps = countOf(options.steps);
  const applied = newestFirst(files, rows);
  const chosen = applied.slice(0, Math.min(above(files, applied, options), steps ?? Infinity));
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

/**
 * Applied files as they came, the last one first. Inside a module the numbers decide, between modules the time: a file that
 * a module got later is reverted before what other modules had earlier.
 */
function newestFirst(files: readonly MigrationFile[], rows: readonly LedgerRow[]): MigrationFile[] {
  const times = new Map(rows.map((row) => [row.filename, row.appliedAt.getTime()]));
  const timeOf = (file: MigrationFile): number => times.get(file.name) ?? 0;
  const left = files.filter((file) => times.has(file.name));
  const order: MigrationFile[] = [];
  while (left.length > 0) {
    const last = new Map(left.map((file) => [file.module, file]));
    // Of several at the same time the one that a fresh install runs last, which stands last here.
    const newest = [...last.values()].reduce((a, b) =>
      timeOf(b) > timeOf(a) || (timeOf(b) === timeOf(a) && left.indexOf(b) > left.indexOf(a)) ? b : a,
    );
    order.push(...left.splice(left.indexOf(newest), 1));
  }
  return order;
}

function above(
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

function outOfOrder(file: string, message: string): MigrationError {
  return new MigrationError('MIGRATION.OUT_OF_ORDER', message, file);
}
