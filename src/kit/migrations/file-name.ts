/**
 * `number` orders files by the number at the beginning of their names, `NNN_description.sql`, which occurs once. `filename` is
 * for a history that was begun without that rule: the whole name orders, byte by byte, numbers may be shared or missing, and a
 * name that ends in `_notx` means NO TRANSACTION.
 */
export type MigrationOrder = 'number' | 'filename';

interface Numbered {
  readonly name: string;
  readonly version: number;
}

/** Numbers above 2^53 cannot be told apart, so fifteen digits are the most; a time stamp has fourteen. */
const NUMBERED = /^(\d{1,15})_[A-Za-z0-9_.-]+\.sql$/;
/** Names that a shell and a terminal take as they are. */
const PLAIN = /^[\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_.+-]*\.sql$/u;

/** Why a `.sql` file is no migration: refused, or passed over with a note where goose passes it over without. */
export function nameProblem(
  fileName: string,
  order: MigrationOrder = 'number',
): { readonly text: string; readonly isIgnored: boolean } | undefined {
  if (order === 'filename') {
    if (PLAIN.test(fileName)) return undefined;
    const text = 'is no migration name. Write it with letters, digits and _ . - + only, and .sql behind it.';
    return { text, isIgnored: false };
  }
  if (Number(NUMBERED.exec(fileName)?.[1] ?? 0) > 0) return undefined;
  // Goose passes over what has no number; a typing mistake in a name must not go unseen.
  if (!/^\d+_/.test(fileName))
    return {
      text: 'This file was passed over, because its name has no number. Name it NNN_description.sql, or move it away.',
      isIgnored: true,
    };
  return {
    text: 'is no migration name. Name it NNN_description.sql with a number from 1 to 15 digits, above 0.',
    isIgnored: false,
  };
}

/** The number at the beginning of a name, 0 without one. */
export function numberOf(fileName: string): number {
  return Number(/^\d+/.exec(fileName)?.[0] ?? 0);
}

/** Whether the name alone says that the file runs without a transaction. */
export function isWithoutTransaction(fileName: string, order: MigrationOrder): boolean {
  return order === 'filename' && fileName.endsWith('_notx.sql');
}

export function byNumber(a: Numbered, b: Numbered): number {
  return a.version - b.version;
}

/** By bytes: the order must not depend on the language of the machine. */
export function byName(a: Numbered, b: Numbered): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}
