import { InvalidInputError } from '../errors/index.ts';
import { checkText } from './text.ts';

// Deep enough for documents, and far from the depth at which a recursion ends in an overflow; a cycle ends here too.
const DEEPEST = 100;

/**
 * An object as a `jsonb` column keeps it: plain, of what JSON knows. A property that is undefined counts as left out. What
 * JSON would quietly store as something else (a Map, a Date, NaN) is refused, and so is text that PostgreSQL cannot hold.
 *
 * @throws InvalidInputError, whose message names the field and no key or value of the object.
 */
export function checkJsonObject(field: string, value: unknown): Record<string, unknown> {
  if (!isPlainObject(value)) throw new InvalidInputError(field, 'be a plain object');
  return checkedObject(field, value, 0);
}

function checkedObject(
  field: string,
  object: Record<string, unknown>,
  depth: number,
): Record<string, unknown> {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  // Defined, not assigned: a key named __proto__ is data here.
  return Object.fromEntries(
    entries.map(([key, value]) => [checkText(field, key), checkedValue(field, value, depth + 1)]),
  );
}

function checkedValue(field: string, value: unknown, depth: number): unknown {
  if (depth > DEEPEST) throw new InvalidInputError(field, `be nested at most ${DEEPEST} levels deep`);
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return checkText(field, value);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((element) => checkedValue(field, element, depth + 1));
  if (isPlainObject(value)) return checkedObject(field, value, depth);
  throw new InvalidInputError(field, 'have only what JSON knows: text, finite numbers, lists and objects');
}

/** Whether it is an object and nothing more: a Map, a Date or a list would be stored as something else than it shows. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // By the prototype's own prototype, because an object of another realm has another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
