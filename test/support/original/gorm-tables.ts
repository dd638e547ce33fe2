import type { OriginalTable, Part } from './table.ts';

/** What is left of the uniques of a database that GORM has made. */
export type Uniques =
  /** All of them, as plain unique indexes named `idx_<table>_<column>`. */
  | 'gorm'
  /** As the original's file 011 left them, which dropped two of them by name. */
  | 'lost';

/** Columns that GORM made text, because their field had no size. */
const TEXTS = new Set([
  'users.username',
  'proxies.host',
  'accounts.name',
  'usage_logs.model',
  'usage_logs.ip_address',
]);

/** Columns that are NOT NULL in the original's files, and are not where GORM has made them. */
const NULLABLE = new Set([
  'users.username',
  'users.notes',
  'users.concurrency',
  'groups.is_exclusive',
  'accounts.extra',
  'account_groups.priority',
  'redeem_codes.validity_days',
  'usage_logs.billing_type',
  'usage_logs.stream',
  'user_subscriptions.daily_usage_usd',
]);

/** Keys that GORM never made, because the field had no relation. */
const WITHOUT_PARENT = new Set([
  'user_subscriptions.assigned_by',
  'redeem_codes.used_by',
  'usage_logs.subscription_id',
  'account_groups.group_id',
]);

const UNIQUES: Readonly<Record<string, string>> = {
  users_email_key: 'idx_users_email',
  groups_name_key: 'idx_groups_name',
  api_keys_key_key: 'idx_api_keys_key',
  redeem_codes_code_key: 'idx_redeem_codes_code',
  settings_key_key: 'idx_settings_key',
  user_subscriptions_user_id_group_id_key: 'idx_user_subscriptions_user_group',
};

const LOST = new Set(['idx_api_keys_key', 'idx_redeem_codes_code', 'idx_settings_key']);

/** The table as GORM's auto-migration made it from the program's structs. */
export function asGorm(original: OriginalTable, uniques: Uniques): OriginalTable {
  const { name } = original;
  return {
    ...original,
    hasGormKeys: true,
    columns: original.columns.map((column) => ({ ...column, text: columnText(name, column) })),
    parents: original.parents
      .filter((parent) => !WITHOUT_PARENT.has(`${name}.${parent.name}`))
      .map((parent) => ({ ...parent, text: parent.text.split(' ')[0] ?? '' })),
    uniques: [],
    indexes: [
      ...original.indexes.map((index) => ({ ...index, name: indexName(index.name) })),
      ...original.uniques.flatMap((unique) => uniqueIndex(unique, uniques)),
    ],
  };
}

function columnText(table: string, { name, text }: Part): string {
  const column = `${table}.${name}`;
  // GORM fills these two itself.
  if (name === 'created_at' || name === 'updated_at') return 'timestamptz';
  const typed = TEXTS.has(column) ? text.replace(/varchar\(\d+\)/, 'text') : text;
  return NULLABLE.has(column) ? typed.replace('NOT NULL ', '') : typed;
}

function indexName(name: string): string {
  return name === 'usersubscription_deleted_at' ? 'idx_user_subscriptions_deleted_at' : name;
}

function uniqueIndex({ name, text, ...span }: Part, uniques: Uniques): Part[] {
  const gorm = UNIQUES[name] ?? name;
  return uniques === 'lost' && LOST.has(gorm) ? [] : [{ ...span, name: gorm, text: `UNIQUE ${text}` }];
}

/** The names that the columns of cache tokens had before the original's file 009. */
export function withOldCacheColumns(original: OriginalTable): OriginalTable {
  const columns = original.columns.map((column) => ({
    ...column,
    name: column.name.replace(/(cache_creation)_(5m|1h)/, '$1$2'),
  }));
  return original.name === 'usage_logs' ? { ...original, columns } : original;
}
