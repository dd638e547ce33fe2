-- When the last row of a batch was removed for good. Its entries are gone then; the batch stays, so that a restore of it can say why
-- nothing comes back.

-- +goose Up
ALTER TABLE deletion_batches ADD COLUMN purged_at timestamptz;

-- +goose Down
-- +tombstone loses=deletion_batches.purged_at: a batch that was purged is then one without entries
ALTER TABLE deletion_batches DROP COLUMN purged_at;
