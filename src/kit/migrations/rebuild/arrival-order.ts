import type { MigrationFile } from '../files.ts';
import type { LedgerRow } from '../ledger.ts';

/** Files that a ledger lists, as they came; those with one time in the order in which a fresh install runs them. */
export function inArrivalOrder(files: readonly MigrationFile[], rows: readonly LedgerRow[]): MigrationFile[] {
  const times = new Map(rows.map((row) => [row.filename, row.appliedAt.getTime()]));
  const timeOf = (file: MigrationFile): number => times.get(file.name) ?? 0;
  return files.filter((file) => times.has(file.name)).toSorted((a, b) => timeOf(a) - timeOf(b));
}
