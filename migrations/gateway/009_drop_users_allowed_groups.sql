-- Phase 2: the table is the only truth. Apply it when no program that reads or writes the array runs any more.
--
-- An old program may have written arrays since the back-fill, so it is repeated, and the audit with it. The rule for a
-- pair that an array has and the table has not: it is kept. Whether an old program granted it or a new one revoked it
-- cannot be told apart here; programs of phase 1 write both, so a pair that differs comes from an old one.

-- +goose Up
-- No array may change between the last copy and the drop.
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO user_allowed_groups (user_id, group_id)
SELECT DISTINCT u.id, g.id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
JOIN groups g ON g.id = allowed.group_id
ON CONFLICT DO NOTHING;

INSERT INTO orphan_allowed_groups_audit (user_id, group_id)
SELECT DISTINCT u.id, allowed.group_id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
WHERE allowed.group_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM groups g WHERE g.id = allowed.group_id)
ON CONFLICT DO NOTHING;

-- Every element that is not NULL must now stand in the table or in the audit.
-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (
    SELECT u.id, allowed.group_id
    FROM users u
    CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
    WHERE allowed.group_id IS NOT NULL
    EXCEPT (
      SELECT user_id, group_id FROM user_allowed_groups
      UNION ALL
      SELECT user_id, group_id FROM orphan_allowed_groups_audit
    )
  ) THEN
    RAISE EXCEPTION 'some elements of users.allowed_groups are neither in user_allowed_groups nor in the audit; nothing was changed';
  END IF;
END
$$;
-- +goose StatementEnd

ALTER TABLE users DROP COLUMN allowed_groups;

-- +goose Down
ALTER TABLE users ADD COLUMN allowed_groups bigint[];
UPDATE users u
SET allowed_groups = pairs.ids
FROM (
  SELECT user_id, array_agg(group_id ORDER BY group_id) AS ids
  FROM user_allowed_groups
  GROUP BY user_id
) pairs
WHERE pairs.user_id = u.id;
