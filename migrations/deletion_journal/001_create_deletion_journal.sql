-- What fell together, by whom, why and because of what: see docs/deletion.md. The clock is the transaction's, the same that
-- stands in deleted_at of the rows: by it a dead row finds its batch.

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

-- Up to 1,000 rows that fell, were unlinked or were removed. With a row and two index entries for each of them, the journal
-- would cost more than the deletion. There is no foreign key to the batch: both are written by one statement.
CREATE TABLE deletion_entries (
  batch_id uuid NOT NULL,
  -- Rises within a batch; rows of one step fell by one statement.
  step integer NOT NULL,
  table_name text NOT NULL,
  -- The foreign key that led to the rows; '' for rows that were deleted themselves.
  edge text NOT NULL,
  part integer NOT NULL,
  kind text NOT NULL,
  keys text[] NOT NULL,
  -- For each key that of the row which the foreign key leads to; NULL for rows that were deleted themselves.
  causes text[],
  -- For each unlinked row the columns that were emptied, for each removed one the whole row.
  details jsonb[],
  PRIMARY KEY (batch_id, step, table_name, edge, part),
  CONSTRAINT deletion_entries_kind_check CHECK (kind IN ('fell', 'unlinked', 'removed')),
  CONSTRAINT deletion_entries_causes_check CHECK ((edge = '') = (causes IS NULL)),
  CONSTRAINT deletion_entries_details_check CHECK ((kind = 'fell') = (details IS NULL))
);

-- The same, one row for each.
CREATE VIEW deletion_rows AS
SELECT e.batch_id, e.step, e.table_name, e.edge, e.kind, u.key, u.cause, u.detail
FROM deletion_entries e CROSS JOIN LATERAL unnest(e.keys, e.causes, e.details) AS u (key, cause, detail);

-- +goose Down
DROP VIEW deletion_rows;
DROP TABLE deletion_entries;
DROP TABLE deletion_batches;
