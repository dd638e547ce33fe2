import type { PreparedStatement } from '../../kit/orm/index.ts';

/** The statement for one call, and its parameters. */
export interface GivenStatement {
  readonly statement: PreparedStatement;
  readonly values: readonly unknown[];
}

/** By statement: its form for each set of values that were given. */
const forms = new WeakMap<PreparedStatement, Map<number, PreparedStatement>>();

/** A program gives the same columns mostly; each set is one prepared statement on each connection. */
const MOST = 24;
const PARAMETER = /coalesce\(\$(\d+)::(\w+), ([^()]+(?:\(\))?)\)|\$(\d+)::(\w+)/g;

/**
 * The statement without parameters for what was left out, which stands in the text instead: to write, to send and to read a parameter
 * takes as long for a null, and of the thirty columns of a log a caller gives half. More sets than a program has go by the statement
 * of all columns.
 */
export function ofGiven(statement: PreparedStatement, values: readonly unknown[]): GivenStatement {
  // Each column is a bit.
  if (values.length > 31) return { statement, values };
  let given = 0;
  for (let index = 0; index < values.length; index += 1) if (values[index] !== null) given |= 1 << index;
  const known = forms.get(statement) ?? new Map<number, PreparedStatement>();
  if (known.size === 0) forms.set(statement, known);
  let form = known.get(given);
  if (!form) {
    if (known.size >= MOST) return { statement, values };
    form = formOf(statement, given);
    known.set(given, form);
  }
  return { statement: form, values: values.filter((value) => value !== null) };
}

function formOf({ name, text }: PreparedStatement, given: number): PreparedStatement {
  const own = text.replaceAll(PARAMETER, (...[, place, type, absent, bare, ofBare]: string[]) => {
    const index = Number(place ?? bare) - 1;
    const isGiven = (given & (1 << index)) !== 0;
    if (isGiven) return `$${countOf(given, index) + 1}::${type ?? ofBare}`;
    return absent ?? `null::${ofBare}`;
  });
  return { name: `${name}_${given.toString(36)}`, text: own };
}

/** How many of the columns before `index` are given. */
function countOf(given: number, index: number): number {
  let count = 0;
  for (let before = 0; before < index; before += 1) if ((given & (1 << before)) !== 0) count += 1;
  return count;
}
