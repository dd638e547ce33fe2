-- Where requests of a group go: only one client, another group when this one is exhausted, models to accounts.
--
-- +tombstone waive L101: groups holds tens of rows, its indexes are built in milliseconds
-- +tombstone waive L705: groups holds tens of rows, and a deleted one keeps no fallback that anybody looks for
-- +tombstone waive L113: groups holds tens of rows, and the new column is NULL in all of them

-- +goose Up
ALTER TABLE groups
  ADD COLUMN claude_code_only boolean NOT NULL DEFAULT false,
  ADD COLUMN fallback_group_id bigint REFERENCES groups (id) ON DELETE SET NULL,
  ADD COLUMN model_routing jsonb DEFAULT '{}',
  ADD COLUMN model_routing_enabled boolean NOT NULL DEFAULT false;
CREATE INDEX idx_groups_claude_code_only ON groups (claude_code_only) WHERE deleted_at IS NULL;
CREATE INDEX idx_groups_fallback_group_id ON groups (fallback_group_id)
  WHERE deleted_at IS NULL AND fallback_group_id IS NOT NULL;

-- +goose Down
ALTER TABLE groups
  DROP COLUMN model_routing_enabled,
  DROP COLUMN model_routing,
  DROP COLUMN fallback_group_id,
  DROP COLUMN claude_code_only;
