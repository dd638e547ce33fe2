import { type Dictionary, raw, type RawQueryFragment } from '@mikro-orm/core';

/** Values of one row as PostgreSQL writes them in text, which it also reads back for a column of any type. */
export type RowTexts = readonly string[];

/** Columns to select, or to return, as text. */
export function textsOf(
  prefix: string,
  columns: readonly string[],
  quote: (name: string) => string,
): RawQueryFragment[] {
  return columns.map((column, index) => raw(`${quote(column)}::text as ${quote(`${prefix}_${index}`)}`));
}

/** Takes the texts out of a returned row; undefined when one is NULL, which equals nothing. */
export function takeTexts(prefix: string, count: number, row: Dictionary): RowTexts | undefined {
  const names = Array.from({ length: count }, (_, index) => `${prefix}_${index}`);
  const texts = names.map((name) => row[name] as string | null);
  for (const name of names) delete row[name];
  return texts.includes(null) ? undefined : (texts as string[]);
}

/** `("a", "b") in ((?, ?), (?, ?))` and its values. */
export function amongTexts(
  columns: readonly string[],
  rows: readonly RowTexts[],
  quote: (name: string) => string,
): { sql: string; params: string[] } {
  const tuple = `(${columns.map(() => '?').join(', ')})`;
  const sql = `(${columns.map(quote).join(', ')}) in (${rows.map(() => tuple).join(', ')})`;
  return { sql, params: rows.flat() };
}
