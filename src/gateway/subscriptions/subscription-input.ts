import { InvalidInputError, RuleError } from '../../kit/errors/index.ts';
import { checkId, checkInstant, checkOneOf, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { gatewayRules } from '../rules.ts';
import {
  type NewSubscription,
  SUBSCRIPTION_STATUSES,
  type SubscriptionChange,
} from './subscription-record.ts';

const LATEST = new Date('2099-12-31T23:59:59Z');
const COUNTED = [
  'dailyUsageUsd',
  'weeklyUsageUsd',
  'monthlyUsageUsd',
  'dailyWindowStart',
  'weeklyWindowStart',
  'monthlyWindowStart',
] as const;

const CHECKS: Readonly<Record<keyof NewSubscription, (value: unknown) => unknown>> = {
  userId: (value) => checkId('userId', value),
  groupId: (value) => checkId('groupId', value),
  startsAt: (value) => checkInstant('startsAt', value),
  expiresAt: checkedExpiry,
  status: checkedStatus,
  assignedBy: (value) => checkOptionalId('assignedBy', value) ?? null,
  assignedAt: (value) => checkInstant('assignedAt', value),
  notes: (value) => checkText('notes', value ?? ''),
};

/** The columns of a subscription that the input gives, by the names of {@link NewSubscription}. */
export type CheckedSubscription = Readonly<Partial<Record<keyof NewSubscription, unknown>>>;

/** @throws RuleError SUBSCRIPTION_NIL_INPUT; InvalidInputError (code VALIDATION). */
export function checkedNew(input: NewSubscription): CheckedSubscription {
  refuseNull(input);
  return {
    ...checked(input),
    userId: checkId('userId', input.userId),
    groupId: checkId('groupId', input.groupId),
    expiresAt: checkedExpiry(input.expiresAt),
  };
}

/** @throws RuleError SUBSCRIPTION_NIL_INPUT; InvalidInputError (code VALIDATION), also for usage and windows. */
export function checkedChange(input: SubscriptionChange): CheckedSubscription {
  refuseNull(input);
  for (const name of COUNTED) {
    if (input[name] !== undefined)
      throw new InvalidInputError(name, 'be left out, because requests count it meanwhile');
  }
  return checked(input);
}

/** The end of a subscription: at the latest the end of 2099. */
export function checkedExpiry(value: unknown): Date {
  const expiresAt = checkInstant('expiresAt', value);
  return expiresAt > LATEST ? LATEST : expiresAt;
}

export function checkedStatus(value: unknown): (typeof SUBSCRIPTION_STATUSES)[number] {
  return checkOneOf('status', value, SUBSCRIPTION_STATUSES);
}

function checked(input: Partial<NewSubscription>): CheckedSubscription {
  const names = Object.keys(CHECKS) as (keyof NewSubscription)[];
  return Object.fromEntries(
    names.flatMap((name) => (input[name] === undefined ? [] : [[name, CHECKS[name](input[name])]])),
  );
}

function refuseNull(input: unknown): void {
  if (input === null || input === undefined) throw new RuleError(gatewayRules.SUBSCRIPTION_NIL_INPUT);
  if (typeof input !== 'object') throw new InvalidInputError('subscription', 'be an object');
}
