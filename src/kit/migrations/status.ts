import type { EditKind } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { editOf } from './findings.ts';
import type { LedgerRow } from './ledger.ts';

/**
 * `pending` not in the ledger; `changed` edited after it was applied; `missing` applied and the file is gone; `foreign`
 * recorded by another tool.
 */
export type MigrationState = 'applied' | 'pending' | 'changed' | 'missing' | 'foreign';

/** One file or one ledger row, as `status` reports it. */
export interface MigrationStatus {
  readonly name: string;
  readonly module: string | undefined;
  readonly version: number | undefined;
  readonly state: MigrationState;
  readonly appliedAt: Date | undefined;
  /** What was edited in a `changed` file. */
  readonly edited?: EditKind;
  /** Whether the file has a Down section. */
  readonly reversible: boolean;
}

/** Files in the order in which they run, then rows without a file. */
export function statusOf(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  modules: readonly string[],
): MigrationStatus[] {
  const byName = new Map(rows.map((row) => [row.filename, row]));
  const ofFiles = files.map((file) => {
    const row = byName.get(file.name);
    byName.delete(file.name);
    const { name, module, version } = file;
    const edited = row && editOf(file, row);
    const state: MigrationState = !row ? 'pending' : edited ? 'changed' : 'applied';
    const reversible = file.down !== undefined;
    return { name, module, version, state, appliedAt: row?.appliedAt, reversible, ...(edited && { edited }) };
  });
  return [...ofFiles, ...[...byName.values()].map((row) => withoutFile(row, modules))];
}

function withoutFile({ filename, appliedAt }: LedgerRow, modules: readonly string[]): MigrationStatus {
  const module = filename.includes('/') ? filename.split('/')[0] : undefined;
  const state = module !== undefined && modules.includes(module) ? 'missing' : 'foreign';
  return { name: filename, module, version: undefined, state, appliedAt, reversible: false };
}
