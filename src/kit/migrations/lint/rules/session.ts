import type { LintRule } from '../rule.ts';
import { actionsOf, as, type LintStatement, within } from '../tree.ts';
import { isConcurrent } from './indexes.ts';

const isTimeout = (statement: LintStatement): string | undefined => {
  const set = as(statement, 'VariableSetStmt');
  return set?.name === 'lock_timeout' && set.kind === 'VAR_SET_VALUE' ? JSON.stringify(set.args) : undefined;
};
/** "0" in every way to write it. */
const isOff = (args: string): boolean => /"ival":\{\}|"sval":"0[a-z]*"/.test(args);

/** How a file behaves in its session and its transaction. */
export const SESSION_RULES: readonly LintRule[] = [
  {
    id: 'L503',
    severity: 'error',
    sentence:
      'lock_timeout ends a concurrent build that waits for old snapshots, and leaves an invalid index.',
    alternative: 'Leave lock_timeout alone in this file, or set it to 0.',
    check: (statement, { file, statements }) => {
      if (!isConcurrent(statement)) return undefined;
      const last = statements.slice(0, statement.index).findLast((each) => isTimeout(each) !== undefined);
      const isLimited = last ? !isOff(isTimeout(last) ?? '') : (file.timeouts.lockMs ?? 0) > 0;
      return isLimited ? 'lock_timeout' : undefined;
    },
  },
  {
    id: 'L506',
    severity: 'warning',
    sentence:
      'A NO TRANSACTION file also has statements that could run in one: a failure leaves it half-done.',
    alternative: 'Put what can run in a transaction into a file of its own.',
    check: (statement, { file, statements }) =>
      !file.transactional &&
      statements.some(needsNoTransaction) &&
      !needsNoTransaction(statement) &&
      /^(Alter|Create|Drop|Insert|Update|Delete|Rename|Truncate)/.test(statement.kind)
        ? statement.kind
        : undefined,
  },
  {
    id: 'L508',
    severity: 'warning',
    sentence: 'Several ALTER TABLE on one table take its lock, and perhaps scan it, several times.',
    alternative: 'Write one ALTER TABLE with several actions.',
    check: (statement, { statements }) => {
      const table = actionsOf(statement)[0]?.table;
      const before = statements.slice(0, statement.index).flatMap(actionsOf);
      return table !== undefined && before.some((action) => action.table === table) ? table : undefined;
    },
  },
  {
    id: 'L509',
    severity: 'warning',
    sentence: 'The locks of several existing tables in one transaction stall one while waiting for the next.',
    alternative: 'Write one file for each table.',
    check: (statement, { file, statements }) => {
      const table = actionsOf(statement)[0]?.table;
      if (table === undefined || !file.transactional) return undefined;
      const before = statements.slice(0, statement.index).flatMap(actionsOf);
      return before.length > 0 && before.every((action) => action.table !== table) ? table : undefined;
    },
  },
  {
    id: 'L510',
    severity: 'error',
    sentence: 'SET without LOCAL, SET ROLE and search_path change what later statements mean.',
    alternative: 'Write SET LOCAL for settings, and qualify names instead of changing search_path.',
    check: (statement, { file }) => {
      const set = as(statement, 'VariableSetStmt');
      if (!set || set.kind !== 'VAR_SET_VALUE') return undefined;
      const name = set.name ?? '';
      if (['role', 'session_authorization', 'search_path'].includes(name)) return name;
      return file.transactional && !set.is_local ? name : undefined;
    },
  },
  {
    id: 'L511',
    severity: 'warning',
    sentence:
      'After an interruption nothing tells whether this was dropped, and without IF EXISTS it cannot be run again.',
    alternative: 'Write IF EXISTS; then "--in-doubt again" is safe.',
    // The journal and the catalogue judge every other statement; IF NOT EXISTS would only hide another index of that name.
    check: ({ kind, node }) =>
      /^Drop(db|TableSpace|Subscription)Stmt$/.test(kind) && !(node as { missing_ok?: boolean }).missing_ok
        ? 'DROP'
        : undefined,
  },
  {
    id: 'L513',
    severity: 'error',
    sentence: 'A value that ADD VALUE gives an enum cannot be used before the transaction has ended.',
    alternative: 'Use the value in the next file.',
    check: (statement, { file, statements }) => {
      const value = as(statement, 'AlterEnumStmt')?.newVal;
      if (!value || !file.transactional) return undefined;
      return statements.slice(statement.index + 1).some(({ node }) => mentions(node, value))
        ? value
        : undefined;
    },
  },
  {
    id: 'L516',
    severity: 'warning',
    sentence: 'What a DO block does cannot be seen by these rules.',
    alternative: 'Write plain statements, or say in a waiver that it was reviewed.',
    check: (statement) => (as(statement, 'DoStmt') ? 'DO' : undefined),
  },
];

function needsNoTransaction(statement: LintStatement): boolean {
  return isConcurrent(statement) || as(statement, 'VacuumStmt')?.is_vacuumcmd === true;
}

function mentions(node: unknown, value: string): boolean {
  return within(node, 'A_Const').some(
    (constant) => (constant['sval'] as { sval?: string } | undefined)?.sval === value,
  );
}
