-- Accounts at the platforms, and the groups that they serve. A smaller priority is preferred.

-- +goose Up
CREATE TABLE accounts (
  id bigserial PRIMARY KEY,
  name varchar(100) NOT NULL,
  notes text,
  platform varchar(50) NOT NULL,
  type varchar(20) NOT NULL,
  credentials jsonb NOT NULL DEFAULT '{}',
  extra jsonb NOT NULL DEFAULT '{}',
  proxy_id bigint REFERENCES proxies (id) ON DELETE SET NULL,
  concurrency integer NOT NULL DEFAULT 3,
  priority integer NOT NULL DEFAULT 50,
  rate_multiplier numeric(10,4) NOT NULL DEFAULT 1.0,
  status varchar(20) NOT NULL DEFAULT 'active',
  error_message text,
  last_used_at timestamptz,
  expires_at timestamptz,
  auto_pause_on_expired boolean NOT NULL DEFAULT true,
  schedulable boolean NOT NULL DEFAULT true,
  rate_limited_at timestamptz,
  rate_limit_reset_at timestamptz,
  overload_until timestamptz,
  temp_unschedulable_until timestamptz,
  temp_unschedulable_reason text,
  session_window_start timestamptz,
  session_window_end timestamptz,
  session_window_status varchar(20),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX idx_accounts_platform ON accounts (platform);
CREATE INDEX idx_accounts_type ON accounts (type);
CREATE INDEX idx_accounts_status ON accounts (status);
CREATE INDEX idx_accounts_proxy_id ON accounts (proxy_id);
CREATE INDEX idx_accounts_priority ON accounts (priority);
CREATE INDEX idx_accounts_last_used_at ON accounts (last_used_at);
CREATE INDEX idx_accounts_schedulable ON accounts (schedulable);
CREATE INDEX idx_accounts_rate_limited_at ON accounts (rate_limited_at);
CREATE INDEX idx_accounts_rate_limit_reset_at ON accounts (rate_limit_reset_at);
CREATE INDEX idx_accounts_overload_until ON accounts (overload_until);
CREATE INDEX idx_accounts_temp_unschedulable_until ON accounts (temp_unschedulable_until) WHERE deleted_at IS NULL;
CREATE INDEX idx_accounts_deleted_at ON accounts (deleted_at);

CREATE TABLE account_groups (
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  priority integer NOT NULL DEFAULT 50,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, group_id)
);
CREATE INDEX idx_account_groups_group_id ON account_groups (group_id);
CREATE INDEX idx_account_groups_priority ON account_groups (priority);

-- +goose Down
DROP TABLE account_groups;
DROP TABLE accounts;
