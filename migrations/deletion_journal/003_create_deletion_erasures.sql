-- What was erased, written by the transaction that erased it: a proof outlives the program that asked for it. It holds keys and
-- names of columns, and no other value of a row. See docs/erasure.md.

-- +goose Up
CREATE TABLE deletion_erasures (
  id uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL,
  table_name text NOT NULL,
  -- In the form of the journal.
  key text NOT NULL,
  proof jsonb NOT NULL
);
CREATE INDEX deletion_erasures_key_idx ON deletion_erasures (table_name, key);

-- +goose Down
DROP TABLE deletion_erasures;
