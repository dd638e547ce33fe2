import type { LintRule } from '../rule.ts';
import {
  type Action,
  actionsOf,
  as,
  constraintsOf,
  functionName,
  hasOption,
  type LintStatement,
  typeOf,
  within,
} from '../tree.ts';

function about(statement: LintStatement, matches: (action: Action) => boolean): string | undefined {
  const found = actionsOf(statement).find(matches);
  return found && [found.table, found.column?.colname ?? found.command.name].filter(Boolean).join('.');
}

const isNew = ({ command }: Action): boolean => command.subtype === 'AT_AddColumn';
/** The same for every row of one statement, so PostgreSQL stores it once. */
const STABLE = new Set([
  'now',
  'transaction_timestamp',
  'statement_timestamp',
  'current_setting',
  'timezone',
]);
const SERIAL = /^(small|big)?serial[248]?$/;

/** What writes the whole table anew, or reads all of it, under the strongest lock. */
export const REWRITE_RULES: readonly LintRule[] = [
  {
    id: 'L201',
    severity: 'error',
    sentence: 'Another type for a column rewrites the table under the strongest lock, with few exceptions.',
    alternative:
      'Add a column of the new type, write both, back-fill, swap. Waive it where the change is known to be free, as from varchar to text.',
    check: (statement) =>
      about(
        statement,
        ({ command, column }) =>
          command.subtype === 'AT_AlterColumnType' &&
          !(typeOf(column) === 'text' && !column?.collClause && !column?.raw_default),
      ),
  },
  {
    id: 'L202',
    severity: 'error',
    sentence: 'A default that differs by row is computed for every row at once: the table is rewritten.',
    alternative: 'Add the column without default, set the default, back-fill in batches.',
    check: (statement) =>
      about(
        statement,
        (each) =>
          isNew(each) &&
          constraintsOf(each.column).some(
            ({ contype, raw_expr }) =>
              contype === 'CONSTR_DEFAULT' &&
              within(raw_expr, 'FuncCall').some((call) => !STABLE.has(functionName(call))),
          ),
      ),
  },
  {
    id: 'L203',
    severity: 'error',
    sentence: 'A stored generated column is computed for every row at once: the table is rewritten.',
    alternative: 'Keep it by a trigger, and back-fill in batches.',
    check: (statement) =>
      about(
        statement,
        (each) =>
          isNew(each) &&
          constraintsOf(each.column).some(
            (constraint) =>
              constraint.contype === 'CONSTR_GENERATED' &&
              (constraint as { generated_kind?: string }).generated_kind === 's',
          ),
      ),
  },
  {
    id: 'L204',
    severity: 'error',
    sentence: 'A serial or identity column numbers every row at once: the table is rewritten.',
    alternative: 'Add a nullable column, number the rows in batches, then attach a sequence.',
    check: (statement) =>
      about(
        statement,
        (each) =>
          isNew(each) &&
          (SERIAL.test(typeOf(each.column)) ||
            constraintsOf(each.column).some(({ contype }) => contype === 'CONSTR_IDENTITY')),
      ),
  },
  {
    id: 'L205',
    severity: 'error',
    sentence: 'SET NOT NULL reads the whole table while nobody can use it.',
    alternative:
      'Add CHECK (column IS NOT NULL) NOT VALID, validate it in the next file, then SET NOT NULL and drop the check.',
    check: (statement) => about(statement, ({ command }) => command.subtype === 'AT_SetNotNull'),
  },
  {
    id: 'L206',
    severity: 'error',
    sentence: 'LOGGED or UNLOGGED, another access method or tablespace rewrites the table.',
    alternative: 'Make a new table and move the rows in batches.',
    check: (statement) =>
      about(statement, ({ command }) =>
        /^AT_Set(Logged|UnLogged|AccessMethod|TableSpace)$/.test(command.subtype ?? ''),
      ),
  },
  {
    id: 'L207',
    severity: 'error',
    sentence: 'VACUUM FULL and CLUSTER rewrite the table while nobody can use it.',
    alternative: 'Use pg_repack or pg_squeeze, outside the migrations.',
    check: (statement) => {
      if (as(statement, 'ClusterStmt'))
        return as(statement, 'ClusterStmt')?.relation?.relname ?? 'all tables';
      return hasOption(as(statement, 'VacuumStmt')?.options, 'full') ? 'VACUUM FULL' : undefined;
    },
  },
];
