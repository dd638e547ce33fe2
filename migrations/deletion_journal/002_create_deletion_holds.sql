-- What must not be removed for good, whatever its age: see docs/retention.md. A row is held while any of its holds is open. Whoever
-- removes rows takes SHARE on this table first and then asks; an insert waits for it, by whatever program it comes.

-- +goose Up
CREATE TABLE deletion_holds (
  id uuid PRIMARY KEY,
  table_name text NOT NULL,
  -- In the form of the journal; NULL holds every row of the table.
  key text,
  reason text NOT NULL,
  actor text,
  placed_at timestamptz NOT NULL,
  released_at timestamptz,
  released_by text,
  release_reason text,
  CONSTRAINT deletion_holds_release_check CHECK (released_at IS NOT NULL OR (released_by IS NULL AND release_reason IS NULL))
);
CREATE INDEX deletion_holds_open_idx ON deletion_holds (table_name, key) WHERE released_at IS NULL;

-- +goose Down
DROP TABLE deletion_holds;
