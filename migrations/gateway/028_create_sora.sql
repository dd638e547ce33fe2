-- Accounts of a platform that makes pictures and videos, what they have made and what lies in the cache. Deleted physically.
--
-- An installation that comes from the original has these tables with two differences: its counters and flags may be NULL, which
-- means their default, and its foreign keys have no ON DELETE. Both forms are read and written.
--
-- +tombstone waive L703: the original's column; a progress is shown and never compared

-- +goose Up
CREATE TABLE sora_accounts (
  id bigserial PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  access_token text,
  session_token text,
  refresh_token text,
  client_id text,
  email text,
  username text,
  remark text,
  use_count integer NOT NULL DEFAULT 0,
  plan_type text,
  plan_title text,
  subscription_end timestamptz,
  sora_supported boolean NOT NULL DEFAULT false,
  sora_invite_code text,
  sora_redeemed_count integer NOT NULL DEFAULT 0,
  sora_remaining_count integer NOT NULL DEFAULT 0,
  sora_total_count integer NOT NULL DEFAULT 0,
  sora_cooldown_until timestamptz,
  cooled_until timestamptz,
  image_enabled boolean NOT NULL DEFAULT true,
  video_enabled boolean NOT NULL DEFAULT true,
  image_concurrency integer NOT NULL DEFAULT -1,
  video_concurrency integer NOT NULL DEFAULT -1,
  is_expired boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT sora_accounts_account_id_key UNIQUE (account_id)
);
CREATE INDEX idx_sora_accounts_plan_type ON sora_accounts (plan_type);
CREATE INDEX idx_sora_accounts_sora_supported ON sora_accounts (sora_supported);
CREATE INDEX idx_sora_accounts_image_enabled ON sora_accounts (image_enabled);
CREATE INDEX idx_sora_accounts_video_enabled ON sora_accounts (video_enabled);

CREATE TABLE sora_usage_stats (
  id bigserial PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  image_count integer NOT NULL DEFAULT 0,
  video_count integer NOT NULL DEFAULT 0,
  error_count integer NOT NULL DEFAULT 0,
  last_error_at timestamptz,
  today_image_count integer NOT NULL DEFAULT 0,
  today_video_count integer NOT NULL DEFAULT 0,
  today_error_count integer NOT NULL DEFAULT 0,
  today_date date,
  consecutive_error_count integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT sora_usage_stats_account_id_key UNIQUE (account_id)
);
CREATE INDEX idx_sora_usage_stats_today_date ON sora_usage_stats (today_date);

CREATE TABLE sora_tasks (
  id bigserial PRIMARY KEY,
  task_id text NOT NULL,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  model text NOT NULL,
  prompt text NOT NULL,
  status text NOT NULL DEFAULT 'processing',
  progress double precision NOT NULL DEFAULT 0,
  result_urls text,
  error_message text,
  retry_count integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  CONSTRAINT sora_tasks_task_id_key UNIQUE (task_id)
);
CREATE INDEX idx_sora_tasks_account_id ON sora_tasks (account_id);
CREATE INDEX idx_sora_tasks_status ON sora_tasks (status);

CREATE TABLE sora_cache_files (
  id bigserial PRIMARY KEY,
  task_id text,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  media_type text NOT NULL,
  original_url text NOT NULL,
  cache_path text NOT NULL,
  cache_url text NOT NULL,
  size_bytes bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_sora_cache_files_account_id ON sora_cache_files (account_id);
CREATE INDEX idx_sora_cache_files_user_id ON sora_cache_files (user_id);
CREATE INDEX idx_sora_cache_files_media_type ON sora_cache_files (media_type);

-- +goose Down
DROP TABLE sora_cache_files;
DROP TABLE sora_tasks;
DROP TABLE sora_usage_stats;
DROP TABLE sora_accounts;
