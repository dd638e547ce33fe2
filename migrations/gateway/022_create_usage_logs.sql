-- What each request cost, and what was charged for it. A log belongs to one request of one key, once; NULL request ids,
-- which only older programs leave, never collide.
--
-- An installation that comes from the original has seven more indexes here, prefixes of these or never used: each of them
-- costs every insert. Both sets are accepted.
--
-- +tombstone waive L705: keys and subscriptions are soft-deleted, and an index would cost every insert into the ledger

-- +goose Up
CREATE TABLE usage_logs (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  api_key_id bigint NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  group_id bigint REFERENCES groups (id) ON DELETE SET NULL,
  subscription_id bigint REFERENCES user_subscriptions (id) ON DELETE SET NULL,
  request_id varchar(64),
  model varchar(100) NOT NULL,
  input_tokens integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  cache_creation_tokens integer NOT NULL DEFAULT 0,
  cache_read_tokens integer NOT NULL DEFAULT 0,
  cache_creation_5m_tokens integer NOT NULL DEFAULT 0,
  cache_creation_1h_tokens integer NOT NULL DEFAULT 0,
  input_cost numeric(20,10) NOT NULL DEFAULT 0,
  output_cost numeric(20,10) NOT NULL DEFAULT 0,
  cache_creation_cost numeric(20,10) NOT NULL DEFAULT 0,
  cache_read_cost numeric(20,10) NOT NULL DEFAULT 0,
  total_cost numeric(20,10) NOT NULL DEFAULT 0,
  actual_cost numeric(20,10) NOT NULL DEFAULT 0,
  rate_multiplier numeric(10,4) NOT NULL DEFAULT 1,
  account_rate_multiplier numeric(10,4),
  billing_type smallint NOT NULL DEFAULT 0,
  stream boolean NOT NULL DEFAULT false,
  duration_ms integer,
  first_token_ms integer,
  user_agent varchar(512),
  ip_address varchar(45),
  image_count integer DEFAULT 0,
  image_size varchar(10),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX idx_usage_logs_request_id_api_key_unique ON usage_logs (request_id, api_key_id);
CREATE INDEX idx_usage_logs_created_at ON usage_logs (created_at);
CREATE INDEX idx_usage_logs_user_created ON usage_logs (user_id, created_at);
CREATE INDEX idx_usage_logs_api_key_created_at ON usage_logs (api_key_id, created_at);
CREATE INDEX idx_usage_logs_account_created_at ON usage_logs (account_id, created_at);
CREATE INDEX idx_usage_logs_model_created_at ON usage_logs (model, created_at);
CREATE INDEX idx_usage_logs_sub_created ON usage_logs (subscription_id, created_at);
CREATE INDEX idx_usage_logs_group_id ON usage_logs (group_id, created_at) WHERE group_id IS NOT NULL;

CREATE TABLE billing_usage_entries (
  id bigserial PRIMARY KEY,
  usage_log_id bigint NOT NULL REFERENCES usage_logs (id) ON DELETE CASCADE,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  api_key_id bigint NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  subscription_id bigint REFERENCES user_subscriptions (id) ON DELETE SET NULL,
  billing_type smallint NOT NULL,
  applied boolean NOT NULL DEFAULT true,
  delta_usd numeric(20,10) NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX billing_usage_entries_usage_log_id_unique ON billing_usage_entries (usage_log_id);
CREATE INDEX idx_billing_usage_entries_user_time ON billing_usage_entries (user_id, created_at);
CREATE INDEX idx_billing_usage_entries_created_at ON billing_usage_entries (created_at);

-- +goose Down
DROP TABLE billing_usage_entries;
DROP TABLE usage_logs;
