-- The original's file 019 moved users.wechat to an attribute and then ran its own roll-back: the column is there again, the
-- definition of the attribute is deleted, and its values are gone. Here the definition comes back, and the texts go over to
-- values, those of deleted users too. A value that a user has already stays as it is. The column stays as well, for programs that
-- still read it: 003 drops it.
--
-- Where there is no such column, nothing happens. A statement cannot name a column that may be missing, so the rows are read as
-- JSON. No Down: which of the values were there before cannot be told.

-- +tombstone phase=migrate
-- +goose NO TRANSACTION
-- +goose Up
-- Only one definition may live under a key; where there are several deleted ones, the last one comes back.
-- +goose StatementBegin
UPDATE user_attribute_definitions /* soft-delete: a deleted row, to restore it */
SET deleted_at = NULL, updated_at = now()
WHERE id = (SELECT max(id) FROM user_attribute_definitions WHERE key = 'wechat')
  AND NOT EXISTS (SELECT FROM user_attribute_definitions WHERE key = 'wechat' AND deleted_at IS NULL)
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped);
-- +goose StatementEnd

-- A database that the file 019 never reached has the column, and no definition at all.
-- +goose StatementBegin
INSERT INTO user_attribute_definitions (key, name, type)
SELECT 'wechat', 'WeChat', 'text'
WHERE NOT EXISTS (SELECT FROM user_attribute_definitions WHERE key = 'wechat')
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped)
ON CONFLICT DO NOTHING;
-- +goose StatementEnd

-- +tombstone backfill table=users key=id batch=5000 max-lag=10s passes=3
INSERT INTO user_attribute_values (user_id, attribute_id, value)
SELECT u.id, d.id, to_jsonb(u) ->> 'wechat'
FROM users u JOIN user_attribute_definitions d ON d.key = 'wechat' AND d.deleted_at IS NULL
WHERE u.id BETWEEN $1 AND $2 AND to_jsonb(u) ->> 'wechat' <> ''
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped)
ON CONFLICT (user_id, attribute_id) DO NOTHING;

-- A value that differs from the text was there before, or has been written since: it is the newer one.
-- +tombstone verify different
SELECT u.id FROM users u
WHERE to_jsonb(u) ->> 'wechat' <> ''
  AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'wechat' AND NOT attisdropped)
  AND NOT EXISTS (
    SELECT FROM user_attribute_values v JOIN user_attribute_definitions d ON d.id = v.attribute_id
    WHERE v.user_id = u.id AND d.key = 'wechat' AND d.deleted_at IS NULL);
