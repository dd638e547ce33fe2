-- Codes that give each user a bonus once, to a number of users (0: any number). They are deleted physically.

-- +goose Up
CREATE TABLE promo_codes (
  id bigserial PRIMARY KEY,
  code varchar(32) NOT NULL,
  bonus_amount numeric(20,8) NOT NULL DEFAULT 0,
  max_uses integer NOT NULL DEFAULT 0,
  used_count integer NOT NULL DEFAULT 0,
  status varchar(20) NOT NULL DEFAULT 'active',
  expires_at timestamptz,
  notes text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT promo_codes_code_key UNIQUE (code)
);
CREATE INDEX idx_promo_codes_status ON promo_codes (status);
CREATE INDEX idx_promo_codes_expires_at ON promo_codes (expires_at);

CREATE TABLE promo_code_usages (
  id bigserial PRIMARY KEY,
  promo_code_id bigint NOT NULL REFERENCES promo_codes (id) ON DELETE CASCADE,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  bonus_amount numeric(20,8) NOT NULL,
  used_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT promo_code_usages_promo_code_id_user_id_key UNIQUE (promo_code_id, user_id)
);
CREATE INDEX idx_promo_code_usages_promo_code_id ON promo_code_usages (promo_code_id);
CREATE INDEX idx_promo_code_usages_user_id ON promo_code_usages (user_id);

-- +goose Down
DROP TABLE promo_code_usages;
DROP TABLE promo_codes;
