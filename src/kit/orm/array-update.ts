import { type ArrayColumn, arrayLiteral } from './array-column.ts';
import { typedArray } from './array-statement.ts';

/** A column that an update sets, by a value for each row or by one piece of SQL for all; `given` says in which rows, if not in all. */
export interface SetColumn {
  readonly column: string;
  readonly values: ArrayColumn['values'] | string;
  readonly given?: readonly boolean[] | undefined;
}

/** An update of many rows by their keys. Names are those of the database, unquoted, but for `table`. */
export interface ArrayUpdate {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly keys: readonly ArrayColumn[];
  readonly sets: readonly SetColumn[];
  /** Sets that take no value from outside: `"version" = "t"."version" + 1`. */
  readonly computed: readonly string[];
  /** As SQL, with the alias `t` for the row and `u` for what it is changed to. */
  readonly returning: readonly string[];
  /** Whether `u` has a column `n`: which of the given rows it is, from 1. */
  readonly numbered?: boolean;
  /** The live predicate of an alias, or an empty text. */
  live(alias: string): string;
  /** More conditions on the alias `t`. */
  readonly conditions: readonly string[];
}

/** Writes a name of the database into SQL. */
export type Quote = (name: string) => string;

/** The pieces of which both forms of the update are put together. */
export interface UpdateParts {
  /** `unnest($1, $2 …) as "u" (k0, c0 …)`. */
  readonly source: string;
  /** That a row of `u` is for a row of `t`. */
  readonly joins: readonly string[];
  readonly assignments: readonly string[];
  readonly values: readonly unknown[];
}

/**
 * `update … from unnest($1, $2 …)`: one text for a set of columns, whatever the number of rows, and its values.
 *
 * A column that not every row sets comes with a second array that says which ones do; the others keep what the row holds.
 */
export function arrayUpdate(update: ArrayUpdate, quote: Quote): { text: string; values: unknown[] } {
  const { source, joins, assignments, values } = updateParts(update, quote);
  const where = [...joins, ...[update.live('t')].filter(Boolean), ...update.conditions];
  return {
    text:
      `update ${update.table} as "t" set ${assignments.join(', ')} from ${source} ` +
      `where ${where.join(' and ')} returning ${update.returning.join(', ')}`,
    values: [...values],
  };
}

/** The same update in pieces. */
export function updateParts(
  update: Pick<ArrayUpdate, 'table' | 'keys' | 'sets' | 'computed' | 'numbered' | 'live'>,
  quote: Quote,
): UpdateParts {
  const { table, keys, sets, computed } = update;
  const values: unknown[] = [];
  const arrays: string[] = [];
  const names: string[] = [];
  const add = (
    name: string,
    array: Parameters<typeof arrayLiteral>[0],
    expression: (place: string) => string,
  ): string => {
    values.push(arrayLiteral(array));
    arrays.push(expression(`$${values.length}`));
    names.push(name);
    return `"u".${name}`;
  };
  const typed = (column: string) => (place: string) =>
    typedArray(place, quote(column), table, update.live('x'));
  const joins = keys.map(
    ({ column, values: own }, n) => `"t".${quote(column)} = ${add(`k${n}`, own, typed(column))}`,
  );
  const assignments = sets.map(({ column, values: own, given }, n) => {
    const value = typeof own === 'string' ? own : add(`c${n}`, own, typed(column));
    const isGiven = given && add(`g${n}`, given, (place) => `${place}::boolean[]`);
    const kept = `case when ${isGiven} then ${value} else "t".${quote(column)} end`;
    return `${quote(column)} = ${isGiven ? kept : value}`;
  });
  if (update.numbered) names.push('n');
  const ordinality = update.numbered ? ' with ordinality' : '';
  const source = `unnest(${arrays.join(', ')})${ordinality} as "u" (${names.join(', ')})`;
  return { source, joins, assignments: [...assignments, ...computed], values };
}
