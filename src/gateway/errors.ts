import type { DomainError, DomainErrors } from '../kit/errors/index.ts';

const notFound = (code: string, what: string): DomainError => ({
  code,
  status: 404,
  message: `The ${what} does not exist or is deleted. Check its id.`,
});
const exists = (code: string, message: string): DomainError => ({ code, status: 409, message });

const USER_NOT_FOUND = notFound('USER_NOT_FOUND', 'user');
const GROUP_NOT_FOUND = notFound('GROUP_NOT_FOUND', 'group');
const ACCOUNT_NOT_FOUND = notFound('ACCOUNT_NOT_FOUND', 'account');
const PROXY_NOT_FOUND = notFound('PROXY_NOT_FOUND', 'proxy');
const ATTRIBUTE_DEFINITION_NOT_FOUND = notFound('ATTRIBUTE_DEFINITION_NOT_FOUND', 'attribute definition');
const API_KEY_NOT_FOUND = notFound('API_KEY_NOT_FOUND', 'API key');
const SUBSCRIPTION_NOT_FOUND = notFound('SUBSCRIPTION_NOT_FOUND', 'subscription');
const USAGE_LOG_NOT_FOUND = notFound('USAGE_LOG_NOT_FOUND', 'usage log');
const PROMO_CODE_EXISTS = exists(
  'PROMO_CODE_EXISTS',
  'A promo code with this text exists, perhaps with other capitals. Choose another one.',
);
const PROMO_CODE_NOT_FOUND = notFound('PROMO_CODE_NOT_FOUND', 'promo code');

/** What each constraint and each missing row of the gateway means (specification 10.1). */
export const gatewayErrors: DomainErrors = {
  constraints: {
    users_email_unique_active: exists('EMAIL_EXISTS', 'A user with this e-mail exists. Choose another one.'),
    api_keys_key_key: exists('API_KEY_EXISTS', 'This key value is or was in use. Generate another one.'),
    groups_name_unique_active: exists('GROUP_EXISTS', 'A group with this name exists. Choose another one.'),
    account_groups_pkey: exists(
      'ACCOUNT_GROUP_EXISTS',
      'The account serves this group already. Unbind it first.',
    ),
    user_subscriptions_user_group_unique_active: exists(
      'SUBSCRIPTION_ALREADY_EXISTS',
      'The user has a subscription of this group. Extend that one.',
    ),
    redeem_codes_code_key: exists(
      'REDEEM_CODE_EXISTS',
      'A redeem code with this text exists. Generate another one.',
    ),
    idx_user_attribute_definitions_key_unique: exists(
      'ATTRIBUTE_KEY_EXISTS',
      'An attribute with this key exists. Choose another one.',
    ),
    promo_codes_code_key: PROMO_CODE_EXISTS,
    promo_codes_code_unique_upper: PROMO_CODE_EXISTS,
    promo_code_usages_promo_code_id_user_id_key: exists(
      'PROMO_CODE_ALREADY_USED',
      'The user has had the bonus of this code. Each user has it once.',
    ),
    api_keys_user_id_fkey: USER_NOT_FOUND,
    api_keys_group_id_fkey: GROUP_NOT_FOUND,
    groups_fallback_group_id_fkey: GROUP_NOT_FOUND,
    user_allowed_groups_user_id_fkey: USER_NOT_FOUND,
    user_allowed_groups_group_id_fkey: GROUP_NOT_FOUND,
    accounts_proxy_id_fkey: PROXY_NOT_FOUND,
    account_groups_account_id_fkey: ACCOUNT_NOT_FOUND,
    account_groups_group_id_fkey: GROUP_NOT_FOUND,
    user_subscriptions_user_id_fkey: USER_NOT_FOUND,
    user_subscriptions_group_id_fkey: GROUP_NOT_FOUND,
    user_subscriptions_assigned_by_fkey: USER_NOT_FOUND,
    redeem_codes_used_by_fkey: USER_NOT_FOUND,
    redeem_codes_group_id_fkey: GROUP_NOT_FOUND,
    user_attribute_values_user_id_fkey: USER_NOT_FOUND,
    user_attribute_values_attribute_id_fkey: ATTRIBUTE_DEFINITION_NOT_FOUND,
    promo_code_usages_promo_code_id_fkey: PROMO_CODE_NOT_FOUND,
    promo_code_usages_user_id_fkey: USER_NOT_FOUND,
    usage_logs_user_id_fkey: USER_NOT_FOUND,
    usage_logs_api_key_id_fkey: API_KEY_NOT_FOUND,
    usage_logs_account_id_fkey: ACCOUNT_NOT_FOUND,
    usage_logs_group_id_fkey: GROUP_NOT_FOUND,
    usage_logs_subscription_id_fkey: SUBSCRIPTION_NOT_FOUND,
    billing_usage_entries_usage_log_id_fkey: USAGE_LOG_NOT_FOUND,
    billing_usage_entries_user_id_fkey: USER_NOT_FOUND,
    billing_usage_entries_api_key_id_fkey: API_KEY_NOT_FOUND,
    billing_usage_entries_subscription_id_fkey: SUBSCRIPTION_NOT_FOUND,
    sora_tasks_task_id_key: exists(
      'SORA_TASK_EXISTS',
      'A task with this id is stored already. Read that one, or give the new one another id.',
    ),
    sora_accounts_account_id_fkey: ACCOUNT_NOT_FOUND,
    sora_usage_stats_account_id_fkey: ACCOUNT_NOT_FOUND,
    sora_tasks_account_id_fkey: ACCOUNT_NOT_FOUND,
    sora_cache_files_account_id_fkey: ACCOUNT_NOT_FOUND,
    sora_cache_files_user_id_fkey: USER_NOT_FOUND,
    sora_slots_account_id_fkey: ACCOUNT_NOT_FOUND,
  },
  notFound: {
    User: USER_NOT_FOUND,
    Group: GROUP_NOT_FOUND,
    ApiKey: API_KEY_NOT_FOUND,
    Account: ACCOUNT_NOT_FOUND,
    Proxy: PROXY_NOT_FOUND,
    UserSubscription: SUBSCRIPTION_NOT_FOUND,
    UsageLog: USAGE_LOG_NOT_FOUND,
    RedeemCode: notFound('REDEEM_CODE_NOT_FOUND', 'redeem code'),
    Setting: notFound('SETTING_NOT_FOUND', 'setting'),
    UserAttributeDefinition: ATTRIBUTE_DEFINITION_NOT_FOUND,
    PromoCode: PROMO_CODE_NOT_FOUND,
  },
  invalid: { '22001': 'VALIDATION', '22003': 'VALIDATION', '23502': 'VALIDATION', '23514': 'VALIDATION' },
};
