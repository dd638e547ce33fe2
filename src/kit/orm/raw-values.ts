import { isRaw, type Raw } from '@mikro-orm/core';

/** A statement with its values apart. */
export interface ApartStatement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

const CLOCK = /^(?:now\(\)|current_timestamp)$/;

/** The clock of a soft delete is a piece of SQL, and always the same one. */
export const isClock = ({ sql, params }: Raw): boolean => params.length === 0 && CLOCK.test(sql);

/** Whether the value is a piece of SQL that may hold values of its own. */
const isPiece = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && isRaw(value) && !isClock(value);

/**
 * The same statement with the pieces of SQL among its values in the text, where the ORM writes them, and their own values among
 * the others. Undefined where a piece is not read as it is written: it names columns by `??`, or has another number of values.
 */
export function withPieces(sql: string, params: readonly unknown[]): ApartStatement | undefined {
  if (!params.some(isPiece)) return { sql, params };
  const own: unknown[] = [];
  let [next, isRead] = [0, true];
  const text = sql.replaceAll(/\\\?|\?\??/g, (found) => {
    if (found.startsWith('\\')) return found;
    const value = params[next];
    next += 1;
    if (found === '?' && isPiece(value)) {
      isRead &&= isPlain(value);
      own.push(...value.params);
      return value.sql;
    }
    own.push(value);
    return found;
  });
  return isRead && next === params.length ? { sql: text, params: own } : undefined;
}

function isPlain({ sql, params }: Raw): boolean {
  return !sql.includes('\\') && !sql.includes('??') && sql.split('?').length === params.length + 1;
}
