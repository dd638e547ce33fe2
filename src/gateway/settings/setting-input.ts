import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkText } from '../../kit/input/index.ts';

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

/** Distinct keys to ask for. @throws InvalidInputError for anything but a list of texts. */
export function checkedKeys(keys: unknown): string[] {
  if (!Array.isArray(keys)) throw new InvalidInputError('keys', 'be a list of keys');
  return [...new Set(keys.map((key) => checkText('keys', key)))];
}
