import type { Amount } from '../columns/index.ts';
import { InvalidInputError } from '../errors/index.ts';

/** A `numeric(precision, scale)` column. */
export interface AmountRule {
  readonly precision: number;
  readonly scale: number;
  /** Refuse amounts below zero. */
  readonly notNegative?: boolean;
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/;

/**
 * An exact amount as a decimal string.
 *
 * @throws InvalidInputError for anything else (NaN, Infinity, an exponent, a `number`), for more decimals than the column
 *   keeps, which PostgreSQL would round away silently, and for more digits before the point than it holds.
 */
export function checkAmount(
  field: string,
  value: unknown,
  { precision, scale, notNegative }: AmountRule,
): Amount {
  const match = typeof value === 'string' ? DECIMAL.exec(value) : null;
  if (!match) throw new InvalidInputError(field, 'be a decimal string such as "12.50"');
  const [, sign, whole = '', decimals = ''] = match;
  if (decimals.length > scale && decimals.replace(/0+$/, '').length > scale)
    throw new InvalidInputError(field, `have at most ${scale} decimals`);
  const digits = precision - scale;
  if (whole.length > digits && whole.replace(/^0+/, '').length > digits) {
    throw new InvalidInputError(field, `have at most ${digits} digits before the point`);
  }
  if (notNegative && sign === '-' && /[1-9]/.test(whole + decimals))
    throw new InvalidInputError(field, 'not be negative');
  return match[0];
}
