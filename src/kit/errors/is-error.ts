import { types } from 'node:util';

/** Also true for an error of another realm, such as those that Node itself makes while a test runner's sandbox runs. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
