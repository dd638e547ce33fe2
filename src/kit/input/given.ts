import { InvalidInputError } from '../errors/index.ts';

/**
 * Options, filters or a cursor: whoever has none leaves them out, and null would fail where a field of it is read.
 *
 * @throws InvalidInputError.
 */
export function checkGiven<T extends object>(field: string, value: T): T {
  if (typeof value === 'object' && (value as T | null) !== null) return value;
  throw new InvalidInputError(field, 'be an object, or be left out');
}
