-- The primary key that the table will have as a partition, built beforehand: attaching it would build it under a lock.
--
-- +tombstone phase=expand
-- +goose NO TRANSACTION
-- +goose Up
CREATE UNIQUE INDEX CONCURRENTLY usage_logs_id_created_at ON usage_logs (id, created_at);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS usage_logs_id_created_at;
