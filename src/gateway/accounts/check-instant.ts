import { InvalidInputError } from '../../kit/errors/index.ts';

/** An instant as PostgreSQL reads it, in the years 1 to 9999. @throws InvalidInputError. */
export function checkInstant(field: string, value: unknown): string {
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    const year = value.getUTCFullYear();
    if (year >= 1 && year <= 9999) return value.toISOString();
  }
  throw new InvalidInputError(field, 'be a valid Date in the years 1 to 9999');
}
