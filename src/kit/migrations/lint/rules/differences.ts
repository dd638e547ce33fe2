import type { IndexStmt } from 'libpg-query';
import type { KnownTable } from '../catalogue.ts';
import type { LintRule } from '../rule.ts';
import { actionsOf, as, columnsOf, existing, type LintFile, typeOf, within } from '../tree.ts';

const SERIALS: Readonly<Record<string, string>> = { smallserial: 'int2', serial: 'int4', bigserial: 'int8' };

/** Rules that compare what a file says with what the database has. */
export const DIFFERENCE_RULES: readonly LintRule[] = [
  {
    id: 'L307',
    severity: 'error',
    sentence: 'The new list of a CHECK lacks values of the old one: a row that has one stops the deploy.',
    alternative:
      'Look for such rows first; or add the CHECK NOT VALID, repair the rows, and validate it later.',
    check: (statement, file) => {
      const dropped = new Set(
        file.statements
          .slice(0, statement.index + 1)
          .flatMap(actionsOf)
          .flatMap(({ command }) => (command.subtype === 'AT_DropConstraint' ? [command.name ?? ''] : [])),
      );
      for (const { table, constraint } of actionsOf(statement)) {
        if (constraint?.contype !== 'CONSTR_CHECK' || constraint.skip_validation) continue;
        const values = new Set(literalsOf(constraint.raw_expr));
        const narrowed = (file.catalogue?.get(table)?.constraints ?? []).find(
          ({ name, type, definition }) =>
            type === 'c' &&
            dropped.has(name) &&
            values.size > 0 &&
            !listOf(definition).every((v) => values.has(v)),
        );
        if (narrowed) return `${table} (${narrowed.name})`;
      }
      return undefined;
    },
  },
  {
    id: 'L512',
    severity: 'error',
    sentence: 'IF NOT EXISTS passes over an object that is there already, and here it is another one.',
    alternative: 'Leave IF NOT EXISTS out, or write the change that makes the one into the other.',
    check: (statement, file) => otherColumn(statement, file) ?? otherIndex(statement, file),
  },
];

type Statement = Parameters<typeof as>[0];

/** A column that IF NOT EXISTS would leave as it is: missing from the table that is there, or of another type. */
function otherColumn(statement: Statement, { catalogue }: LintFile): string | undefined {
  const create = as(statement, 'CreateStmt');
  const isGuarded = (name: string | undefined): boolean =>
    create?.if_not_exists === true ||
    actionsOf(statement).some(({ command, column }) => command.missing_ok && column?.colname === name);
  for (const { table, column } of columnsOf(statement)) {
    const stored = catalogue?.get(table)?.columns;
    if (!stored || !isGuarded(column.colname)) continue;
    const type = stored[column.colname ?? ''];
    if (type === undefined && !create) continue;
    const written = typeOf(column);
    if (type !== (SERIALS[written] ?? written)) return `${table}.${column.colname}`;
  }
  return undefined;
}

/** The name of an index that is there already on another table, on other columns, or with other rules. */
function otherIndex(statement: Statement, { catalogue }: LintFile): string | undefined {
  const index = as(statement, 'IndexStmt');
  const table = existing(statement, index?.relation);
  if (!index?.if_not_exists || table === undefined) return undefined;
  const name = index.idxname ?? '';
  const schemaOf = (each: string): string => each.slice(0, each.lastIndexOf('.') + 1);
  const owner = [...(catalogue?.values() ?? [])].find(
    (each) => schemaOf(each.name) === schemaOf(table) && each.indexes.some((known) => known.name === name),
  );
  if (!owner) return undefined;
  return owner.name === table && isAlike(owner, index) ? undefined : name;
}

function isAlike(owner: KnownTable, index: IndexStmt): boolean {
  const known = owner.indexes.find(({ name }) => name === index.idxname);
  const columns = (index.indexParams ?? []).map(
    (node) => (node as { IndexElem?: { name?: string } }).IndexElem?.name ?? null,
  );
  return (
    known?.isUnique === Boolean(index.unique) &&
    known.isPartial === Boolean(index.whereClause) &&
    // Columns of INCLUDE come behind the key in the catalogue.
    columns.every((column, position) => known.columns[position] === column)
  );
}

/** The text constants of an expression. */
function literalsOf(tree: unknown): string[] {
  return within(tree, 'A_Const').flatMap((constant) => {
    const { sval } = constant as { sval?: { sval?: string } };
    return sval ? [sval.sval ?? ''] : [];
  });
}

/** The text constants of a definition as PostgreSQL prints it. */
function listOf(definition: string): string[] {
  return [...definition.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
}
