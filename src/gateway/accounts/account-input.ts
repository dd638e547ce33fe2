import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkAmount, checkInteger, checkOneOf, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { checkPlatform } from '../platforms.ts';
import { ACCOUNT_STATUSES, ACCOUNT_TYPES } from './account-columns.ts';
import { instantText } from './instant-text.ts';

type Check = (field: string, value: unknown) => unknown;

const filled =
  (max: number): Check =>
  (field, value) =>
    checkText(field, value, { max, filled: true });
const orNull =
  (check: Check): Check =>
  (field, value) =>
    value === null ? null : check(field, value);
const oneOf =
  (allowed: readonly string[]): Check =>
  (field, value) =>
    checkOneOf(field, value, allowed);
const text: Check = (field, value) => checkText(field, value);
const whole: Check = (field, value) => checkInteger(field, value);
const flag: Check = (field, value) => {
  if (typeof value === 'boolean') return value;
  throw new InvalidInputError(field, 'be true or false');
};
const instant = orNull((field, value) => instantText(field, value));

/** Each writable column: its name in the table, its type there, and what may be stored in it. */
export const WRITABLE: Readonly<Record<string, { column: string; type: string; check: Check }>> = {
  name: { column: 'name', type: 'text', check: filled(100) },
  notes: { column: 'notes', type: 'text', check: orNull(text) },
  platform: { column: 'platform', type: 'text', check: checkPlatform },
  type: { column: 'type', type: 'text', check: oneOf(ACCOUNT_TYPES) },
  proxyId: {
    column: 'proxy_id',
    type: 'bigint',
    check: (field, value) => checkOptionalId(field, value) ?? null,
  },
  concurrency: { column: 'concurrency', type: 'int', check: whole },
  priority: { column: 'priority', type: 'int', check: whole },
  rateMultiplier: {
    column: 'rate_multiplier',
    type: 'numeric',
    check: (field, value) => checkAmount(field, value, { precision: 10, scale: 4, notNegative: true }),
  },
  status: { column: 'status', type: 'text', check: oneOf(ACCOUNT_STATUSES) },
  errorMessage: { column: 'error_message', type: 'text', check: orNull(text) },
  lastUsedAt: { column: 'last_used_at', type: 'timestamptz', check: instant },
  expiresAt: { column: 'expires_at', type: 'timestamptz', check: instant },
  autoPauseOnExpired: { column: 'auto_pause_on_expired', type: 'boolean', check: flag },
  schedulable: { column: 'schedulable', type: 'boolean', check: flag },
  rateLimitedAt: { column: 'rate_limited_at', type: 'timestamptz', check: instant },
  rateLimitResetAt: { column: 'rate_limit_reset_at', type: 'timestamptz', check: instant },
  overloadUntil: { column: 'overload_until', type: 'timestamptz', check: instant },
  tempUnschedulableUntil: { column: 'temp_unschedulable_until', type: 'timestamptz', check: instant },
  tempUnschedulableReason: { column: 'temp_unschedulable_reason', type: 'text', check: orNull(text) },
  sessionWindowStart: { column: 'session_window_start', type: 'timestamptz', check: instant },
  sessionWindowEnd: { column: 'session_window_end', type: 'timestamptz', check: instant },
  sessionWindowStatus: {
    column: 'session_window_status',
    type: 'text',
    check: orNull((field, value) => checkText(field, value, { max: 20 })),
  },
};

/** What may be changed in many accounts at once. */
export const WRITABLE_IN_BULK = [
  'name',
  'proxyId',
  'concurrency',
  'priority',
  'rateMultiplier',
  'status',
  'schedulable',
] as const;

/** A column and what it is to hold. */
export interface ColumnValue {
  readonly column: string;
  readonly type: string;
  readonly value: unknown;
}

/**
 * The columns that the input gives, each checked; what is undefined is left out.
 *
 * @throws InvalidInputError (code VALIDATION); the message names the field and never its value.
 */
export function checkedColumns(
  input: object,
  names: readonly string[] = Object.keys(WRITABLE),
): ColumnValue[] {
  const values = input as Record<string, unknown>;
  return names.flatMap((name) => {
    const rule = WRITABLE[name];
    if (!rule || values[name] === undefined) return [];
    return [{ column: rule.column, type: rule.type, value: rule.check(name, values[name]) }];
  });
}
