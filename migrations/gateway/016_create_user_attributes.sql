-- What an installation wants to know about its users. Definitions are soft-deleted and free their key; values are removed.

-- +goose Up
CREATE TABLE user_attribute_definitions (
  id bigserial PRIMARY KEY,
  key varchar(100) NOT NULL,
  name varchar(255) NOT NULL,
  description text DEFAULT '',
  type varchar(20) NOT NULL,
  options jsonb DEFAULT '[]',
  required boolean NOT NULL DEFAULT false,
  validation jsonb DEFAULT '{}',
  placeholder varchar(255) DEFAULT '',
  display_order integer NOT NULL DEFAULT 0,
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX idx_user_attribute_definitions_key_unique ON user_attribute_definitions (key)
  WHERE deleted_at IS NULL;
CREATE INDEX idx_user_attribute_definitions_enabled ON user_attribute_definitions (enabled);
CREATE INDEX idx_user_attribute_definitions_display_order ON user_attribute_definitions (display_order);
CREATE INDEX idx_user_attribute_definitions_deleted_at ON user_attribute_definitions (deleted_at);

CREATE TABLE user_attribute_values (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  attribute_id bigint NOT NULL REFERENCES user_attribute_definitions (id) ON DELETE CASCADE,
  value text DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT user_attribute_values_user_id_attribute_id_key UNIQUE (user_id, attribute_id)
);
CREATE INDEX idx_user_attribute_values_user_id ON user_attribute_values (user_id);
CREATE INDEX idx_user_attribute_values_attribute_id ON user_attribute_values (attribute_id);

-- +goose Down
DROP TABLE user_attribute_values;
DROP TABLE user_attribute_definitions;
