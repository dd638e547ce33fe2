-- What a reader of the outbox has failed to apply. A row is a copy of the event, so that the outbox can be pruned whatever
-- waits here. One that is parked waits for a decision; the others only count attempts. No foreign keys: an event outlives the
-- row that it names, and a failure outlives its event.

-- +goose Up
CREATE TABLE scheduler_outbox_failures (
  consumer varchar(100) NOT NULL,
  event_id bigint NOT NULL,
  txid xid8 NOT NULL,
  event_type text NOT NULL,
  account_id bigint,
  group_id bigint,
  payload jsonb,
  created_at timestamptz NOT NULL,
  attempts integer NOT NULL,
  last_error varchar(100) NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now(),
  parked_at timestamptz,
  PRIMARY KEY (consumer, event_id)
);

-- +goose Down
DROP TABLE scheduler_outbox_failures;
