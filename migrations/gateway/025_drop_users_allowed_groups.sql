-- Phase 2: the table is the only truth. Apply it when no program that reads or writes the array runs any more.
--
-- An old program may have written arrays since the back-fill, so it is repeated, and the audit with it. The rule for a
-- pair that only one side has: it is kept, whichever side that is. Where one program writes arrays and another the table,
-- a pair that one of them granted and a pair that the other revoked look the same, and a grant must not vanish unseen.
-- So a group that was revoked on one side alone is allowed again: verifyAllowedGroups counts such pairs as missing (only
-- in an array) and unexpected (only in the table). Where revoking matters, bring both to zero before applying this.
--
-- +tombstone waive L304: this is the contract file; the text above says when to apply it
-- +tombstone waive L516: reviewed: the block only reads, and raises when an element is in neither table
-- +tombstone loses=users.allowed_groups: NULL elements, duplicates and the order do not come back; orphans stay in the audit
-- +tombstone waive L601: the copy must happen under the lock that drops the array, or a pair could be lost

-- +tombstone phase=contract requires-backfill=gateway/007_add_user_allowed_groups.sql
-- +goose Up
-- Neither side may change between the last copy and the drop. The drop's own mode at once, because raising it later
-- deadlocks with a transaction that has read users and goes on to write them.
LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
LOCK TABLE user_allowed_groups IN SHARE ROW EXCLUSIVE MODE;

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
-- A pair that is being removed would come back by the array. One that is being added waits at users, by its foreign key.
LOCK TABLE user_allowed_groups IN SHARE ROW EXCLUSIVE MODE;
UPDATE users u
SET allowed_groups = pairs.ids
FROM (
  SELECT user_id, array_agg(group_id ORDER BY group_id) AS ids
  FROM user_allowed_groups
  GROUP BY user_id
) pairs
WHERE pairs.user_id = u.id;
