import type { DomainError } from '../kit/errors/index.ts';

const rule = (status: number, message: string): Omit<DomainError, 'code'> => ({ status, message });

const RULES = {
  REDEEM_CODE_USED: rule(409, 'The redeem code is used, or there is none. Ask for another code.'),
  ACCOUNT_NIL_INPUT: rule(400, 'There is no account in the call. Pass one.'),
  PROXY_IN_USE: rule(409, 'Live accounts use the proxy. Give them another one first.'),
  PROMO_CODE_INVALID: rule(400, 'There is no such promo code. Check its text.'),
  PROMO_CODE_DISABLED: rule(400, 'The promo code is disabled. Use another one.'),
  PROMO_CODE_EXPIRED: rule(400, 'The promo code has expired. Use another one.'),
  PROMO_CODE_MAX_USED: rule(400, 'The promo code has been used as often as it may be. Use another one.'),
  LIST_TOO_LONG: rule(400, 'There are more than 10,000 rows. Read them page by page, or ask for fewer.'),
  SUBSCRIPTION_NIL_INPUT: rule(400, 'There is no subscription to store. Pass one.'),
  INVALID_TIME_RANGE: rule(400, 'The range ends before it starts. Give a later end.'),
  SUM_TOO_LARGE: rule(400, 'A number is above 2^53 and would lose digits. Ask for a shorter range.'),
  GROUP_NOT_SUBSCRIPTION_TYPE: rule(400, 'The group is not sold by subscription. Choose a group that is.'),
  ALLOWED_GROUPS_DROPPED: rule(
    500,
    'users.allowed_groups does not exist any more, so it cannot be written. Set allowedGroups to "join-table", its default.',
  ),
  USAGE_LOGS_DIVIDED: rule(
    500,
    'usage_logs has no unique of its requests here, because it is divided by month. Set usageLogs to "monthly-partitions".',
  ),
  USAGE_LOGS_NOT_DIVIDED: rule(
    500,
    'Requests have no claims here, or not all of them. Apply the migrations of gatewayUsagePartitions, or set usageLogs to "one-table", its default.',
  ),
  SORA_TASK_LOST: rule(
    409,
    'The task is not this claim’s any more: its lease ran out and it was taken over, parked or finished. Give the work up.',
  ),
  SORA_TASK_CHARGED_OTHERWISE: rule(
    409,
    'The task was completed before, and what was charged then is not stored for this API key. Nothing was charged now: repeat the call with the API key of the first one, or charge by recordUsage.',
  ),
  SORA_KEYS_MISSING: rule(
    500,
    'There is no key to encrypt or decrypt tokens with. Give soraKeys to gatewayRepositories.',
  ),
  SORA_KEY_UNKNOWN: rule(
    500,
    'A stored token names a key that is not configured. Put that key back into soraKeys.',
  ),
  SORA_TOKEN_UNREADABLE: rule(
    500,
    'A stored token cannot be decrypted: the key is not the one it was made with, or its text is damaged or of another row. Correct soraKeys, or store the token anew.',
  ),
} as const;

/** What the gateway refuses because of what is stored (specification 10.1), by code. */
export const gatewayRules = Object.fromEntries(
  Object.entries(RULES).map(([code, { status, message }]) => [code, { code, status, message }]),
) as Readonly<Record<keyof typeof RULES, DomainError>>;
