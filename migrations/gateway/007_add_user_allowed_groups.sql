-- Phase 1: the array becomes a join table with foreign keys. The array stays, an old program may still read and write it.
-- Deleted groups count as existing; NULL elements, duplicates and ids of groups that never existed are left out.
--
-- Table and index come in one transaction. Then users go over batch by batch, and nobody waits for longer than a batch. The
-- file is done when one snapshot shows the same pairs on both sides. What an old program adds to an array behind the cursor
-- is fetched by another pass. What it takes out of one stays in the table and stops the run as unexpected, because that is
-- a right that somebody has lost: delete the pair, and run again. A program that writes the table may start when this file
-- is applied, and not before.

-- +tombstone phase=migrate
-- +tombstone waive L511: table and index share a transaction, so that neither is there without the other
-- +tombstone loses=users.allowed_groups: Down adds the pairs that only the table has; no element goes
-- +tombstone loses=users.updated_at: a row whose array grows in Down was written then
-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE user_allowed_groups (
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, group_id)
);
CREATE INDEX idx_user_allowed_groups_group_id ON user_allowed_groups (group_id);
-- +goose StatementEnd

-- +tombstone backfill table=users key=id batch=1000 passes=3
INSERT INTO user_allowed_groups (user_id, group_id)
SELECT DISTINCT u.id, g.id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
JOIN groups g ON g.id = allowed.group_id
WHERE u.id BETWEEN $1 AND $2
ON CONFLICT DO NOTHING;

-- +tombstone verify missing
SELECT u.id, g.id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
JOIN groups g ON g.id = allowed.group_id
EXCEPT
SELECT user_id, group_id FROM user_allowed_groups;

-- +tombstone verify unexpected
SELECT user_id, group_id FROM user_allowed_groups
EXCEPT
SELECT u.id, allowed.group_id FROM users u CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id);

-- +goose Down
-- Pairs that only the table has are written back first, so that reverting loses none; the rest of an array stays as it is.
-- Locked before that, or a pair written between the copy and the drop would be lost. One block, so one transaction.
-- +goose StatementBegin
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
-- +goose StatementEnd
