import type { Direction } from './execution.ts';
import type { MigrationFile } from './files.ts';
import type { JournalEntry } from './journal.ts';
import type { Statement } from './parsed-migration.ts';
import { statementChecksum } from './statement-checksum.ts';
import { kindOf, type StatementKind } from './statement-kind.ts';

/** One statement of a NO TRANSACTION file with what the engine knows of it. */
export interface Step {
  readonly statement: Statement;
  readonly kind: StatementKind;
  readonly entry: JournalEntry;
}

/** The statements of one direction of a file. */
export function stepsOf(file: MigrationFile, direction: Direction): Step[] {
  const statements = direction === 'up' ? file.up : (file.down ?? []);
  return statements.map((statement, index) => ({
    statement,
    kind: kindOf(statement.text),
    entry: {
      filename: file.name,
      direction,
      statement: index + 1,
      // Values may be others when the file goes on; what the file says may not.
      checksum: statementChecksum(statement.written ?? statement.text),
    },
  }));
}
