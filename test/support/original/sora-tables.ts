import { type OriginalTable, table } from './table.ts';

/** As the commit with Sora made them: counters may be NULL, and no key to another table says what a deletion does. */
export const SORA_TABLES: readonly OriginalTable[] = [
  table('sora_accounts', 44, {
    columns: `
      id bigserial PRIMARY KEY
      account_id bigint NOT NULL
      access_token text
      session_token text
      refresh_token text
      client_id text
      email text
      username text
      remark text
      use_count integer DEFAULT 0
      plan_type text
      plan_title text
      subscription_end timestamptz
      sora_supported boolean DEFAULT false
      sora_invite_code text
      sora_redeemed_count integer DEFAULT 0
      sora_remaining_count integer DEFAULT 0
      sora_total_count integer DEFAULT 0
      sora_cooldown_until timestamptz
      cooled_until timestamptz
      image_enabled boolean DEFAULT true
      video_enabled boolean DEFAULT true
      image_concurrency integer DEFAULT -1
      video_concurrency integer DEFAULT -1
      is_expired boolean DEFAULT false
      created_at timestamptz NOT NULL DEFAULT now()
      updated_at timestamptz NOT NULL DEFAULT now()`,
    parents: 'account_id accounts',
    uniques: 'sora_accounts_account_id_key (account_id)',
    indexes: `idx_sora_accounts_plan_type (plan_type)
      idx_sora_accounts_sora_supported (sora_supported)
      idx_sora_accounts_image_enabled (image_enabled)
      idx_sora_accounts_video_enabled (video_enabled)`,
  }),
  table('sora_usage_stats', 44, {
    columns: `
      id bigserial PRIMARY KEY
      account_id bigint NOT NULL
      image_count integer DEFAULT 0
      video_count integer DEFAULT 0
      error_count integer DEFAULT 0
      last_error_at timestamptz
      today_image_count integer DEFAULT 0
      today_video_count integer DEFAULT 0
      today_error_count integer DEFAULT 0
      today_date date
      consecutive_error_count integer DEFAULT 0
      created_at timestamptz NOT NULL DEFAULT now()
      updated_at timestamptz NOT NULL DEFAULT now()`,
    parents: 'account_id accounts',
    uniques: 'sora_usage_stats_account_id_key (account_id)',
    indexes: 'idx_sora_usage_stats_today_date (today_date)',
  }),
  table('sora_tasks', 44, {
    columns: `
      id bigserial PRIMARY KEY
      task_id text NOT NULL
      account_id bigint NOT NULL
      model text NOT NULL
      prompt text NOT NULL
      status text NOT NULL DEFAULT 'processing'
      progress double precision DEFAULT 0
      result_urls text
      error_message text
      retry_count integer DEFAULT 0
      created_at timestamptz NOT NULL DEFAULT now()
      completed_at timestamptz`,
    parents: 'account_id accounts',
    uniques: 'sora_tasks_task_id_key (task_id)',
    indexes: `idx_sora_tasks_account_id (account_id)
      idx_sora_tasks_status (status)`,
  }),
  table('sora_cache_files', 44, {
    columns: `
      id bigserial PRIMARY KEY
      task_id text
      account_id bigint NOT NULL
      user_id bigint NOT NULL
      media_type text NOT NULL
      original_url text NOT NULL
      cache_path text NOT NULL
      cache_url text NOT NULL
      size_bytes bigint DEFAULT 0
      created_at timestamptz NOT NULL DEFAULT now()`,
    parents: `account_id accounts
      user_id users`,
    indexes: `idx_sora_cache_files_account_id (account_id)
      idx_sora_cache_files_user_id (user_id)
      idx_sora_cache_files_media_type (media_type)`,
  }),
];

/** What later versions of the original call by the same name. */
export const LATER_SORA_TABLES: readonly OriginalTable[] = [
  table('sora_accounts', 44, {
    columns: `
      account_id bigint PRIMARY KEY
      access_token text NOT NULL
      refresh_token text NOT NULL
      session_token text
      created_at timestamptz NOT NULL DEFAULT now()
      updated_at timestamptz NOT NULL DEFAULT now()`,
    parents: 'account_id accounts CASCADE',
  }),
];
