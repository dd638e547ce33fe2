import type { EntityMetadata } from '@mikro-orm/core';

const RETURNING = ' returning ';
const COLUMNS = /^"(?:[^"]|"")+"(?:, "(?:[^"]|"")+")*$/;

/**
 * A change of the ORM without the columns that it asks back, for a caller who needs none: PostgreSQL collects the rows of
 * RETURNING before it sends the first one, and what is read of them takes longer than all else after a short statement.
 */
export function withoutReturning(sql: string): string {
  const at = sql.lastIndexOf(RETURNING);
  return at > 0 && COLUMNS.test(sql.slice(at + RETURNING.length)) ? sql.slice(0, at) : sql;
}

const WHOLE_NUMBERS = /^(?:small|big)?(?:int|serial)$|^(?:integer|(?:int|serial)[248])$/i;
const DIGITS = /^-?\d{1,19}$/;

/** Whether the key is one column of whole numbers: the one type whose keys have one text each. */
export function hasNumericKey(meta: EntityMetadata): boolean {
  const [prop, ...others] = meta.getPrimaryProps();
  const type = prop?.columnTypes?.[0] ?? '';
  return others.length === 0 && prop?.fieldNames.length === 1 && WHOLE_NUMBERS.test(type);
}

/** Whether the key is one that PostgreSQL reads in one way, and does not refuse. */
export const isGivenBack = (key: unknown): key is string | number | bigint =>
  (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'number') && DIGITS.test(String(key));

/** The key as PostgreSQL would give it back. */
export const givenBack = (key: string | number | bigint): string => BigInt(key).toString();

/** What RETURNING with the key would give of one row, by the name of the column. */
export function rowOfKey(meta: EntityMetadata, key: string): Record<string, string> {
  const [prop] = meta.getPrimaryProps();
  return { [prop?.fieldNames[0] ?? '']: key };
}
