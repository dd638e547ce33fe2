-- usage_logs becomes a table that is divided by month, and the table that it was its first partition, usage_logs_history.
-- No row is read and none is moved: the names change hands under a lock that lasts for a moment. Months are made by
-- ensureUsageLogsPartitions; a log for which there is none yet goes to usage_logs_default.
--
-- The ledger cannot refer to a log any more, because a foreign key needs a unique (id), which such a table cannot have: two
-- triggers take its place, one that removes and one that refuses.
--
-- +tombstone waive L102: the unique belongs to a table that is locked already
-- +tombstone waive L114: the tables are locked already, for the moment that the change of names takes
-- +tombstone waive L303: usage_logs is there again when the file ends, for programs of both forms to read
-- +tombstone waive L306: the triggers take the place of the foreign key
-- +tombstone waive L509: one moment for all tables is what keeps every reader from seeing half of it
-- +tombstone waive L516: reviewed: the blocks refuse, attach or drop the old table, and copy its owner and rights

-- +tombstone phase=contract requires-backfill=gateway_usage_partitions/001_claim_usage_requests.sql
-- +goose Up
-- In the order in which recordUsage takes them.
LOCK TABLE usage_logs IN ACCESS EXCLUSIVE MODE;
LOCK TABLE users, user_subscriptions, groups, api_keys, accounts IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE billing_usage_entries IN ACCESS EXCLUSIVE MODE;

-- What belongs to the table itself would stay with the first partition and be missed by every later log.
DO $$
DECLARE
  found text;
BEGIN
  SELECT string_agg(what, ', ' ORDER BY what) INTO found FROM (
    SELECT DISTINCT 'view ' || r.ev_class::regclass AS what FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = 'usage_logs'::regclass
    UNION ALL SELECT 'foreign key ' || conname FROM pg_constraint
    WHERE confrelid = 'usage_logs'::regclass AND conname <> 'billing_usage_entries_usage_log_id_fkey'
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = 'usage_logs'::regclass AND NOT tgisinternal
      AND tgname NOT IN ('usage_logs_claim', 'usage_logs_release', 'usage_logs_identity', 'usage_logs_no_truncate')
    UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = 'usage_logs'::regclass
    UNION ALL SELECT 'publication ' || p.pubname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
    WHERE r.prrelid = 'usage_logs'::regclass
  ) dependents;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'usage_logs is used by: %. Drop them, run this again, and create them anew for the divided table.', found;
  END IF;
END
$$;

ALTER TABLE usage_logs RENAME TO usage_logs_history;
DROP TRIGGER usage_logs_claim ON usage_logs_history;
DROP TRIGGER usage_logs_identity ON usage_logs_history;
ALTER TABLE billing_usage_entries DROP CONSTRAINT billing_usage_entries_usage_log_id_fkey;
ALTER TABLE usage_logs_history DROP CONSTRAINT usage_logs_pkey,
  ADD CONSTRAINT usage_logs_history_pkey PRIMARY KEY USING INDEX usage_logs_id_created_at;
DROP INDEX idx_usage_logs_request_id_api_key_unique;
ALTER INDEX idx_usage_logs_created_at RENAME TO usage_logs_history_created_at;
ALTER INDEX idx_usage_logs_user_created RENAME TO usage_logs_history_user_created;
ALTER INDEX idx_usage_logs_api_key_created_at RENAME TO usage_logs_history_api_key_created_at;
ALTER INDEX idx_usage_logs_account_created_at RENAME TO usage_logs_history_account_created_at;
ALTER INDEX idx_usage_logs_model_created_at RENAME TO usage_logs_history_model_created_at;
ALTER INDEX idx_usage_logs_sub_created RENAME TO usage_logs_history_sub_created;
ALTER INDEX idx_usage_logs_group_id RENAME TO usage_logs_history_group_id;

CREATE TABLE usage_logs (
  LIKE usage_logs_history INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE,
  CONSTRAINT usage_logs_pkey PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE usage_logs_id_seq OWNED BY usage_logs.id;
ALTER TABLE usage_logs
  ADD CONSTRAINT usage_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE SET NULL,
  ADD CONSTRAINT usage_logs_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES user_subscriptions (id)
    ON DELETE SET NULL;
CREATE INDEX idx_usage_logs_created_at ON usage_logs (created_at);
CREATE INDEX idx_usage_logs_user_created ON usage_logs (user_id, created_at);
CREATE INDEX idx_usage_logs_api_key_created_at ON usage_logs (api_key_id, created_at);
CREATE INDEX idx_usage_logs_account_created_at ON usage_logs (account_id, created_at);
CREATE INDEX idx_usage_logs_model_created_at ON usage_logs (model, created_at);
CREATE INDEX idx_usage_logs_sub_created ON usage_logs (subscription_id, created_at);
CREATE INDEX idx_usage_logs_group_id ON usage_logs (group_id, created_at) WHERE group_id IS NOT NULL;

DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT a.privilege_type AS kind, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee,
      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS again
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.oid = 'usage_logs_history'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON usage_logs TO %s%s', granted.kind, granted.grantee, granted.again);
  END LOOP;
  EXECUTE (SELECT format('ALTER TABLE usage_logs OWNER TO %I', pg_get_userbyid(relowner))
    FROM pg_class WHERE oid = 'usage_logs_history'::regclass);
END
$$;

DO $$
DECLARE
  bound timestamptz := (
    SELECT substring(pg_get_constraintdef(oid) FROM '''([^'']+)''')::timestamptz
    FROM pg_constraint WHERE conrelid = 'usage_logs_history'::regclass AND conname = 'usage_logs_bound'
  );
BEGIN
  IF bound IS NULL AND NOT EXISTS (SELECT FROM usage_logs_history) THEN
    DROP TABLE usage_logs_history;
    RETURN;
  END IF;
  -- There is no check where the table was empty when 003 looked, and where this file was reverted: the rows are read now.
  bound := coalesce(bound, (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months') AT TIME ZONE 'UTC');
  IF (SELECT max(created_at) FROM usage_logs_history) >= bound THEN
    RAISE EXCEPTION 'usage_logs has rows that are dated more than a month ahead, and the first partition would end before them. Correct or remove them, then run this again.';
  END IF;
  EXECUTE format('ALTER TABLE usage_logs ATTACH PARTITION usage_logs_history FOR VALUES FROM (MINVALUE) TO (%L)', bound);
  ALTER TABLE usage_logs_history DROP CONSTRAINT IF EXISTS usage_logs_bound;
END
$$;

CREATE TABLE usage_logs_default PARTITION OF usage_logs DEFAULT;

CREATE TRIGGER usage_logs_claim AFTER INSERT ON usage_logs
  FOR EACH ROW WHEN (NEW.request_id IS NOT NULL) EXECUTE FUNCTION claim_usage_request();
CREATE TRIGGER usage_logs_release AFTER DELETE ON usage_logs
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION release_usage_logs();
CREATE TRIGGER usage_logs_identity BEFORE UPDATE OF id, api_key_id, request_id, created_at ON usage_logs
  FOR EACH ROW WHEN ((OLD.id, OLD.api_key_id, OLD.request_id, OLD.created_at)
    IS DISTINCT FROM (NEW.id, NEW.api_key_id, NEW.request_id, NEW.created_at))
  EXECUTE FUNCTION refuse_usage_log_identity();
CREATE TRIGGER usage_logs_no_truncate BEFORE TRUNCATE ON usage_logs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_usage_logs_truncate();
-- A statement that names the partition does not fire the trigger of the whole.
CREATE TRIGGER usage_logs_release AFTER DELETE ON usage_logs_default
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION release_usage_logs();

-- As the foreign key did: the log is there, and stays while the line of the ledger is being written. recordUsage writes
-- both at one instant, so the first look reads one partition only.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION require_usage_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM FROM usage_logs WHERE id = NEW.usage_log_id AND created_at = NEW.created_at FOR KEY SHARE;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM FROM usage_logs WHERE id = NEW.usage_log_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'There is no usage log of this id. Store the log first.'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'billing_usage_entries_usage_log_id_fkey',
        TABLE = 'billing_usage_entries';
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION require_usage_log() FROM PUBLIC;
CREATE TRIGGER billing_usage_entries_usage_log AFTER INSERT OR UPDATE OF usage_log_id ON billing_usage_entries
  FOR EACH ROW EXECUTE FUNCTION require_usage_log();

-- +goose Down
-- One table again. All logs are copied while nobody can read or write them, because their months cannot share a key.
LOCK TABLE usage_logs IN ACCESS EXCLUSIVE MODE;
LOCK TABLE users, user_subscriptions, groups, api_keys, accounts IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE billing_usage_entries IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER billing_usage_entries_usage_log ON billing_usage_entries;
DROP FUNCTION require_usage_log();

CREATE TABLE usage_logs_whole (LIKE usage_logs INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE);
INSERT INTO usage_logs_whole SELECT * FROM usage_logs;
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT a.privilege_type AS kind, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee,
      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS again
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.oid = 'usage_logs'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON usage_logs_whole TO %s%s', granted.kind, granted.grantee, granted.again);
  END LOOP;
  EXECUTE (SELECT format('ALTER TABLE usage_logs_whole OWNER TO %I', pg_get_userbyid(relowner))
    FROM pg_class WHERE oid = 'usage_logs'::regclass);
END
$$;
ALTER SEQUENCE usage_logs_id_seq OWNED BY usage_logs_whole.id;
DROP TABLE usage_logs;
ALTER TABLE usage_logs_whole RENAME TO usage_logs;

ALTER TABLE usage_logs
  ADD CONSTRAINT usage_logs_pkey PRIMARY KEY (id),
  ADD CONSTRAINT usage_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
  ADD CONSTRAINT usage_logs_group_id_fkey FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE SET NULL,
  ADD CONSTRAINT usage_logs_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES user_subscriptions (id)
    ON DELETE SET NULL;
CREATE UNIQUE INDEX idx_usage_logs_request_id_api_key_unique ON usage_logs (request_id, api_key_id);
CREATE UNIQUE INDEX usage_logs_id_created_at ON usage_logs (id, created_at);
CREATE INDEX idx_usage_logs_created_at ON usage_logs (created_at);
CREATE INDEX idx_usage_logs_user_created ON usage_logs (user_id, created_at);
CREATE INDEX idx_usage_logs_api_key_created_at ON usage_logs (api_key_id, created_at);
CREATE INDEX idx_usage_logs_account_created_at ON usage_logs (account_id, created_at);
CREATE INDEX idx_usage_logs_model_created_at ON usage_logs (model, created_at);
CREATE INDEX idx_usage_logs_sub_created ON usage_logs (subscription_id, created_at);
CREATE INDEX idx_usage_logs_group_id ON usage_logs (group_id, created_at) WHERE group_id IS NOT NULL;
ALTER TABLE billing_usage_entries ADD CONSTRAINT billing_usage_entries_usage_log_id_fkey
  FOREIGN KEY (usage_log_id) REFERENCES usage_logs (id) ON DELETE CASCADE;

CREATE TRIGGER usage_logs_claim AFTER INSERT ON usage_logs
  FOR EACH ROW WHEN (NEW.request_id IS NOT NULL) EXECUTE FUNCTION claim_usage_request();
CREATE TRIGGER usage_logs_release AFTER DELETE ON usage_logs
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION release_usage_logs();
CREATE TRIGGER usage_logs_identity BEFORE UPDATE OF id, api_key_id, request_id, created_at ON usage_logs
  FOR EACH ROW WHEN ((OLD.id, OLD.api_key_id, OLD.request_id, OLD.created_at)
    IS DISTINCT FROM (NEW.id, NEW.api_key_id, NEW.request_id, NEW.created_at))
  EXECUTE FUNCTION refuse_usage_log_identity();
CREATE TRIGGER usage_logs_no_truncate BEFORE TRUNCATE ON usage_logs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_usage_logs_truncate();
