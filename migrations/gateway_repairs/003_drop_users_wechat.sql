-- Apply it when no program that reads or writes users.wechat runs any more. Such a program may have written texts since 001, so
-- what has no value yet goes over once more. That is done twice: first over all rows, while everybody works; then, under the lock
-- that drops the column, over rows that were written since the first time began. They are found by the transaction that wrote
-- them, so nobody waits for more than one scan of users. Where there is no such column, nothing happens. No Down: who had a text
-- cannot be told from the values.
--
-- +tombstone waive L304: this is the contract file; the text above says when to apply it
-- +tombstone waive L516: reviewed: the block copies what has no value yet, and only where the column is there

-- +tombstone phase=contract requires-backfill=gateway_repairs/001_restore_wechat_attribute.sql
-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
  -- What older transactions have written, the first copy sees.
  horizon xid := pg_snapshot_xmin(pg_current_snapshot())::xid;
  copying text := 'INSERT INTO user_attribute_values (user_id, attribute_id, value)
    SELECT u.id, d.id, u.wechat
    FROM users u JOIN user_attribute_definitions d ON d.key = ''wechat'' AND d.deleted_at IS NULL
    WHERE u.wechat <> '''' AND age(u.xmin) <= $1 AND NOT EXISTS (
      SELECT FROM user_attribute_values v WHERE v.user_id = u.id AND v.attribute_id = d.id)
    ON CONFLICT (user_id, attribute_id) DO NOTHING';
  has_texts boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped) THEN
    RETURN;
  END IF;
  EXECUTE copying USING 2147483647;
  -- What is held until here, no writer waits for: so this is not the raise of a lock that deadlocks.
  LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
  EXECUTE copying USING age(horizon);
  IF NOT EXISTS (SELECT FROM user_attribute_definitions WHERE key = 'wechat' AND deleted_at IS NULL) THEN
    EXECUTE 'SELECT EXISTS (SELECT FROM users WHERE wechat <> '''')' INTO has_texts;
    IF has_texts THEN
      RAISE EXCEPTION 'users have texts in wechat, and the attribute that they belong to was deleted; restore its definition, or empty the column when the texts may go';
    END IF;
  END IF;
END
$$;
-- +goose StatementEnd

ALTER TABLE users DROP COLUMN IF EXISTS wechat;
