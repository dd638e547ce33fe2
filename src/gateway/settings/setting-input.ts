import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkText } from '../../kit/input/index.ts';
import { LARGEST_LIST } from '../whole-list.ts';

/** A setting as it is sent to the database. */
export interface SettingPair {
  readonly key: string;
  readonly value: string;
}

/** @throws InvalidInputError (code VALIDATION); the message never shows key or value. */
export function checkedPair(key: unknown, value: unknown): SettingPair {
  return { key: checkText('key', key, { max: 100, filled: true }), value: checkText('value', value) };
}

/** @throws InvalidInputError for anything but a Map of texts. */
export function checkedPairs(settings: unknown): SettingPair[] {
  if (!(settings instanceof Map)) throw new InvalidInputError('settings', 'be a Map from keys to values');
  return [...settings].map(([key, value]) => checkedPair(key, value));
}

/** Distinct keys to ask for. @throws InvalidInputError for anything but a list of up to 10,000 texts. */
export function checkedKeys(keys: unknown): string[] {
  if (!Array.isArray(keys)) throw new InvalidInputError('keys', 'be a list of keys');
  // Each is a parameter of its own, of which a statement takes 65,535.
  if (keys.length > LARGEST_LIST)
    throw new InvalidInputError('keys', `have at most ${LARGEST_LIST} elements`);
  return [...new Set(keys.map((key) => checkText('keys', key)))];
}
