import type { LintRule } from '../rule.ts';
import { actionsOf, as, constraintsOf, type LintStatement, nameOf } from '../tree.ts';

function action(statement: LintStatement, subtypes: RegExp): string | undefined {
  const found = actionsOf(statement).find(({ command }) => subtypes.test(command.subtype ?? ''));
  return found && [found.table, found.command.name].filter(Boolean).join('.');
}

/** What an older program that still runs does not survive. */
export const CONTRACT_RULES: readonly LintRule[] = [
  {
    id: 'L301',
    severity: 'error',
    sentence: 'A new NOT NULL column without default refuses the rows of programs that do not know it.',
    alternative: 'Give it a default, or make it nullable first.',
    check: (statement) => {
      const found = actionsOf(statement).find(({ command, column }) => {
        const types = new Set(constraintsOf(column).map(({ contype }) => contype));
        const hasValue = ['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED'] as const;
        return (
          command.subtype === 'AT_AddColumn' &&
          types.has('CONSTR_NOTNULL') &&
          !hasValue.some((type) => types.has(type))
        );
      });
      return found && `${found.table}.${found.column?.colname}`;
    },
  },
  {
    id: 'L302',
    severity: 'error',
    sentence: 'A renamed column is gone for programs that still use the old name.',
    alternative: 'Add a column, write both, drop the old one in a later release.',
    check: (statement) => {
      const rename = as(statement, 'RenameStmt');
      if (rename?.renameType !== 'OBJECT_COLUMN' || statement.created.has(nameOf(rename.relation)))
        return undefined;
      return `${nameOf(rename.relation)}.${rename.subname}`;
    },
  },
  {
    id: 'L303',
    severity: 'error',
    sentence: 'A renamed table, schema, type or enum value is gone for programs that still use the old name.',
    alternative: 'Make a new one and keep the old until nobody uses it.',
    check: (statement) => {
      const value = as(statement, 'AlterEnumStmt');
      if (value?.oldVal) return value.oldVal;
      const rename = as(statement, 'RenameStmt');
      const types = ['OBJECT_TABLE', 'OBJECT_SCHEMA', 'OBJECT_TYPE', 'OBJECT_VIEW'];
      if (!rename || !types.includes(rename.renameType ?? '')) return undefined;
      if (statement.created.has(nameOf(rename.relation))) return undefined;
      return nameOf(rename.relation) || rename.subname || rename.newname;
    },
  },
  {
    id: 'L304',
    severity: 'error',
    sentence: 'A dropped column loses its values, and programs that still select it fail.',
    alternative: 'Drop it in a contract file, when no program reads it any more, and say so in a waiver.',
    check: (statement) => action(statement, /^AT_DropColumn$/),
  },
  {
    id: 'L306',
    severity: 'warning',
    sentence: 'Without NOT NULL or the constraint, programs meet rows that they do not expect.',
    alternative: 'Do it in a contract file, when every reader can take such rows.',
    check: (statement) => action(statement, /^AT_Drop(NotNull|Constraint)$/),
  },
];
