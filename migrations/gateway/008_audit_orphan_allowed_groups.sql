-- Array elements that name no group cannot move into the table. They are recorded, so that nothing vanishes unseen.

-- +goose Up
CREATE TABLE orphan_allowed_groups_audit (
  user_id bigint NOT NULL,
  group_id bigint NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT orphan_allowed_groups_audit_user_id_group_id_key UNIQUE (user_id, group_id)
);
CREATE INDEX idx_orphan_allowed_groups_audit_user_id ON orphan_allowed_groups_audit (user_id);

INSERT INTO orphan_allowed_groups_audit (user_id, group_id)
SELECT DISTINCT u.id, allowed.group_id
FROM users u
CROSS JOIN LATERAL unnest(u.allowed_groups) AS allowed (group_id)
WHERE allowed.group_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM groups g WHERE g.id = allowed.group_id)
ON CONFLICT DO NOTHING;

-- +goose Down
DROP TABLE orphan_allowed_groups_audit;
