import type { Direction } from './execution.ts';
import type { MigrationFile } from './files.ts';
import type { JournalRow } from './journal.ts';
import { loadParser, treesOf } from './lint/build.ts';
import { effectOf, locksOf, type TableLock } from './lint/locks.ts';
import type { DownOptions, UpOptions } from './plan.ts';
import { progressOf } from './resume.ts';
import { stepsOf } from './step.ts';

/** Of which run the plan is wanted; without a direction of `up`. */
export type PlanOptions =
  | ({ readonly direction?: 'up' } & Omit<UpOptions, 'inDoubt' | 'waive'>)
  | ({ readonly direction: 'down' } & Omit<DownOptions, 'inDoubt'>)
  | { readonly direction: 'redo' };

/** A statement that would run, as it is written. */
export interface PlannedStatement {
  readonly line: number;
  readonly text: string;
  readonly locks: readonly TableLock[];
  /** Whether it writes a whole table anew or reads all of it, where the text tells. */
  readonly effect: 'rewrites' | 'scans' | undefined;
  /** An interrupted run has done it, so it would not run again; only in NO TRANSACTION files. */
  readonly isDone: boolean;
  /** Below `partitioned-index`: it runs in parts, one for each partition that the table has then. */
  readonly isSplit: boolean;
}

/** A file that would run. */
export interface PlannedFile {
  readonly name: string;
  readonly direction: Direction;
  readonly transactional: boolean;
  readonly statements: readonly PlannedStatement[];
}

/**
 * What a run would send, with the locks that each statement takes. Tables that the file has created itself are left out: nobody
 * waits for them.
 */
export async function planned(
  files: readonly MigrationFile[],
  direction: Direction,
  journal: readonly JournalRow[],
): Promise<PlannedFile[]> {
  const parse = await loadParser();
  return files.map((file) => {
    const { statements: trees } = treesOf({ ...file, up: file[direction] ?? [] }, parse);
    const done = doneIn(file, direction, journal);
    const statements = (file[direction] ?? []).map(({ text, line }, index) => {
      const own = trees.filter((tree) => tree.line === line && tree.source === text);
      const locks = own.flatMap((tree) => locksOf(tree).filter(({ table }) => !tree.created.has(table)));
      const isSplit = own.some((tree) => tree.isPartitionAware);
      return { line, text, locks, effect: own.map(effectOf).find(Boolean), isDone: index < done, isSplit };
    });
    return { name: file.name, direction, transactional: file.transactional, statements };
  });
}

function doneIn(file: MigrationFile, direction: Direction, journal: readonly JournalRow[]): number {
  const rows = journal.filter((row) => row.filename === file.name && row.direction === direction);
  return rows.length === 0 ? 0 : progressOf(file, stepsOf(file, direction), rows).done;
}
