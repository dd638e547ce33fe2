-- +goose NO TRANSACTION
-- The accounts that may be chosen at all, by platform and in the order in which they are preferred; and the key under which
-- another system knows an account, which is looked up among live rows.

-- +tombstone waive L511: the run keeps a journal, and looks for an invalid index itself

-- +goose Up
CREATE INDEX CONCURRENTLY idx_accounts_schedulable_platform_priority ON accounts (platform, priority)
  WHERE deleted_at IS NULL AND status = 'active' AND schedulable;
CREATE INDEX CONCURRENTLY idx_accounts_crs_account_id ON accounts ((extra ->> 'crs_account_id'), id)
  WHERE deleted_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS idx_accounts_crs_account_id;
DROP INDEX CONCURRENTLY IF EXISTS idx_accounts_schedulable_platform_priority;
