-- +goose NO TRANSACTION
-- What workers claim and what is parked: nearly all tasks are finished, and in neither.

-- +tombstone waive L511: the run keeps a journal, and looks for an invalid index itself

-- +goose Up
CREATE INDEX CONCURRENTLY idx_sora_tasks_claimable ON sora_tasks (available_at, id)
  WHERE status = 'processing' AND parked_at IS NULL;
CREATE INDEX CONCURRENTLY idx_sora_tasks_parked ON sora_tasks (id) WHERE parked_at IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS idx_sora_tasks_parked;
DROP INDEX CONCURRENTLY IF EXISTS idx_sora_tasks_claimable;
