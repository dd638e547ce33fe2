import type { Id } from '../columns/index.ts';
import { InvalidInputError } from '../errors/index.ts';

const LARGEST = 9_223_372_036_854_775_807n;
const DIGITS = /^(0|[1-9]\d{0,18})$/;

/**
 * The key of a row: a decimal string from 1 to 2^63 - 1. A `number` is refused, because it has lost digits above 2^53.
 *
 * @throws InvalidInputError.
 */
export function checkId(field: string, value: unknown): Id {
  if (typeof value === 'string' && DIGITS.test(value) && value !== '0') {
    // Only one of nineteen digits can be too large.
    if (value.length < 19 || BigInt(value) <= LARGEST) return value;
  }
  throw new InvalidInputError(field, 'be an id: a decimal string from 1 to 9223372036854775807');
}

/** Absent, empty and ids up to zero mean "no id"; anything else is checked. */
export function checkOptionalId(field: string, value: unknown): Id | undefined {
  if (value === undefined || value === null || value === '' || value === '0') return undefined;
  if (typeof value === 'string' && /^-\d{1,19}$/.test(value)) return undefined;
  return checkId(field, value);
}

/** Distinct ids in ascending order; elements that mean "no id" are dropped. */
export function checkIds(field: string, values: readonly unknown[]): Id[] {
  if (!Array.isArray(values)) throw new InvalidInputError(field, 'be a list of ids');
  const ids = values.flatMap((value) => checkOptionalId(field, value) ?? []);
  return [...new Set(ids)].toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
}
