-- The original's file 024 gave Gemini accounts a tier and then ran its own roll-back, which took the tier from all of them, also
-- real ones that were set before. LEGACY stands for the lost tier until the next refresh of the account's tokens brings the real
-- one. Accounts that have a tier, and those that need none, stay as they are. The scheduler is told in the same statement.
--
-- No Down: an account that was LEGACY before cannot be told from one that was marked here.

-- +goose Up
WITH marked AS (
  UPDATE accounts /* soft-delete: all rows, because a deleted account may be restored and has lost its tier too */
  SET credentials = credentials || '{"tier_id": "LEGACY"}', updated_at = now()
  WHERE platform = 'gemini' AND type = 'oauth' AND jsonb_typeof(credentials) = 'object'
    AND coalesce(credentials ->> 'tier_id', '') = ''
    AND CASE WHEN coalesce(credentials ->> 'oauth_type', '') = '' THEN coalesce(credentials ->> 'project_id', '') <> ''
      ELSE credentials ->> 'oauth_type' = 'code_assist' END
  RETURNING id
)
INSERT INTO scheduler_outbox (event_type, payload)
SELECT 'account_bulk_changed', jsonb_build_object('account_ids', jsonb_agg(id ORDER BY id)) FROM marked HAVING count(*) > 0;
