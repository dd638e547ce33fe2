import type { DoctorWaiver } from '../kit/migrations/index.ts';

const of = (table: string, ...columns: string[]): string[] =>
  columns.map((column) => `${table}.${table}_${column}_fkey`);

const SORA = [
  ...of('sora_accounts', 'account_id'),
  ...of('sora_usage_stats', 'account_id'),
  ...of('sora_tasks', 'account_id'),
  ...of('sora_cache_files', 'account_id', 'user_id'),
  ...of('sora_slots', 'account_id'),
];

/** What the schema doctor finds in the gateway's tables, and why it is meant. */
export const gatewayWaivers: readonly DoctorWaiver[] = [
  {
    rule: 'D101',
    about: ['api_keys.api_keys_key_key'],
    reason: 'The text of a key that was deleted must never open anything again.',
  },
  {
    rule: 'D201',
    about: [
      ...of('usage_logs', 'user_id', 'api_key_id', 'account_id', 'group_id', 'subscription_id'),
      ...of('billing_usage_entries', 'user_id', 'api_key_id', 'subscription_id'),
      ...of('promo_code_usages', 'user_id'),
      ...of('redeem_codes', 'used_by', 'group_id'),
    ],
    reason: 'Records of what happened and was paid outlive whom they are about.',
  },
  {
    rule: 'D201',
    about: of('user_attribute_values', 'user_id', 'attribute_id'),
    reason: 'A value is read through its user and its definition, and comes back with them.',
  },
  {
    rule: 'D201',
    about: SORA,
    reason:
      'Sora rows are deleted physically; a deleted account gets nothing new, and has them again when it is restored.',
  },
  {
    rule: 'D203',
    about: SORA,
    reason: 'Who removes an account or a user for good means what belongs to it too.',
  },
  {
    rule: 'D203',
    about: [
      ...of('api_keys', 'user_id'),
      ...of('user_subscriptions', 'user_id', 'group_id'),
      ...of('user_attribute_values', 'user_id', 'attribute_id'),
      ...of('promo_code_usages', 'user_id'),
      ...of('usage_logs', 'user_id', 'api_key_id', 'account_id'),
      ...of('billing_usage_entries', 'user_id', 'api_key_id'),
    ],
    reason: 'The original has these keys: who removes a row for good means what belongs to it too.',
  },
  {
    rule: 'D303',
    about: [
      'accounts.idx_accounts_deleted_at',
      'api_keys.idx_api_keys_deleted_at',
      'groups.idx_groups_deleted_at',
      'proxies.idx_proxies_deleted_at',
      'user_attribute_definitions.idx_user_attribute_definitions_deleted_at',
      'user_subscriptions.usersubscription_deleted_at',
      'users.idx_users_deleted_at',
    ],
    reason: 'The original has these indexes, and programs of it share the database.',
  },
];
