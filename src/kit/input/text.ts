import { InvalidInputError } from '../errors/index.ts';

/** What a text column takes. */
export interface TextRule {
  /** In characters, as `varchar(n)` counts them; left out for `text`. */
  readonly max?: number;
  /** Refuse the empty string. */
  readonly filled?: boolean;
}

/**
 * The text as it may be stored.
 *
 * @throws InvalidInputError for something else than a string, a NUL (which PostgreSQL cannot store), a lone surrogate, or
 *   more characters than the column has.
 */
export function checkText(field: string, value: unknown, { max, filled = false }: TextRule = {}): string {
  if (typeof value !== 'string') throw new InvalidInputError(field, 'be a string');
  if (value.includes('\0')) throw new InvalidInputError(field, 'not contain a NUL character');
  if (!value.isWellFormed()) throw new InvalidInputError(field, 'be well-formed Unicode');
  if (filled && value === '') throw new InvalidInputError(field, 'not be empty');
  if (max !== undefined && value.length > max && characters(value) > max) {
    throw new InvalidInputError(field, `have at most ${max} characters`);
  }
  return value;
}

/** As PostgreSQL counts them: code points, not UTF-16 units. */
function characters(text: string): number {
  return Array.from(text).length;
}
