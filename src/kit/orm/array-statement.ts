import { hash } from 'node:crypto';
import type { PreparedStatement } from './prepared-statement.ts';

/**
 * A text per set of columns is few, but a program that changes whatever its callers name has no bound; more than this are not
 * prepared, and go the core's way.
 */
const MOST = 1000;

const names = new Map<string, string>();

/**
 * The statement of a text that is the same whatever the number of rows, so that each connection parses and plans it once. Its name
 * is made of the text alone: behind a pooler that hands one server session to many programs, a number that each program counts by
 * itself would run the statement of another one, with these values. Undefined when there are too many of them already.
 */
export function arrayStatement(text: string): PreparedStatement | undefined {
  const known = names.get(text);
  if (known !== undefined) return { name: known, text };
  if (names.size >= MOST) return undefined;
  const name = `ts_rows_${hash('sha1', text)}`;
  names.set(text, name);
  return { name, text };
}

/**
 * `$1` as an array of whatever type the column has in the database: PostgreSQL takes the type of a parameter without one from the
 * other side of `||`. The metadata is not asked, which may know `varchar` for an enum, a domain or citext; and nothing is read:
 * `false` leaves no partition in the plan, where `limit 0` locks and opens each of them for each column.
 *
 * It also hides the number of elements from the planner, so that one connection plans as another one does, and their rows are locked
 * in the same order.
 */
export function typedArray(place: string, column: string, table: string, live: string): string {
  return `${place} || array(select "x".${column} from ${table} as "x" where ${live && `${live} and `}false)`;
}
