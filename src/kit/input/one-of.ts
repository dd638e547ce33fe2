import { InvalidInputError } from '../errors/index.ts';

/**
 * One of the texts that a column takes, where no constraint of the database says which.
 *
 * @throws InvalidInputError.
 */
export function checkOneOf<T extends string>(field: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((text) => text === value);
  if (found !== undefined) return found;
  throw new InvalidInputError(field, `be one of ${allowed.map((text) => `"${text}"`).join(', ')}`);
}
