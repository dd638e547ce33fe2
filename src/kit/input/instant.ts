import { InvalidInputError } from '../errors/index.ts';

/**
 * An instant that a `timestamptz` column holds: a valid `Date` of the years 1 to 9999, which every client of the database
 * can write and read.
 *
 * @throws InvalidInputError.
 */
export function checkInstant(field: string, value: unknown): Date {
  const year = value instanceof Date ? value.getUTCFullYear() : Number.NaN;
  if (year >= 1 && year <= 9999) return value as Date;
  throw new InvalidInputError(field, 'be a valid Date of the years 1 to 9999');
}
