-- Who works on a task, and until when nobody else may. claim_id is made anew by each claim, so a worker that comes back late is
-- told from the one that works now, also when both have one name. It stays with a task that is finished, and says who did it.
--
-- available_at is the end of a lease or of a pause, so that one index finds new tasks, given back ones and abandoned ones. Tasks
-- that are there already are available from the beginning; new ones from their creation, by a second default, because one that
-- differs by row would write the whole table.
--
-- +tombstone waive L308: old programs do not know the column, and new ones leave it to the default

-- +goose Up
ALTER TABLE sora_tasks
  ADD COLUMN available_at timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z',
  ADD COLUMN claim_id uuid,
  ADD COLUMN claimed_by text,
  ADD COLUMN attempts integer NOT NULL DEFAULT 0,
  ADD COLUMN parked_at timestamptz,
  ADD COLUMN parked_reason text,
  ALTER COLUMN available_at SET DEFAULT now();

-- +goose Down
ALTER TABLE sora_tasks
  DROP COLUMN available_at,
  DROP COLUMN claim_id,
  DROP COLUMN claimed_by,
  DROP COLUMN attempts,
  DROP COLUMN parked_at,
  DROP COLUMN parked_reason;
