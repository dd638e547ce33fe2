import { type OriginalTable, table } from './table.ts';

const TIMES = `
  created_at timestamptz NOT NULL DEFAULT now()
  updated_at timestamptz NOT NULL DEFAULT now()`;

const plain = (name: string, ...columns: string[]): string =>
  columns.map((column) => `idx_${name}_${column} (${column})`).join('\n');

const users = table('users', 1, {
  columns: `
    id bigserial PRIMARY KEY
    email varchar(255) NOT NULL
    password_hash varchar(255) NOT NULL
    role varchar(20) NOT NULL DEFAULT 'user'
    balance numeric(20,8) NOT NULL DEFAULT 0
    concurrency integer NOT NULL DEFAULT 5
    status varchar(20) NOT NULL DEFAULT 'active'
    allowed_groups bigint[] @1-13
    ${TIMES}
    deleted_at timestamptz
    username varchar(100) NOT NULL DEFAULT '' @5
    notes text NOT NULL DEFAULT '' @5
    wechat varchar(100) DEFAULT '' @5`,
  uniques: 'users_email_key (email) @1-15',
  indexes: `${plain('users', 'status', 'deleted_at')}
    users_email_unique_active UNIQUE (email) WHERE deleted_at IS NULL @16`,
});

const groups = table('groups', 1, {
  columns: `
    id bigserial PRIMARY KEY
    name varchar(100) NOT NULL
    description text
    rate_multiplier numeric(10,4) NOT NULL DEFAULT 1.0
    is_exclusive boolean NOT NULL DEFAULT false
    status varchar(20) NOT NULL DEFAULT 'active'
    ${TIMES}
    deleted_at timestamptz
    platform varchar(50) NOT NULL DEFAULT 'anthropic' @3
    subscription_type varchar(20) NOT NULL DEFAULT 'standard' @3
    daily_limit_usd numeric(20,8) @3
    weekly_limit_usd numeric(20,8) @3
    monthly_limit_usd numeric(20,8) @3
    default_validity_days integer NOT NULL DEFAULT 30 @3
    image_price_1k numeric(20,8) @28
    image_price_2k numeric(20,8) @28
    image_price_4k numeric(20,8) @28
    claude_code_only boolean NOT NULL DEFAULT false @29
    fallback_group_id bigint @29
    model_routing jsonb DEFAULT '{}' @40
    model_routing_enabled boolean NOT NULL DEFAULT false @41`,
  parents: 'fallback_group_id groups SET NULL',
  uniques: 'groups_name_key (name) @1-15',
  indexes: `${plain('groups', 'status', 'is_exclusive', 'deleted_at')}
    idx_groups_platform (platform) @3
    idx_groups_subscription_type (subscription_type) @3
    groups_name_unique_active UNIQUE (name) WHERE deleted_at IS NULL @16
    idx_groups_claude_code_only (claude_code_only) WHERE deleted_at IS NULL @29
    idx_groups_fallback_group_id (fallback_group_id) WHERE deleted_at IS NULL AND fallback_group_id IS NOT NULL @29`,
});

const proxies = table('proxies', 1, {
  columns: `
    id bigserial PRIMARY KEY
    name varchar(100) NOT NULL
    protocol varchar(20) NOT NULL
    host varchar(255) NOT NULL
    port integer NOT NULL
    username varchar(100)
    password varchar(100)
    status varchar(20) NOT NULL DEFAULT 'active'
    ${TIMES}
    deleted_at timestamptz`,
  indexes: plain('proxies', 'status', 'deleted_at'),
});

const accounts = table('accounts', 1, {
  columns: `
    id bigserial PRIMARY KEY
    name varchar(100) NOT NULL
    platform varchar(50) NOT NULL
    type varchar(20) NOT NULL
    credentials jsonb NOT NULL DEFAULT '{}'
    extra jsonb NOT NULL DEFAULT '{}'
    proxy_id bigint
    concurrency integer NOT NULL DEFAULT 3
    priority integer NOT NULL DEFAULT 50
    status varchar(20) NOT NULL DEFAULT 'active'
    error_message text
    last_used_at timestamptz
    ${TIMES}
    deleted_at timestamptz
    schedulable boolean NOT NULL DEFAULT true @5
    rate_limited_at timestamptz @5
    rate_limit_reset_at timestamptz @5
    overload_until timestamptz @5
    session_window_start timestamptz @5
    session_window_end timestamptz @5
    session_window_status varchar(20) @5
    temp_unschedulable_until timestamptz @20
    temp_unschedulable_reason text @20
    notes text @28
    expires_at timestamptz @30
    auto_pause_on_expired boolean NOT NULL DEFAULT true @30
    rate_multiplier numeric(10,4) NOT NULL DEFAULT 1.0 @37`,
  parents: 'proxy_id proxies SET NULL',
  indexes: `${plain('accounts', 'platform', 'type', 'status', 'proxy_id', 'priority', 'last_used_at', 'deleted_at')}
    idx_accounts_schedulable (schedulable) @5
    idx_accounts_rate_limited_at (rate_limited_at) @5
    idx_accounts_rate_limit_reset_at (rate_limit_reset_at) @5
    idx_accounts_overload_until (overload_until) @5
    idx_accounts_temp_unschedulable_until (temp_unschedulable_until) WHERE deleted_at IS NULL @20`,
});

const accountGroups = table('account_groups', 1, {
  columns: `
    account_id bigint NOT NULL
    group_id bigint NOT NULL
    priority integer NOT NULL DEFAULT 50
    created_at timestamptz NOT NULL DEFAULT now()
    PRIMARY KEY (account_id, group_id)`,
  parents: `account_id accounts CASCADE
    group_id groups CASCADE`,
  indexes: plain('account_groups', 'group_id', 'priority'),
});

const userAllowedGroups = table('user_allowed_groups', 7, {
  columns: `
    user_id bigint NOT NULL
    group_id bigint NOT NULL
    created_at timestamptz NOT NULL DEFAULT now()
    PRIMARY KEY (user_id, group_id)`,
  parents: `user_id users CASCADE
    group_id groups CASCADE`,
  indexes: plain('user_allowed_groups', 'group_id'),
});

const orphans = table('orphan_allowed_groups_audit', 13, {
  columns: `
    user_id bigint NOT NULL
    group_id bigint NOT NULL
    recorded_at timestamptz NOT NULL DEFAULT now()`,
  uniques: 'orphan_allowed_groups_audit_user_id_group_id_key (user_id, group_id)',
  indexes: plain('orphan_allowed_groups_audit', 'user_id'),
});

const apiKeys = table('api_keys', 1, {
  columns: `
    id bigserial PRIMARY KEY
    user_id bigint NOT NULL
    key varchar(128) NOT NULL
    name varchar(100) NOT NULL
    group_id bigint
    status varchar(20) NOT NULL DEFAULT 'active'
    ${TIMES}
    deleted_at timestamptz
    ip_whitelist jsonb @32
    ip_blacklist jsonb @32`,
  parents: `user_id users CASCADE
    group_id groups SET NULL`,
  uniques: 'api_keys_key_key (key)',
  indexes: plain('api_keys', 'user_id', 'group_id', 'status', 'deleted_at'),
});

/** Who uses the gateway, and what it uses itself; each behind those that it refers to. */
export const CORE_TABLES: readonly OriginalTable[] = [
  users,
  groups,
  proxies,
  accounts,
  accountGroups,
  userAllowedGroups,
  orphans,
  apiKeys,
];
