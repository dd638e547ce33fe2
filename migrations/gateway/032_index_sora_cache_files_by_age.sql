-- +goose NO TRANSACTION
-- The clean-up takes the oldest files first, and reads nothing but these.

-- +tombstone waive L511: the run keeps a journal, and looks for an invalid index itself

-- +goose Up
CREATE INDEX CONCURRENTLY idx_sora_cache_files_created_at ON sora_cache_files (created_at, id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS idx_sora_cache_files_created_at;
