import type { LintRule } from '../rule.ts';
import { actionsOf, as, functionName, type LintStatement, nameOf, within } from '../tree.ts';

function changedTable(statement: LintStatement): string | undefined {
  const update = as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt');
  if (update) return nameOf(update.relation);
  const insert = as(statement, 'InsertStmt');
  const from = (insert?.selectStmt as { SelectStmt?: { fromClause?: unknown[] } } | undefined)?.SelectStmt;
  return insert && from?.fromClause ? nameOf(insert.relation) : undefined;
}

/** Rows that a migration changes. */
export const DATA_RULES: readonly LintRule[] = [
  {
    id: 'L601',
    severity: 'warning',
    sentence:
      'A back-fill in one transaction with ALTER TABLE holds its lock for as long as the back-fill takes.',
    alternative: 'Back-fill in a file of its own, in batches.',
    check: (statement, { file, statements }) =>
      file.transactional && statements.some((each) => actionsOf(each).length > 0)
        ? changedTable(statement)
        : undefined,
  },
  {
    id: 'L602',
    severity: 'error',
    sentence: 'UPDATE or DELETE without WHERE changes every row, in one transaction.',
    alternative: 'Write a predicate, and work in batches.',
    check: (statement) => {
      const change = as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt');
      const name = nameOf(change?.relation);
      return change && !change.whereClause && !statement.created.has(name) ? name : undefined;
    },
  },
  {
    id: 'L606',
    severity: 'error',
    sentence: 'One UPDATE gives a column two values.',
    alternative: 'Remove one of them.',
    check: (statement) => {
      const names = (as(statement, 'UpdateStmt')?.targetList ?? []).map(
        (node) => (node as { ResTarget?: { name?: string } }).ResTarget?.name ?? '',
      );
      return names.find((name, index) => names.indexOf(name) !== index);
    },
  },
  {
    id: 'L801',
    severity: 'warning',
    sentence: 'Rows or predicates that depend on the date of the run make every installation another one.',
    alternative: 'Write the date into the file.',
    check: (statement) => {
      const change =
        as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt') ?? as(statement, 'InsertStmt');
      if (!change) return undefined;
      const where = (change as { whereClause?: unknown }).whereClause;
      const clock = within(where, 'FuncCall').find((call) => functionName(call) === 'now');
      return within({ change }, 'SQLValueFunction').some(({ op }) => op === 'SVFOP_CURRENT_DATE') || clock
        ? nameOf(change.relation)
        : undefined;
    },
  },
  {
    id: 'L802',
    severity: 'error',
    sentence: 'The ledger belongs to the engine; another runner keeps another one.',
    alternative: 'Ask for the object itself, in pg_class or information_schema.',
    check: (statement) => {
      const read = within(statement.node, 'RangeVar').map((relation) => String(relation['relname']));
      const change =
        as(statement, 'UpdateStmt') ?? as(statement, 'DeleteStmt') ?? as(statement, 'InsertStmt');
      return [...read, nameOf(change?.relation)].find((name) => name.startsWith('schema_migration'));
    },
  },
  {
    id: 'L805',
    severity: 'warning',
    sentence: 'A file that only selects a constant does nothing and hides why it exists.',
    alternative: 'Write an empty Up with a comment that says why.',
    check: (statement, { statements }) => {
      const select = as(statement, 'SelectStmt');
      return statements.length === 1 &&
        select &&
        !select.fromClause &&
        within(select, 'FuncCall').length === 0
        ? 'SELECT'
        : undefined;
    },
  },
];
