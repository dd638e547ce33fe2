-- Phase 1: the array becomes a join table with foreign keys. The array stays, an old program may still read and write it.
-- Deleted groups count as existing; NULL elements, duplicates and ids of groups that never existed are left out.
--
-- +tombstone waive L516: reviewed: the block only reads, and raises when the copy differs
-- +tombstone loses=users.allowed_groups: Down adds the pairs that only the table has; no element goes
-- +tombstone loses=users.updated_at: a row whose array grows in Down was written then

-- +goose Up
CREATE TABLE user_allowed_groups (
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, group_id)
);
-- Making the foreign keys has locked users and groups against writes, so copy and check see the same arrays.
CREATE INDEX idx_user_allowed_groups_group_id ON user_allowed_groups (group_id);

INSERT INTO user_allowed_groups (user_id, group_id)
SELECT DISTINCT u.id, g.id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
JOIN groups g ON g.id = allowed.group_id
ON CONFLICT DO NOTHING;

-- Verified by anti-joins in both directions: equal counts can hide a pair too many and a pair too few.
-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (
    SELECT u.id, g.id
    FROM users u
    CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
    JOIN groups g ON g.id = allowed.group_id
    EXCEPT
    SELECT user_id, group_id FROM user_allowed_groups
  ) OR EXISTS (
    SELECT user_id, group_id FROM user_allowed_groups
    EXCEPT
    SELECT u.id, allowed.group_id FROM users u CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
  ) THEN
    RAISE EXCEPTION 'user_allowed_groups does not hold the pairs of users.allowed_groups; nothing was changed';
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- Pairs that only the table has are written back first, so that reverting loses none; the rest of an array stays as it is.
-- Locked before that, or a pair written between the copy and the drop would be lost.
LOCK TABLE users, user_allowed_groups IN ACCESS EXCLUSIVE MODE;
UPDATE users u
SET allowed_groups = coalesce(u.allowed_groups, '{}') || missing.ids, updated_at = now()
FROM (
  SELECT a.user_id, array_agg(a.group_id ORDER BY a.group_id) AS ids
  FROM user_allowed_groups a
  JOIN users owner ON owner.id = a.user_id
  WHERE NOT coalesce(a.group_id = ANY (owner.allowed_groups), false)
  GROUP BY a.user_id
) missing
WHERE missing.user_id = u.id;
DROP TABLE user_allowed_groups;
