-- A gateway needs one group to hand keys to; a database that has groups already keeps its own.

-- +goose Up
INSERT INTO groups (name, description)
SELECT 'default', 'Default group'
WHERE NOT EXISTS (SELECT FROM groups);

-- +goose Down
-- Only the row as it was seeded, and only while nothing refers to it: a group in use is no longer the seed's. The lock
-- keeps a key that is being attached from losing its group to the foreign key's SET NULL.
LOCK TABLE users, groups, api_keys IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM groups g
WHERE g.name = 'default' AND g.description = 'Default group' AND g.created_at = g.updated_at
  AND g.rate_multiplier = 1 AND NOT g.is_exclusive AND g.status = 'active' AND g.platform = 'anthropic'
  AND g.subscription_type = 'standard' AND g.default_validity_days = 30
  AND num_nonnulls(g.daily_limit_usd, g.weekly_limit_usd, g.monthly_limit_usd, g.image_price_1k, g.image_price_2k,
    g.image_price_4k, g.deleted_at) = 0
  AND NOT EXISTS (SELECT FROM api_keys k WHERE k.group_id = g.id)
  AND NOT EXISTS (SELECT FROM users u WHERE g.id = ANY (u.allowed_groups));
