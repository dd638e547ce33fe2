-- What the scheduler must hear of, written by the transaction that makes the change. No foreign keys: an event outlives
-- the row that it names.

-- +goose Up
CREATE TABLE scheduler_outbox (
  id bigserial PRIMARY KEY,
  event_type text NOT NULL,
  account_id bigint,
  group_id bigint,
  payload jsonb,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_scheduler_outbox_created_at ON scheduler_outbox (created_at);

-- +goose Down
DROP TABLE scheduler_outbox;
