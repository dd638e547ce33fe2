-- Apply it when no program that reads or writes users.wechat runs any more. Such a program may have written texts since 001, so
-- what has no value yet goes over once more, under the lock that drops the column: one scan of users without any sort, while
-- nobody can use the table. Where there is no such column, nothing happens. No Down: who had a text cannot be told from values.
--
-- +tombstone waive L304: this is the contract file; the text above says when to apply it
-- +tombstone waive L516: reviewed: the block copies what has no value yet, and only where the column is there

-- +tombstone phase=contract requires-backfill=gateway_repairs/001_restore_wechat_attribute.sql
-- +goose Up
-- The drop's own mode at once, because raising it later deadlocks with a transaction that has read users and goes on to write.
LOCK TABLE users IN ACCESS EXCLUSIVE MODE;

-- +goose StatementBegin
DO $$
DECLARE
  remains boolean;
BEGIN
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped) THEN
    EXECUTE 'INSERT INTO user_attribute_values (user_id, attribute_id, value)
      SELECT u.id, d.id, u.wechat
      FROM users u JOIN user_attribute_definitions d ON d.key = ''wechat'' AND d.deleted_at IS NULL
      WHERE u.wechat <> '''' AND NOT EXISTS (
        SELECT FROM user_attribute_values v WHERE v.user_id = u.id AND v.attribute_id = d.id)
      ON CONFLICT (user_id, attribute_id) DO NOTHING';
    IF NOT EXISTS (SELECT FROM user_attribute_definitions WHERE key = 'wechat' AND deleted_at IS NULL) THEN
      EXECUTE 'SELECT EXISTS (SELECT FROM users WHERE wechat <> '''')' INTO remains;
      IF remains THEN
        RAISE EXCEPTION 'users have texts in wechat, and the attribute that they belong to was deleted; restore its definition, or empty the column when the texts may go';
      END IF;
    END IF;
  END IF;
END
$$;
-- +goose StatementEnd

ALTER TABLE users DROP COLUMN IF EXISTS wechat;
