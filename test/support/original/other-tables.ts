import { type OriginalTable, table } from './table.ts';

const TIMES = `
  created_at timestamptz NOT NULL DEFAULT now()
  updated_at timestamptz NOT NULL DEFAULT now()`;

const definitions = table('user_attribute_definitions', 18, {
  columns: `
    id bigserial PRIMARY KEY
    key varchar(100) NOT NULL
    name varchar(255) NOT NULL
    description text DEFAULT ''
    type varchar(20) NOT NULL
    options jsonb DEFAULT '[]'
    required boolean NOT NULL DEFAULT false
    validation jsonb DEFAULT '{}'
    placeholder varchar(255) DEFAULT ''
    display_order integer NOT NULL DEFAULT 0
    enabled boolean NOT NULL DEFAULT true
    ${TIMES}
    deleted_at timestamptz`,
  indexes: `idx_user_attribute_definitions_key_unique UNIQUE (key) WHERE deleted_at IS NULL
    idx_user_attribute_definitions_enabled (enabled)
    idx_user_attribute_definitions_display_order (display_order)
    idx_user_attribute_definitions_deleted_at (deleted_at)`,
});

const values = table('user_attribute_values', 18, {
  columns: `
    id bigserial PRIMARY KEY
    user_id bigint NOT NULL
    attribute_id bigint NOT NULL
    value text DEFAULT ''
    ${TIMES}`,
  parents: `user_id users CASCADE
    attribute_id user_attribute_definitions CASCADE`,
  uniques: 'user_attribute_values_user_id_attribute_id_key (user_id, attribute_id)',
  indexes: `idx_user_attribute_values_user_id (user_id)
    idx_user_attribute_values_attribute_id (attribute_id)`,
});

const promoCodes = table('promo_codes', 33, {
  columns: `
    id bigserial PRIMARY KEY
    code varchar(32) NOT NULL
    bonus_amount numeric(20,8) NOT NULL DEFAULT 0
    max_uses integer NOT NULL DEFAULT 0
    used_count integer NOT NULL DEFAULT 0
    status varchar(20) NOT NULL DEFAULT 'active'
    expires_at timestamptz
    notes text
    ${TIMES}`,
  uniques: 'promo_codes_code_key (code)',
  indexes: `idx_promo_codes_status (status)
    idx_promo_codes_expires_at (expires_at)`,
});

const promoUsages = table('promo_code_usages', 33, {
  columns: `
    id bigserial PRIMARY KEY
    promo_code_id bigint NOT NULL
    user_id bigint NOT NULL
    bonus_amount numeric(20,8) NOT NULL
    used_at timestamptz NOT NULL DEFAULT now()`,
  parents: `promo_code_id promo_codes CASCADE
    user_id users CASCADE`,
  uniques: 'promo_code_usages_promo_code_id_user_id_key (promo_code_id, user_id)',
  indexes: `idx_promo_code_usages_promo_code_id (promo_code_id)
    idx_promo_code_usages_user_id (user_id)`,
});

const outbox = table('scheduler_outbox', 36, {
  columns: `
    id bigserial PRIMARY KEY
    event_type text NOT NULL
    account_id bigint
    group_id bigint
    payload jsonb
    created_at timestamptz NOT NULL DEFAULT now()`,
  indexes: 'idx_scheduler_outbox_created_at (created_at)',
});

const MEASURES = `
  total_requests bigint NOT NULL DEFAULT 0
  input_tokens bigint NOT NULL DEFAULT 0
  output_tokens bigint NOT NULL DEFAULT 0
  cache_creation_tokens bigint NOT NULL DEFAULT 0
  cache_read_tokens bigint NOT NULL DEFAULT 0
  total_cost numeric(20,10) NOT NULL DEFAULT 0
  actual_cost numeric(20,10) NOT NULL DEFAULT 0
  total_duration_ms bigint NOT NULL DEFAULT 0
  active_users bigint NOT NULL DEFAULT 0
  computed_at timestamptz NOT NULL DEFAULT now()`;

const dashboard = [
  table('usage_dashboard_hourly', 34, {
    columns: `bucket_start timestamptz PRIMARY KEY ${MEASURES}`,
    indexes: 'idx_usage_dashboard_hourly_bucket_start (bucket_start DESC)',
  }),
  table('usage_dashboard_daily', 34, {
    columns: `bucket_date date PRIMARY KEY ${MEASURES}`,
    indexes: 'idx_usage_dashboard_daily_bucket_date (bucket_date DESC)',
  }),
  table('usage_dashboard_hourly_users', 34, {
    columns: `bucket_start timestamptz NOT NULL
      user_id bigint NOT NULL
      PRIMARY KEY (bucket_start, user_id)`,
  }),
  table('usage_dashboard_daily_users', 34, {
    columns: `bucket_date date NOT NULL
      user_id bigint NOT NULL
      PRIMARY KEY (bucket_date, user_id)`,
  }),
  table('usage_dashboard_aggregation_watermark', 34, {
    columns: `id integer PRIMARY KEY
      last_aggregated_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
      updated_at timestamptz NOT NULL DEFAULT now()`,
  }),
];

/** Answers about users, promo codes, the scheduler's events and the dashboard. */
export const OTHER_TABLES: readonly OriginalTable[] = [
  definitions,
  values,
  promoCodes,
  promoUsages,
  outbox,
  ...dashboard,
];

/** What the specification leaves alone: a few tables as the operations part of the original has them. */
export const FOREIGN_TABLES: readonly OriginalTable[] = [
  table('ops_system_metrics', 26, {
    columns: `id bigserial PRIMARY KEY
      created_at timestamptz NOT NULL DEFAULT now()
      request_count bigint NOT NULL DEFAULT 0
      error_rate double precision`,
    indexes: 'idx_ops_system_metrics_created_at (created_at DESC)',
  }),
  table('ops_error_logs', 33, {
    columns: `id bigserial PRIMARY KEY
      request_id varchar(64)
      user_id bigint
      account_id bigint
      status_code integer
      error_message text
      created_at timestamptz NOT NULL DEFAULT now()
      is_count_tokens boolean NOT NULL DEFAULT false @36`,
    indexes: 'idx_ops_error_logs_created_at (created_at DESC)',
  }),
  table('ops_alert_silences', 37, {
    columns: `id bigserial PRIMARY KEY
      rule_id bigint NOT NULL
      until timestamptz NOT NULL
      reason text NOT NULL DEFAULT ''`,
  }),
];
