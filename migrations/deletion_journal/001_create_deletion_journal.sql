-- What fell together, by whom, why and because of what: see docs/deletion.md. The clock is the transaction's, the same that
-- stands in deleted_at of the rows.

-- +goose Up
CREATE TABLE deletion_batches (
  id uuid PRIMARY KEY,
  deleted_at timestamptz NOT NULL,
  tenant text,
  actor text,
  reason text,
  restored_at timestamptz,
  restored_by text,
  restore_reason text,
  CONSTRAINT deletion_batches_restore_check CHECK (restored_at IS NOT NULL OR (restored_by IS NULL AND restore_reason IS NULL))
);
CREATE INDEX deletion_batches_deleted_at_idx ON deletion_batches (deleted_at);

-- One row for each row that fell, was unlinked or was removed. There is no foreign key to the batch: it would be asked for
-- each row, and both are only ever written by the same statement.
CREATE TABLE deletion_entries (
  batch_id uuid NOT NULL,
  -- Rises within a batch; rows of one step fell by one statement.
  step integer NOT NULL,
  kind text NOT NULL,
  table_name text NOT NULL,
  key text NOT NULL,
  -- The foreign key that led here, and the key of the row that it leads to; of a row that was deleted itself, '' and NULL.
  edge text NOT NULL,
  cause text,
  -- Of an unlinked row the columns that were emptied, of a removed one the whole row.
  detail jsonb,
  PRIMARY KEY (batch_id, step, table_name, key, edge),
  CONSTRAINT deletion_entries_kind_check CHECK (kind IN ('fell', 'unlinked', 'removed'))
);
CREATE INDEX deletion_entries_table_name_key_idx ON deletion_entries (table_name, key);

-- +goose Down
DROP TABLE deletion_entries;
DROP TABLE deletion_batches;
