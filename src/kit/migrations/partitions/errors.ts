import { MigrationFailedError } from '../errors.ts';
import type { Execution } from '../execution.ts';
import type { MigrationFile } from '../files.ts';
import { hasValues, type Statement } from '../parsed-migration.ts';

/** A table of the tree, and what its index lacks. */
export interface Lack {
  /** With its schema. */
  readonly table: string;
  readonly problem: string;
}

/** The index of a partitioned table could not be made whole. What is built stays, and the next run goes on there. */
export class PartitionedIndexError extends MigrationFailedError {
  override readonly name: string = 'PartitionedIndexError';
  readonly lacks: readonly Lack[];

  constructor(
    file: MigrationFile,
    statement: Statement,
    lacks: readonly Lack[],
    { direction, done }: Pick<Execution, 'direction' | 'done'>,
  ) {
    // Names of tables and indexes may be values of the environment.
    const what = hasValues(statement)
      ? `${lacks.length} of its tables stand in the way; values stand in the statement, so they are not named`
      : lacks.map(({ table, problem }) => `${table}: ${problem}`).join(' ');
    const sentence = `The index of the partitioned table is not complete. ${what}`;
    const left = 'Indexes that are built stay, and the next run takes them over.';
    super(file.name, statement.line, { sentence }, { direction, done, left });
    this.lacks = lacks;
  }
}
