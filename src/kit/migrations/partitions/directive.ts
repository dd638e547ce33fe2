import { directivesIn, syntaxError } from '../directive.ts';
import { targetsOf } from '../directive-target.ts';
import type { ParsedMigration, Statement } from '../parsed-migration.ts';
import { problemOfIndex } from './index-text.ts';

/**
 * `-- +tombstone partitioned-index`, above a CREATE or DROP INDEX CONCURRENTLY: it is run in the way that the table, as it
 * is when the file runs, can take.
 */
export interface PartitionedIndexDirective {
  readonly kind: 'partitioned-index';
}

const DIRECTIVE: PartitionedIndexDirective = { kind: 'partitioned-index' };

/**
 * Gives the statements of a parsed file this directive where it stands above them.
 *
 * @throws MigrationSyntaxError for one that stands above anything else, or in a file with a transaction.
 */
export function withPartitionedIndexes<T extends ParsedMigration>(file: string, text: string, parsed: T): T {
  const directives = directivesIn(text).filter(({ word }) => word === DIRECTIVE.kind);
  const [first] = directives;
  if (!first) return parsed;
  if (parsed.transactional)
    throw syntaxError(
      file,
      first,
      'CONCURRENTLY needs a file without a transaction. Write "-- +goose NO TRANSACTION" at the top.',
    );
  const extra = directives.find(({ rest }) => rest !== '');
  if (extra) throw syntaxError(file, extra, 'This directive stands alone. Remove what is behind it.');
  const targets = targetsOf(file, directives, [...parsed.up, ...(parsed.down ?? [])]);
  const attach = (statement: Statement): Statement => {
    if (!targets.has(statement)) return statement;
    const problem = problemOfIndex(statement.text);
    if (problem) throw syntaxError(file, { line: statement.line, column: 1 }, problem);
    return { ...statement, directive: DIRECTIVE };
  };
  return { ...parsed, up: parsed.up.map(attach), down: parsed.down?.map(attach) };
}
