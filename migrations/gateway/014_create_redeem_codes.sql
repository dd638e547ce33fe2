-- Codes that a user turns into balance, parallel requests or a subscription, each once. They are deleted physically.

-- +goose Up
CREATE TABLE redeem_codes (
  id bigserial PRIMARY KEY,
  code varchar(32) NOT NULL,
  type varchar(20) NOT NULL DEFAULT 'balance',
  value numeric(20,8) NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'unused',
  used_by bigint REFERENCES users (id) ON DELETE SET NULL,
  used_at timestamptz,
  notes text,
  group_id bigint REFERENCES groups (id) ON DELETE SET NULL,
  validity_days integer NOT NULL DEFAULT 30,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT redeem_codes_code_key UNIQUE (code)
);
CREATE INDEX idx_redeem_codes_status ON redeem_codes (status);
CREATE INDEX idx_redeem_codes_used_by ON redeem_codes (used_by);
CREATE INDEX idx_redeem_codes_group_id ON redeem_codes (group_id);

-- +goose Down
DROP TABLE redeem_codes;
