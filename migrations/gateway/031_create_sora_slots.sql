-- What is going on at an account just now: each row holds a number of pictures and of videos until it is released or its lease
-- ends. The limits are those of sora_accounts.

-- +goose Up
CREATE TABLE sora_slots (
  lease_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  holder text NOT NULL,
  images integer NOT NULL DEFAULT 0,
  videos integer NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_sora_slots_account_id ON sora_slots (account_id);

-- +goose Down
DROP TABLE sora_slots;
