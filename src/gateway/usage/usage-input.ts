import { createHash } from 'node:crypto';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkAmount, checkId, checkInstant, checkInteger, checkOptionalId } from '../../kit/input/index.ts';
import { USAGE_COLUMNS } from './usage-columns.ts';
import type { NewUsage } from './usage-record.ts';

const COST = { precision: 20, scale: 10, notNegative: true } as const;
const MULTIPLIER = { precision: 10, scale: 4, notNegative: true } as const;
const REQUEST_ID = 64;
/** Texts that come from outside: they are cut to their columns, so that no header can lose a log. */
const CUT: Readonly<Record<string, number>> = { model: 100, userAgent: 512, ipAddress: 45, imageSize: 10 };

type Value = string | number | boolean | Date | null;

/**
 * The values of the columns, in their order, null where the input has none.
 *
 * @throws InvalidInputError (code VALIDATION); `prefix` stands before the name of the field.
 */
export function checkedUsage(usage: NewUsage | null | undefined, prefix = ''): Value[] {
  if (usage === null || usage === undefined) throw new InvalidInputError(`${prefix}usage`, 'be given');
  const given = usage as unknown as Readonly<Record<string, unknown>>;
  if (
    usage.billingType === 1 &&
    checkOptionalId(`${prefix}subscriptionId`, usage.subscriptionId) === undefined
  )
    throw new InvalidInputError(`${prefix}subscriptionId`, 'be given where the billing type is 1');
  return USAGE_COLUMNS.map(({ property, type }) => {
    const value = given[property];
    const field = prefix + property;
    if (property === 'userId' || property === 'apiKeyId' || property === 'accountId')
      return checkId(field, value);
    if (property === 'model') return CHECKS.text(field, value, property) ?? '';
    if (value === undefined || value === null) return null;
    return CHECKS[type](field, value, property);
  });
}

type Check = (field: string, value: unknown, property: string) => Value;

const CHECKS: Readonly<Record<(typeof USAGE_COLUMNS)[number]['type'], Check>> = {
  bigint: (field, value) => checkOptionalId(field, value) ?? null,
  text: (field, value, property) => {
    if (typeof value !== 'string') throw new InvalidInputError(field, 'be a string');
    return property === 'requestId' ? requestId(value) : cut(value, CUT[property] ?? 0);
  },
  int: (field, value) => checkInteger(field, value, 0),
  numeric: (field, value, property) =>
    checkAmount(field, value, property.endsWith('Multiplier') ? MULTIPLIER : COST),
  smallint: (field, value) => checkInteger(field, value, 0, 1),
  boolean: (field, value) => {
    if (typeof value !== 'boolean') throw new InvalidInputError(field, 'be true or false');
    return value;
  },
  timestamptz: (field, value) => checkInstant(field, value),
};

/** Trimmed; an empty one is none, one that is too long is replaced by its hash, which has exactly the column's length. */
function requestId(text: string): string | null {
  const clean = storable(text).trim();
  if (clean.length <= REQUEST_ID || Array.from(clean).length <= REQUEST_ID) return clean || null;
  return createHash('sha256').update(clean).digest('hex');
}

/** Cut between characters as PostgreSQL counts them, never inside one; an empty text is none. */
function cut(text: string, max: number): string | null {
  const clean = storable(text);
  return (clean.length <= max ? clean : Array.from(clean).slice(0, max).join('')) || null;
}

/** Without what PostgreSQL cannot store: NUL, and halves of surrogate pairs. */
function storable(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? text.replaceAll('\0', '').toWellFormed() : text;
}
