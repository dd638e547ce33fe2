-- Reads the whole table, while everybody goes on reading and writing it.
--
-- +tombstone waive L516: reviewed: the block validates the check of 003 where it is there

-- +tombstone phase=expand
-- +goose Up
DO $$
BEGIN
  IF EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = 'usage_logs'::regclass AND conname = 'usage_logs_bound'
  ) THEN
    ALTER TABLE usage_logs VALIDATE CONSTRAINT usage_logs_bound;
  END IF;
END
$$;

-- +goose Down
