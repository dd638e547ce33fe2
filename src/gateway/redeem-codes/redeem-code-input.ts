import { InvalidInputError } from '../../kit/errors/index.ts';
import {
  checkAmount,
  checkInstant,
  checkInteger,
  checkOneOf,
  checkOptionalId,
  checkText,
} from '../../kit/input/index.ts';
import { REDEEM_CODE_LENGTH } from './generate-redeem-code.ts';
import {
  type NewRedeemCode,
  REDEEM_STATUSES,
  REDEEM_TYPES,
  type RedeemCodeChange,
} from './redeem-code-record.ts';

const WHOLE = /^([+-]?\d+)(?:\.0*)?$/;

type Check = (value: unknown) => unknown;

const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);

const CHECKS: Readonly<Record<keyof NewRedeemCode, Check>> = {
  code: checkedCode,
  type: (value) => checkOneOf('type', value, REDEEM_TYPES),
  value: (value) => checkAmount('value', value, { precision: 20, scale: 8 }),
  status: (value) => checkOneOf('status', value, REDEEM_STATUSES),
  usedBy: (value) => checkOptionalId('usedBy', value) ?? null,
  usedAt: orNull((value) => checkInstant('usedAt', value)),
  notes: orNull((value) => checkText('notes', value)),
  groupId: (value) => checkOptionalId('groupId', value) ?? null,
  validityDays: (value) => checkInteger('validityDays', value),
};

/** The columns of a code that the input gives, by the names of {@link NewRedeemCode}. */
export type CheckedRedeemCode = Readonly<Partial<Record<keyof NewRedeemCode, unknown>>>;

/**
 * Each column that the input gives, checked; null clears where the column may be empty.
 *
 * @throws InvalidInputError (code VALIDATION); the message names the field and never the code.
 */
export function checkedColumns(input: NewRedeemCode | RedeemCodeChange): CheckedRedeemCode {
  if (input === null || typeof input !== 'object') throw new InvalidInputError('redeemCode', 'be given');
  const columns: Partial<Record<keyof NewRedeemCode, unknown>> = {};
  for (const [name, check] of Object.entries(CHECKS) as [keyof NewRedeemCode, Check][]) {
    if (input[name] !== undefined) columns[name] = check(input[name]);
  }
  if (input.type === 'concurrency' && input.value !== undefined) wholeRequests(input.value);
  return columns;
}

/** {@link checkedColumns} of a new row, whose code and value must be there. */
export function checkedNew(input: NewRedeemCode): CheckedRedeemCode {
  return checkedColumns(input && { ...input, code: input.code ?? '', value: input.value ?? '' });
}

/** The text of a code as it may be stored or asked for. */
export function checkedCode(value: unknown): string {
  return checkText('code', value, { max: REDEEM_CODE_LENGTH, filled: true });
}

/**
 * The value of a concurrency code as the number of requests that it gives.
 *
 * @throws InvalidInputError for decimals, and for more than an `integer` column holds.
 */
export function wholeRequests(value: unknown): number {
  const [, whole] = typeof value === 'string' ? (WHOLE.exec(value) ?? []) : [];
  return checkInteger('value', whole === undefined ? Number.NaN : Number(whole));
}
