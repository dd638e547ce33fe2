-- Users as phase 0 had them: the groups that a user may use stand in an array, without any constraint behind them.

-- +goose Up
CREATE TABLE users (
  id bigserial PRIMARY KEY,
  email varchar(255) NOT NULL,
  password_hash varchar(255) NOT NULL,
  role varchar(20) NOT NULL DEFAULT 'user',
  balance numeric(20,8) NOT NULL DEFAULT 0,
  concurrency integer NOT NULL DEFAULT 5,
  status varchar(20) NOT NULL DEFAULT 'active',
  username varchar(100) NOT NULL DEFAULT '',
  notes text NOT NULL DEFAULT '',
  allowed_groups bigint[],
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX users_email_unique_active ON users (email) WHERE deleted_at IS NULL;
CREATE INDEX idx_users_status ON users (status);
CREATE INDEX idx_users_deleted_at ON users (deleted_at);

-- +goose Down
DROP TABLE users;
