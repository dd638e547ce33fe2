-- Ids are given before a transaction commits, so a reader that only remembers an id skips what commits later with a smaller
-- one. The id of the writing transaction tells the reader which events are settled: all whose transaction is older than the
-- oldest one that still runs. The database writes it, also for programs that do not know the column. Events that are there
-- already are settled, and read first.

-- +tombstone waive L308: the column is new in this statement, and both defaults are the database's own

-- +goose Up
ALTER TABLE scheduler_outbox
  ADD COLUMN txid xid8 NOT NULL DEFAULT '0',
  ALTER COLUMN txid SET DEFAULT pg_current_xact_id();

CREATE TABLE scheduler_outbox_watermarks (
  consumer varchar(100) PRIMARY KEY,
  txid xid8 NOT NULL,
  event_id bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE scheduler_outbox_watermarks;
ALTER TABLE scheduler_outbox DROP COLUMN txid;
