import type { MigrationFile } from './files.ts';
import { loadParser, treesOf } from './lint/build.ts';
import { effectOf, locksOf, type TableLock } from './lint/locks.ts';

/** A statement that would run, as it is written. */
export interface PlannedStatement {
  readonly line: number;
  readonly text: string;
  readonly locks: readonly TableLock[];
  /** Whether it writes a whole table anew or reads all of it, where the text tells. */
  readonly effect: 'rewrites' | 'scans' | undefined;
}

/** A file that would run. */
export interface PlannedFile {
  readonly name: string;
  readonly transactional: boolean;
  readonly statements: readonly PlannedStatement[];
}

/**
 * What a run would send, with the locks that each statement takes. Tables that the file has created itself are left out: nobody
 * waits for them.
 */
export async function planned(
  files: readonly MigrationFile[],
  direction: 'up' | 'down',
): Promise<PlannedFile[]> {
  const parse = await loadParser();
  return files.map((file) => {
    const { statements: trees } = treesOf({ ...file, up: file[direction] ?? [] }, parse);
    const statements = (file[direction] ?? []).map(({ text, line }) => {
      const own = trees.filter((tree) => tree.line === line && tree.source === text);
      const locks = own.flatMap((tree) => locksOf(tree).filter(({ table }) => !tree.created.has(table)));
      return { line, text, locks, effect: own.map(effectOf).find(Boolean) };
    });
    return { name: file.name, transactional: file.transactional, statements };
  });
}
