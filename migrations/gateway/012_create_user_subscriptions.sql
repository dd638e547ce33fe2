-- What a user has of a group until a date. A window start of NULL means that the window was never used.

-- +goose Up
CREATE TABLE user_subscriptions (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  starts_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'active',
  daily_window_start timestamptz,
  weekly_window_start timestamptz,
  monthly_window_start timestamptz,
  daily_usage_usd numeric(20,10) NOT NULL DEFAULT 0,
  weekly_usage_usd numeric(20,10) NOT NULL DEFAULT 0,
  monthly_usage_usd numeric(20,10) NOT NULL DEFAULT 0,
  assigned_by bigint REFERENCES users (id) ON DELETE SET NULL,
  assigned_at timestamptz NOT NULL DEFAULT now(),
  notes text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX user_subscriptions_user_group_unique_active ON user_subscriptions (user_id, group_id)
  WHERE deleted_at IS NULL;
CREATE INDEX idx_user_subscriptions_user_id ON user_subscriptions (user_id);
CREATE INDEX idx_user_subscriptions_group_id ON user_subscriptions (group_id);
CREATE INDEX idx_user_subscriptions_status ON user_subscriptions (status);
CREATE INDEX idx_user_subscriptions_expires_at ON user_subscriptions (expires_at);
CREATE INDEX idx_user_subscriptions_assigned_by ON user_subscriptions (assigned_by);
CREATE INDEX usersubscription_deleted_at ON user_subscriptions (deleted_at);

-- +goose Down
DROP TABLE user_subscriptions;
