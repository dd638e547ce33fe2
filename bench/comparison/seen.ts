import type { WorkloadName } from './library.ts';
import { FIELDS } from './statements.ts';

type Values = Readonly<Record<string, unknown>>;

const RELATIONS = new Set(['userId', 'groupId', 'proxyId', 'fallbackGroupId']);
const without = (fields: readonly string[]): string[] => fields.filter((field) => !RELATIONS.has(field));

/**
 * What an answer shows, in one form for all libraries: exact numbers come as text or as objects, instants as dates or text,
 * ids as text or as numbers. Ids of relations are seen in the relations.
 */
export function seen(name: WorkloadName, answer: unknown): string {
  if (name === 'W1')
    return JSON.stringify(withOwners(answer, FIELDS.AUTH_KEY, FIELDS.AUTH_USER, FIELDS.AUTH_GROUP));
  if (name === 'W2') {
    const { items, total } = answer as { items: readonly object[]; total: number };
    const shown = items.map((item) => withOwners(item, FIELDS.KEY, FIELDS.USER, FIELDS.GROUP));
    return JSON.stringify([total, shown]);
  }
  if (name === 'W3') return JSON.stringify((answer as object[]).map((row) => pick(row, FIELDS.ACCOUNT)));
  return '';
}

function withOwners(
  answer: unknown,
  key: readonly string[],
  user: readonly string[],
  group: readonly string[],
): unknown {
  if (answer === null || answer === undefined) return null;
  const row = answer as Values;
  return [pick(row, key), pick(row['user'], user), pick(row['group'], group)];
}

function pick(row: unknown, fields: readonly string[]): unknown {
  if (row === null || row === undefined) return null;
  return without(fields).map((field) => [field, plain((row as Values)[field])]);
}

function plain(value: unknown): unknown {
  if (value === undefined || value === null || value === '') return null;
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object') return isDecimal(value) ? Number(value.toFixed()) : sorted(value);
  const text = `${value as string | number | bigint}`;
  if (/^\d{4}-\d\d-\d\d[ T]/.test(text)) return new Date(text).getTime();
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** A decimal of a library, by its own words. */
const isDecimal = (value: object): value is { toFixed(): string } => 'toFixed' in value;

const sorted = (value: object): unknown =>
  Object.keys(value)
    .toSorted()
    .map((name) => [name, plain((value as Values)[name])]);
