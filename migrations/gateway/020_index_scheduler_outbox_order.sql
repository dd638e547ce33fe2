-- +goose NO TRANSACTION
-- A poll reads a range of this index, whatever is kept behind the watermark.

-- +tombstone waive L511: the run keeps a journal, and looks for an invalid index itself

-- +goose Up
CREATE INDEX CONCURRENTLY idx_scheduler_outbox_txid_id ON scheduler_outbox (txid, id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS idx_scheduler_outbox_txid_id;
