import type { LintRule } from '../rule.ts';
import { actionsOf, as, droppedNames, nameOf } from '../tree.ts';

/** What takes rows away for good. */
export const LOSS_RULES: readonly LintRule[] = [
  {
    id: 'L401',
    severity: 'error',
    sentence: 'DROP TABLE loses all rows.',
    alternative:
      'Drop it in a contract file after a release in which nothing used it, and say so in a waiver.',
    check: (statement) => {
      const drop = as(statement, 'DropStmt');
      if (drop?.removeType !== 'OBJECT_TABLE') return undefined;
      const lost = droppedNames(drop).filter((name) => !statement.created.has(name));
      return lost.length > 0 ? lost.join(', ') : undefined;
    },
  },
  {
    id: 'L402',
    severity: 'error',
    sentence: 'CASCADE, or a dropped schema or database, takes more with it than the statement names.',
    alternative: 'Drop the objects one by one, by name.',
    check: (statement) => {
      const drop = as(statement, 'DropStmt');
      if (drop && (drop.behavior === 'DROP_CASCADE' || drop.removeType === 'OBJECT_SCHEMA'))
        return droppedNames(drop).join(', ');
      if (as(statement, 'DropdbStmt')) return as(statement, 'DropdbStmt')?.dbname;
      return actionsOf(statement).find(({ command }) => command.behavior === 'DROP_CASCADE')?.table;
    },
  },
  {
    id: 'L403',
    severity: 'error',
    sentence: 'TRUNCATE loses all rows, under the strongest lock.',
    alternative: 'Delete in batches, with a predicate.',
    check: (statement) =>
      as(statement, 'TruncateStmt')
        ?.relations?.map((node) => nameOf((node as { RangeVar?: Parameters<typeof nameOf>[0] }).RangeVar))
        .find((name) => !statement.created.has(name)),
  },
];
