-- The end of what will be the first partition, as a check, so that attaching it reads no row: the start of the UTC month
-- after the next one. Until 005 is applied the check refuses logs from then on, so there is a month at least to apply it.
-- An empty table becomes no partition and needs no check.
--
-- +tombstone waive L516: reviewed: the block adds one check that is not validated, or raises

-- +tombstone phase=expand
-- +goose Up
DO $$
DECLARE
  bound timestamptz := (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months') AT TIME ZONE 'UTC';
BEGIN
  LOCK TABLE usage_logs IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM usage_logs) THEN
    RETURN;
  END IF;
  IF (SELECT max(created_at) FROM usage_logs) >= bound THEN
    RAISE EXCEPTION 'usage_logs has rows that are dated more than a month ahead, and the first partition would end before them. Correct or remove them, then run this again.';
  END IF;
  EXECUTE format('ALTER TABLE usage_logs ADD CONSTRAINT usage_logs_bound CHECK (created_at < %L) NOT VALID', bound);
END
$$;

-- +goose Down
ALTER TABLE usage_logs DROP CONSTRAINT IF EXISTS usage_logs_bound;
