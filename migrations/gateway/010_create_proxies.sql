-- Proxies through which accounts reach their platform. A missing name or password is NULL, never an empty string.

-- +goose Up
CREATE TABLE proxies (
  id bigserial PRIMARY KEY,
  name varchar(100) NOT NULL,
  protocol varchar(20) NOT NULL,
  host varchar(255) NOT NULL,
  port integer NOT NULL,
  username varchar(100),
  password varchar(100),
  status varchar(20) NOT NULL DEFAULT 'active',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX idx_proxies_status ON proxies (status);
CREATE INDEX idx_proxies_deleted_at ON proxies (deleted_at);

-- +goose Down
DROP TABLE proxies;
