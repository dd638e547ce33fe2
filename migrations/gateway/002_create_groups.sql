-- Groups bundle what a key may use and what it costs. NULL limits mean unlimited, NULL image prices the default price.

-- +goose Up
CREATE TABLE groups (
  id bigserial PRIMARY KEY,
  name varchar(100) NOT NULL,
  description text,
  rate_multiplier numeric(10,4) NOT NULL DEFAULT 1.0,
  is_exclusive boolean NOT NULL DEFAULT false,
  status varchar(20) NOT NULL DEFAULT 'active',
  platform varchar(50) NOT NULL DEFAULT 'anthropic',
  subscription_type varchar(20) NOT NULL DEFAULT 'standard',
  daily_limit_usd numeric(20,8),
  weekly_limit_usd numeric(20,8),
  monthly_limit_usd numeric(20,8),
  default_validity_days integer NOT NULL DEFAULT 30,
  image_price_1k numeric(20,8),
  image_price_2k numeric(20,8),
  image_price_4k numeric(20,8),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX groups_name_unique_active ON groups (name) WHERE deleted_at IS NULL;
CREATE INDEX idx_groups_status ON groups (status);
CREATE INDEX idx_groups_is_exclusive ON groups (is_exclusive);
CREATE INDEX idx_groups_platform ON groups (platform);
CREATE INDEX idx_groups_subscription_type ON groups (subscription_type);
CREATE INDEX idx_groups_deleted_at ON groups (deleted_at);

-- +goose Down
DROP TABLE groups;
