import type { EditKind } from './errors.ts';
import type { Direction } from './execution.ts';
import type { MigrationFile } from './files.ts';
import { editOf } from './findings.ts';
import type { JournalRow } from './journal.ts';
import type { LedgerRow } from './ledger.ts';

/**
 * `pending` not in the ledger; `unfinished` a NO TRANSACTION file that a run has begun and not brought to its end; `changed`
 * edited after it was applied; `missing` applied and the file is gone; `foreign` recorded by another tool.
 */
export type MigrationState = 'applied' | 'pending' | 'unfinished' | 'changed' | 'missing' | 'foreign';

/** How far an unfinished file came. */
export interface MigrationProgress {
  readonly direction: Direction;
  /** Statements that are done for certain. */
  readonly done: number;
  readonly of: number;
}

/** One file or one ledger row, as `status` reports it. */
export interface MigrationStatus {
  readonly name: string;
  readonly module: string | undefined;
  readonly version: number | undefined;
  readonly state: MigrationState;
  /** Undefined for what is not in the ledger. */
  readonly appliedAt: Date | undefined;
  /** What was edited in a `changed` file. */
  readonly edited?: EditKind;
  readonly progress?: MigrationProgress;
  /** Whether the file has a Down section. */
  readonly reversible: boolean;
}

/** Files in the order in which they run, then rows without a file. */
export function statusOf(
  files: readonly MigrationFile[],
  { rows, journal }: { readonly rows: readonly LedgerRow[]; readonly journal: readonly JournalRow[] },
  modules: readonly string[],
): MigrationStatus[] {
  const byName = new Map(rows.map((row) => [row.filename, row]));
  const names = new Set(files.map(({ name }) => name));
  return [
    ...files.map((file) => ofFile(file, byName.get(file.name), progressIn(journal, file))),
    ...rows.filter(({ filename }) => !names.has(filename)).map((row) => withoutFile(row, modules)),
  ];
}

function ofFile(
  file: MigrationFile,
  row: LedgerRow | undefined,
  progress: MigrationProgress | undefined,
): MigrationStatus {
  const { name, module, version } = file;
  const edited = row && editOf(file, row);
  const recorded = row ? 'applied' : 'pending';
  const state = edited ? 'changed' : progress ? 'unfinished' : recorded;
  const reversible = file.down !== undefined;
  return {
    name,
    module,
    version,
    state,
    appliedAt: row?.appliedAt,
    reversible,
    ...(edited && { edited }),
    ...(progress && { progress }),
  };
}

function progressIn(journal: readonly JournalRow[], file: MigrationFile): MigrationProgress | undefined {
  const rows = journal.filter(({ filename }) => filename === file.name);
  const [row] = rows;
  if (!row) return undefined;
  const finished = rows.filter(({ finishedAt }) => finishedAt !== null);
  const done = Math.max(0, ...finished.map(({ statement }) => statement));
  return { direction: row.direction, done, of: (file[row.direction] ?? []).length };
}

function withoutFile({ filename, appliedAt }: LedgerRow, modules: readonly string[]): MigrationStatus {
  const module = filename.includes('/') ? filename.split('/')[0] : undefined;
  const state = module !== undefined && modules.includes(module) ? 'missing' : 'foreign';
  return { name: filename, module, version: undefined, state, appliedAt, reversible: false };
}
