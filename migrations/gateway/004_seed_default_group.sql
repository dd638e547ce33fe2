-- A gateway needs one group to hand keys to; a database that has groups already keeps its own.

-- +goose Up
INSERT INTO groups (name, description)
SELECT 'default', 'Default group'
WHERE NOT EXISTS (SELECT FROM groups);

-- +goose Down
-- Only the row as it was seeded, and only while nothing refers to it: a group in use is no longer the seed's.
DELETE FROM groups g
WHERE g.name = 'default' AND g.description = 'Default group' AND g.created_at = g.updated_at
  AND NOT EXISTS (SELECT FROM api_keys k WHERE k.group_id = g.id)
  AND NOT EXISTS (SELECT FROM users u WHERE g.id = ANY (u.allowed_groups));
