import { type OriginalTable, table } from './table.ts';

const TIMES = `
  created_at timestamptz NOT NULL DEFAULT now()
  updated_at timestamptz NOT NULL DEFAULT now()`;

const redeemCodes = table('redeem_codes', 1, {
  columns: `
    id bigserial PRIMARY KEY
    code varchar(32) NOT NULL
    type varchar(20) NOT NULL DEFAULT 'balance'
    value numeric(20,8) NOT NULL
    status varchar(20) NOT NULL DEFAULT 'unused'
    used_by bigint
    used_at timestamptz
    created_at timestamptz NOT NULL DEFAULT now()
    group_id bigint @3
    validity_days integer NOT NULL DEFAULT 30 @3
    notes text @4`,
  parents: `used_by users SET NULL
    group_id groups SET NULL`,
  uniques: 'redeem_codes_code_key (code)',
  indexes: `idx_redeem_codes_status (status)
    idx_redeem_codes_used_by (used_by)
    idx_redeem_codes_group_id (group_id) @3`,
});

const settings = table('settings', 5, {
  columns: `
    id bigserial PRIMARY KEY
    key varchar(100) NOT NULL
    value text NOT NULL
    updated_at timestamptz NOT NULL DEFAULT now()`,
  uniques: 'settings_key_key (key)',
});

const userSubscriptions = table('user_subscriptions', 3, {
  columns: `
    id bigserial PRIMARY KEY
    user_id bigint NOT NULL
    group_id bigint NOT NULL
    starts_at timestamptz NOT NULL
    expires_at timestamptz NOT NULL
    status varchar(20) NOT NULL DEFAULT 'active'
    daily_window_start timestamptz
    weekly_window_start timestamptz
    monthly_window_start timestamptz
    daily_usage_usd numeric(20,10) NOT NULL DEFAULT 0
    weekly_usage_usd numeric(20,10) NOT NULL DEFAULT 0
    monthly_usage_usd numeric(20,10) NOT NULL DEFAULT 0
    assigned_by bigint
    assigned_at timestamptz NOT NULL DEFAULT now()
    notes text
    ${TIMES}
    deleted_at timestamptz @12`,
  parents: `user_id users CASCADE
    group_id groups CASCADE
    assigned_by users SET NULL`,
  uniques: 'user_subscriptions_user_id_group_id_key (user_id, group_id) @3-15',
  indexes: `idx_user_subscriptions_user_id (user_id)
    idx_user_subscriptions_group_id (group_id)
    idx_user_subscriptions_status (status)
    idx_user_subscriptions_expires_at (expires_at)
    idx_user_subscriptions_assigned_by (assigned_by)
    usersubscription_deleted_at (deleted_at) @12
    user_subscriptions_user_group_unique_active UNIQUE (user_id, group_id) WHERE deleted_at IS NULL @16`,
});

const usageLogs = table('usage_logs', 1, {
  columns: `
    id bigserial PRIMARY KEY
    user_id bigint NOT NULL
    api_key_id bigint NOT NULL
    account_id bigint NOT NULL
    request_id varchar(64)
    model varchar(100) NOT NULL
    input_tokens integer NOT NULL DEFAULT 0
    output_tokens integer NOT NULL DEFAULT 0
    cache_creation_tokens integer NOT NULL DEFAULT 0
    cache_read_tokens integer NOT NULL DEFAULT 0
    cache_creation_5m_tokens integer NOT NULL DEFAULT 0
    cache_creation_1h_tokens integer NOT NULL DEFAULT 0
    input_cost numeric(20,10) NOT NULL DEFAULT 0
    output_cost numeric(20,10) NOT NULL DEFAULT 0
    cache_creation_cost numeric(20,10) NOT NULL DEFAULT 0
    cache_read_cost numeric(20,10) NOT NULL DEFAULT 0
    total_cost numeric(20,10) NOT NULL DEFAULT 0
    actual_cost numeric(20,10) NOT NULL DEFAULT 0
    stream boolean NOT NULL DEFAULT false
    duration_ms integer
    created_at timestamptz NOT NULL DEFAULT now()
    group_id bigint @3
    subscription_id bigint @3
    rate_multiplier numeric(10,4) NOT NULL DEFAULT 1 @3
    billing_type smallint NOT NULL DEFAULT 0 @5
    first_token_ms integer @5
    user_agent varchar(512) @28
    image_count integer DEFAULT 0 @29
    image_size varchar(10) @29
    ip_address varchar(45) @31
    account_rate_multiplier numeric(10,4) @37`,
  parents: `user_id users CASCADE
    api_key_id api_keys CASCADE
    account_id accounts CASCADE
    group_id groups SET NULL
    subscription_id user_subscriptions SET NULL`,
  indexes: `idx_usage_logs_user_id (user_id)
    idx_usage_logs_api_key_id (api_key_id)
    idx_usage_logs_account_id (account_id)
    idx_usage_logs_model (model)
    idx_usage_logs_created_at (created_at)
    idx_usage_logs_user_created (user_id, created_at)
    idx_usage_logs_group_id (group_id) @3
    idx_usage_logs_subscription_id (subscription_id) @3
    idx_usage_logs_billing_type (billing_type) @5
    idx_usage_logs_sub_created (subscription_id, created_at) @10
    idx_usage_logs_account_created_at (account_id, created_at) @10
    idx_usage_logs_api_key_created_at (api_key_id, created_at) @10
    idx_usage_logs_model_created_at (model, created_at) @10
    idx_usage_logs_request_id_api_key_unique UNIQUE (request_id, api_key_id) @27
    idx_usage_logs_ip_address (ip_address) @31`,
});

const ledger = table('billing_usage_entries', 27, {
  columns: `
    id bigserial PRIMARY KEY
    usage_log_id bigint NOT NULL
    user_id bigint NOT NULL
    api_key_id bigint NOT NULL
    subscription_id bigint
    billing_type smallint NOT NULL
    applied boolean NOT NULL DEFAULT true
    delta_usd numeric(20,10) NOT NULL DEFAULT 0
    created_at timestamptz NOT NULL DEFAULT now()`,
  parents: `usage_log_id usage_logs CASCADE
    user_id users CASCADE
    api_key_id api_keys CASCADE
    subscription_id user_subscriptions SET NULL`,
  indexes: `billing_usage_entries_usage_log_id_unique UNIQUE (usage_log_id)
    idx_billing_usage_entries_user_time (user_id, created_at)
    idx_billing_usage_entries_created_at (created_at)`,
});

/** What was bought and used. */
export const USAGE_TABLES: readonly OriginalTable[] = [
  redeemCodes,
  settings,
  userSubscriptions,
  usageLogs,
  ledger,
];
