-- Settings by name. An empty value is a value.

-- +goose Up
CREATE TABLE settings (
  id bigserial PRIMARY KEY,
  key varchar(100) NOT NULL,
  value text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT settings_key_key UNIQUE (key)
);

-- +goose Down
DROP TABLE settings;
