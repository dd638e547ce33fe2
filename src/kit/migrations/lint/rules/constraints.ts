import type { Constraint } from 'libpg-query';
import type { LintRule } from '../rule.ts';
import { actionsOf, constraintsOf, type LintStatement } from '../tree.ts';

/** What a constraint added to an existing table by itself is about. */
function added(
  statement: LintStatement,
  type: Constraint['contype'],
  isUnsafe: (constraint: Constraint) => boolean,
): string | undefined {
  const action = actionsOf(statement).find(
    ({ command, constraint }) =>
      command.subtype === 'AT_AddConstraint' &&
      constraint !== undefined &&
      constraint.contype === type &&
      isUnsafe(constraint),
  );
  return action && [action.table, action.constraint?.conname].filter(Boolean).join('.');
}

const INLINE = new Set(['CONSTR_FOREIGN', 'CONSTR_CHECK', 'CONSTR_UNIQUE', 'CONSTR_PRIMARY']);

/** Constraints that scan or build while others wait. */
export const CONSTRAINT_RULES: readonly LintRule[] = [
  {
    id: 'L106',
    severity: 'error',
    sentence: 'A UNIQUE constraint builds its index while nobody can use the table.',
    alternative: 'Build a unique index CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE USING INDEX.',
    check: (statement) => added(statement, 'CONSTR_UNIQUE', ({ indexname }) => !indexname),
  },
  {
    id: 'L107',
    severity: 'error',
    sentence: 'A PRIMARY KEY builds its index, and may scan for NULL, while nobody can use the table.',
    alternative:
      'Make the columns NOT NULL safely, build a unique index CONCURRENTLY, then attach it USING INDEX.',
    check: (statement) => added(statement, 'CONSTR_PRIMARY', ({ indexname }) => !indexname),
  },
  {
    id: 'L108',
    severity: 'error',
    sentence:
      'An EXCLUDE constraint builds its index under the strongest lock, and can be neither NOT VALID nor pre-built.',
    alternative: 'Create a new table with it and move the rows, or choose a window.',
    check: (statement) => added(statement, 'CONSTR_EXCLUSION', () => true),
  },
  {
    id: 'L110',
    severity: 'error',
    sentence: 'A FOREIGN KEY without NOT VALID scans the table while writers of both tables wait.',
    alternative: 'Add it NOT VALID, and VALIDATE CONSTRAINT in the next file.',
    check: (statement) => added(statement, 'CONSTR_FOREIGN', ({ skip_validation }) => !skip_validation),
  },
  {
    id: 'L111',
    severity: 'error',
    sentence: 'A CHECK without NOT VALID scans the table while nobody can use it.',
    alternative: 'Add it NOT VALID, and VALIDATE CONSTRAINT in the next file.',
    check: (statement) => added(statement, 'CONSTR_CHECK', ({ skip_validation }) => !skip_validation),
  },
  {
    id: 'L112',
    severity: 'error',
    sentence: 'VALIDATE in the transaction that added the constraint scans under its strong lock.',
    alternative: 'Validate in the next file.',
    check: (statement, { file, statements }) => {
      if (!file.transactional) return undefined;
      const before = statements.slice(0, statement.index + 1).flatMap(actionsOf);
      return actionsOf(statement).find(
        ({ command, table }) =>
          command.subtype === 'AT_ValidateConstraint' &&
          before.some((other) => other.table === table && other.constraint?.conname === command.name),
      )?.command.name;
    },
  },
  {
    id: 'L113',
    severity: 'error',
    sentence:
      'A constraint written at a new column of an existing table is checked at once, under the strongest lock.',
    alternative:
      'Add the column alone, then the constraint NOT VALID or USING INDEX, then validate in the next file.',
    check: (statement) => {
      const action = actionsOf(statement).find(({ command, column }) =>
        command.subtype === 'AT_AddColumn'
          ? constraintsOf(column).some(({ contype }) => INLINE.has(contype ?? ''))
          : false,
      );
      return action && `${action.table}.${action.column?.colname}`;
    },
  },
];
