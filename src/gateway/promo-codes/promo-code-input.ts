import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkAmount, checkInstant, checkInteger, checkOneOf, checkText } from '../../kit/input/index.ts';
import { type NewPromoCode, PROMO_STATUSES, type PromoCodeChange } from './promo-code-record.ts';

const LENGTH = 32;

type Check = (value: unknown) => unknown;

const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);

const CHECKS: Readonly<Record<keyof NewPromoCode, Check>> = {
  code: checkedCode,
  bonusAmount: checkedBonus,
  maxUses: (value) => checkInteger('maxUses', value, 0),
  status: (value) => checkOneOf('status', value, PROMO_STATUSES),
  expiresAt: orNull((value) => checkInstant('expiresAt', value)),
  notes: orNull((value) => checkText('notes', value)),
};

/** The columns of a promo code that the input gives; `code` is folded by the database, see `folded`. */
export type CheckedPromoCode = Readonly<Partial<Record<keyof NewPromoCode, unknown>>>;

/**
 * Each column that the input gives, checked; null clears where the column may be empty.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function checkedColumns(input: NewPromoCode | PromoCodeChange): CheckedPromoCode {
  if (input === null || typeof input !== 'object') throw new InvalidInputError('promoCode', 'be given');
  const columns: Partial<Record<keyof NewPromoCode, unknown>> = {};
  for (const [name, check] of Object.entries(CHECKS) as [keyof NewPromoCode, Check][]) {
    if (input[name] !== undefined) columns[name] = check(input[name]);
  }
  return columns;
}

/** A bonus gives: an amount that is not negative. */
export function checkedBonus(value: unknown): string {
  return checkAmount('bonusAmount', value, { precision: 20, scale: 8, notNegative: true });
}

/** The text of a code; the upper case of some letters is longer than they are, and must fit the column too. */
function checkedCode(value: unknown): string {
  const code = checkText('code', value, { max: LENGTH, filled: true });
  checkText('code', code.toUpperCase(), { max: LENGTH });
  return code;
}
