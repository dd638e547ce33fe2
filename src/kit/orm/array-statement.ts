import type { PreparedStatement } from './prepared-statement.ts';

/**
 * A text per set of columns is few, but a program that changes whatever its callers name has no bound; more than this are not
 * prepared, and go the core's way.
 */
const MOST = 1000;

const names = new Map<string, string>();

/**
 * The statement of a text that is the same whatever the number of rows: its name is the same everywhere in the process, so that
 * each connection parses and plans it once. Undefined when there are too many of them already.
 */
export function arrayStatement(text: string): PreparedStatement | undefined {
  const known = names.get(text);
  if (known !== undefined) return { name: known, text };
  if (names.size >= MOST) return undefined;
  const name = `tombstone_rows_${names.size + 1}`;
  names.set(text, name);
  return { name, text };
}

/**
 * `$1` as an array of whatever type the column has in the database: PostgreSQL takes the type of a parameter without one from the
 * other side of `||`. The metadata is not asked, which may know `varchar` for an enum, a domain or citext; and nothing is read.
 *
 * It also hides the number of elements from the planner, so that one connection plans as another one does, and their rows are locked
 * in the same order.
 */
export function typedArray(place: string, column: string, table: string, live: string): string {
  return `${place} || array(select "x".${column} from ${table} as "x"${live && ` where ${live}`} limit 0)`;
}
