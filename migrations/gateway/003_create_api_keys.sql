-- The unique on key is full, not partial: the value of a deleted key may never be used again.

-- +goose Up
CREATE TABLE api_keys (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key varchar(128) NOT NULL,
  name varchar(100) NOT NULL,
  group_id bigint REFERENCES groups (id) ON DELETE SET NULL,
  status varchar(20) NOT NULL DEFAULT 'active',
  ip_whitelist jsonb,
  ip_blacklist jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT api_keys_key_key UNIQUE (key)
);
CREATE INDEX idx_api_keys_user_id ON api_keys (user_id);
CREATE INDEX idx_api_keys_group_id ON api_keys (group_id);
CREATE INDEX idx_api_keys_status ON api_keys (status);
CREATE INDEX idx_api_keys_deleted_at ON api_keys (deleted_at);

-- +goose Down
DROP TABLE api_keys;
