-- Who has claimed a request: one row for each log that has a request id. A table that is divided by month cannot hold the
-- unique (request_id, api_key_id) of usage_logs, because every unique of such a table has its month in it; this one can.
--
-- From the triggers on, every program that stores or removes a log keeps its claim, whether it knows of claims or not. They
-- take a moment's lock that waits for writers. Then the logs that were there before get their claims, batch by batch.
--
-- +tombstone phase=migrate
-- +tombstone waive L114: the lock reads nothing; it waits three seconds for the writers and is tried again
-- +tombstone waive L516: reviewed: the block lets those who may store logs store claims

-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE usage_request_ids (
  api_key_id bigint NOT NULL,
  request_id varchar(64) NOT NULL,
  usage_log_id bigint NOT NULL,
  -- That of the log: the month in which it is found.
  created_at timestamptz NOT NULL,
  PRIMARY KEY (api_key_id, request_id)
);

-- Who may store logs may claim for them.
DO $$
DECLARE
  grantee text;
BEGIN
  FOR grantee IN
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.oid = 'usage_logs'::regclass AND a.grantee <> c.relowner AND a.privilege_type = 'INSERT'
  LOOP
    EXECUTE 'GRANT SELECT, INSERT ON usage_request_ids TO ' || grantee;
  END LOOP;
END
$$;

-- The functions work as the actions of foreign keys do: with the rights of the owner, on the tables that are meant here,
-- whatever the session's search_path says. Temporary tables come last, or a session could put its own in their place.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- Claims for every program that stores a log. One that has claimed first, in the same statement, is left alone; for the
-- others a second log of the same request is refused, as by the unique.
CREATE FUNCTION claim_usage_request() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM usage_request_ids
    WHERE api_key_id = NEW.api_key_id AND request_id = NEW.request_id
      AND usage_log_id = NEW.id AND created_at = NEW.created_at
  ) THEN
    INSERT INTO usage_request_ids (api_key_id, request_id, usage_log_id, created_at)
    VALUES (NEW.api_key_id, NEW.request_id, NEW.id, NEW.created_at);
  END IF;
  RETURN NULL;
END
$$;

-- What is kept for a log goes with it. It works on all rows of a statement at once, because a row that moves to another
-- partition is a deleted one to a trigger for each row. EXECUTE plans for the number of rows that there are this time.
CREATE FUNCTION release_usage_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  EXECUTE 'DELETE FROM billing_usage_entries e USING gone g WHERE e.usage_log_id = g.id';
  EXECUTE 'DELETE FROM usage_request_ids c USING gone g
    WHERE c.api_key_id = g.api_key_id AND c.request_id = g.request_id AND c.usage_log_id = g.id';
  RETURN NULL;
END
$$;

-- Otherwise everybody could hang them on a table of his own and remove what he likes. Triggers that are there need no right.
REVOKE EXECUTE ON FUNCTION claim_usage_request(), release_usage_logs() FROM PUBLIC;

-- A log is written once. Its claim would be left behind.
CREATE FUNCTION refuse_usage_log_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The id, the key, the request id and the time of a usage log do not change. Remove the log and store another one.'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'usage_logs_identity', TABLE = 'usage_logs';
END
$$;

-- It would leave claims and the ledger behind.
CREATE FUNCTION refuse_usage_logs_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE would leave the ledger and the claims of the logs behind. Delete the logs, or remove their months with cleanupUsageLogs.'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'usage_logs_no_truncate', TABLE = 'usage_logs';
END
$$;

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
-- +goose StatementEnd

-- A log that is removed meanwhile would leave the claim of a log that is none, so the batch holds its logs.
-- +tombstone backfill table=usage_logs key=id batch=5000 max-lag=10s
INSERT INTO usage_request_ids (api_key_id, request_id, usage_log_id, created_at)
SELECT api_key_id, request_id, id, created_at FROM usage_logs
WHERE id BETWEEN $1 AND $2 AND request_id IS NOT NULL
FOR KEY SHARE
ON CONFLICT (api_key_id, request_id) DO NOTHING;

-- +tombstone verify missing
SELECT api_key_id, request_id, id, created_at FROM usage_logs WHERE request_id IS NOT NULL
EXCEPT SELECT api_key_id, request_id, usage_log_id, created_at FROM usage_request_ids;

-- +tombstone verify unexpected
SELECT api_key_id, request_id, usage_log_id, created_at FROM usage_request_ids
EXCEPT SELECT api_key_id, request_id, id, created_at FROM usage_logs;

-- +goose Down
-- +goose StatementBegin
DROP TRIGGER usage_logs_no_truncate ON usage_logs;
DROP TRIGGER usage_logs_identity ON usage_logs;
DROP TRIGGER usage_logs_release ON usage_logs;
DROP TRIGGER usage_logs_claim ON usage_logs;
DROP FUNCTION refuse_usage_logs_truncate();
DROP FUNCTION refuse_usage_log_identity();
DROP FUNCTION release_usage_logs();
DROP FUNCTION claim_usage_request();
DROP TABLE usage_request_ids;
-- +goose StatementEnd
