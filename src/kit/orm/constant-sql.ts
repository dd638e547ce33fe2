import { isRaw } from '@mikro-orm/core';

/** Pieces of SQL that mean the same in every statement and name no column. */
const CONSTANT = /^\s*(?:now\(\)|current_timestamp)\s*$/i;

/** The SQL of a value that the database sets to the same for all rows: `raw('now()')`. */
export function constantSql(value: unknown): string | undefined {
  if (!isRaw(value) || value.params.length > 0) return undefined;
  return value.sql === 'now()' || CONSTANT.test(value.sql) ? value.sql : undefined;
}
