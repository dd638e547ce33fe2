import { InvalidInputError } from '../errors/index.ts';

const INT4 = 2_147_483_647;

/**
 * A whole number that an `integer` column holds.
 *
 * @throws InvalidInputError.
 */
export function checkInteger(field: string, value: unknown, min = -INT4 - 1, max = INT4): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidInputError(field, `be a whole number from ${min} to ${max}`);
}
