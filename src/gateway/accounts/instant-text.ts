import { checkInstant } from '../../kit/input/index.ts';

/** A checked instant as text, which an array of them and a value inside JSON want. @throws InvalidInputError. */
export function instantText(field: string, value: unknown): string {
  return checkInstant(field, value).toISOString();
}
