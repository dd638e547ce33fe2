import type { Node } from './parser.ts';

/** `b.deleted_at IS NULL` or `IS NOT NULL`, as the path of names before it: `['b', 'deleted_at']`. */
export type NullTest = readonly string[];

/** The null tests that hold for every row that a condition lets pass: its conjuncts. Inside OR, NOT or CASE they decide nothing. */
export function nullTestsOf(condition: unknown): NullTest[] {
  const node = condition as Node | undefined;
  if (!node) return [];
  const all = node['BoolExpr'] as { boolop: string; args: unknown[] } | undefined;
  if (all) return all.boolop === 'AND_EXPR' ? all.args.flatMap(nullTestsOf) : [];
  const test = node['NullTest'] as { arg: { ColumnRef?: { fields: Node[] } } } | undefined;
  const fields = test?.arg.ColumnRef?.fields;
  if (!fields) return [];
  const names = fields.map((field) => (field['String'] as { sval?: string } | undefined)?.sval);
  return names.every((name) => name !== undefined) ? [names] : [];
}

/** A table in FROM, or the one that a statement writes. */
export interface RangeVar {
  readonly relname: string;
  readonly schemaname?: string;
  readonly alias?: { readonly aliasname: string; readonly colnames?: unknown };
  readonly location?: number;
}

/** The name by which the rest of the statement refers to the table. */
export const aliasOf = ({ relname, alias }: RangeVar): string => alias?.aliasname ?? relname;

/**
 * Whether one of the tests is about this very mention of a table. A bare column is: of two tables that have it, PostgreSQL
 * refuses the statement.
 */
export function isTested(range: RangeVar, column: string, tests: readonly NullTest[]): boolean {
  // `book as b (id, name)` renames the columns, so that the name says nothing any more.
  if (range.alias?.colnames) return false;
  return tests.some((path) => {
    if (path.at(-1) !== column) return false;
    if (path.length === 1) return true;
    if (path.length === 2) return path[0] === aliasOf(range);
    return !range.alias && path[1] === range.relname && path[0] === range.schemaname;
  });
}
