import { accountsOf, GROUPS_OF_ROWS, subscriptionsOf } from './fill-sizes.ts';
import type { OriginalSize, Quirks } from './fill.ts';
import type { Series } from './series.ts';

const AT = `timestamptz '2025-02-01 00:00:00.123456+00' + n * interval '1 second'`;
const LATER = `timestamptz '2025-07-01 12:00:00.654321+00' + n * interval '1 second'`;
const GROUP = `1 + n % ${GROUPS_OF_ROWS}`;

/** Rows of everything but groups, users and logs; references may name deleted rows, as they do in an old database. */
export async function fillOthers(series: Series, size: OriginalSize, quirks: Quirks): Promise<void> {
  await fillAccounts(series, size, quirks);
  await fillKeysAndCodes(series, size, quirks);
  await fillSubscriptions(series, size, quirks);
  await fillAttributes(series, size);
  await fillRest(series, size);
}

/** OAuth tokens with and without a scope; Gemini accounts that have lost their tier, have one, or never needed one. */
async function fillAccounts(
  series: Series,
  size: OriginalSize,
  { hasOfficial, isNullable }: Quirks,
): Promise<void> {
  await series.insert('proxies', 5, {
    name: `'proxy ' || n`,
    protocol: `'socks5'`,
    host: `'10.1.1.' || n`,
    port: '1080',
    created_at: AT,
    updated_at: LATER,
    deleted_at: `case when n = 5 then ${LATER} end`,
  });
  const accounts = accountsOf(size);
  await series.insert('accounts', accounts, {
    name: `'account ' || n`,
    platform: `case when n % 3 = 0 then 'gemini' else 'anthropic' end`,
    type: `case when ${hasOfficial} and n % 3 = 1 then 'official' when n % 3 = 2 then 'apikey' else 'oauth' end`,
    credentials: CREDENTIALS,
    extra: isNullable
      ? `case when n % 10 > 0 then '{"crs_account_id": "c"}'::jsonb end`
      : `'{"crs_account_id": "c"}'`,
    proxy_id: 'case when n % 4 = 0 then 1 + n % 5 end',
    status: `case when n % 9 = 0 then 'error' else 'active' end`,
    created_at: AT,
    updated_at: LATER,
    deleted_at: `case when n % 8 = 0 then ${LATER} end`,
  });
  const priority = isNullable ? 'nullif(n % 50, 1)' : 'n % 50';
  await series.insert('account_groups', accounts, {
    account_id: 'n',
    group_id: GROUP,
    priority,
    created_at: AT,
  });
}

const CREDENTIALS = `case
  when n % 3 = 0 then case n % 5
    when 0 then '{"oauth_type": "code_assist", "project_id": "p"}'::jsonb when 1 then '{"project_id": "p"}'
    when 2 then '{"oauth_type": "ai_studio", "project_id": "p"}' when 3 then '{"oauth_type": "code_assist", "tier_id": "STANDARD"}'
    else '{"access_token": "t"}' end
  when n % 3 = 2 then '{"api_key": "k"}'
  else case n % 4 when 0 then '{"scope": "user:inference"}'::jsonb when 1 then '{"scope": "user:profile user:inference"}'
    when 2 then '{"access_token": "t"}' else '{"scope": ["user:inference", "user:profile"]}' end end`;

async function fillKeysAndCodes(
  series: Series,
  { users }: OriginalSize,
  { isNullable }: Quirks,
): Promise<void> {
  await series.insert('api_keys', users, {
    user_id: 'n',
    key: `'sk-' || md5('key ' || n)`,
    name: `'key ' || n`,
    group_id: `case when n % 4 > 0 then ${GROUP} end`,
    ip_whitelist: `case when n % 9 = 0 then '["10.0.0.0/8"]'::jsonb end`,
    created_at: AT,
    updated_at: LATER,
    deleted_at: `case when n % 13 = 0 then ${LATER} end`,
  });
  await series.insert('redeem_codes', users / 10, {
    code: `upper(md5('code ' || n))`,
    value: 'n % 50 + 0.5',
    status: `case when n % 2 = 0 then 'used' else 'unused' end`,
    used_by: 'case when n % 2 = 0 then n end',
    used_at: `case when n % 2 = 0 then ${LATER} end`,
    validity_days: isNullable ? 'nullif(n % 30, 1)' : '30',
    created_at: AT,
  });
  await series.insert('settings', 5, {
    key: `'setting_' || n`,
    value: `case when n = 3 then '' else 'value ' || n end`,
    updated_at: LATER,
  });
  const half = 'n * 10 + 0.5';
  await series.insert('promo_codes', 6, {
    code: `case when n % 2 = 0 then 'welcome' else 'SPRING' end || n`,
    bonus_amount: half,
    used_count: '1',
    created_at: AT,
    updated_at: LATER,
  });
  await series.insert('promo_code_usages', 6, {
    promo_code_id: 'n',
    user_id: 'n',
    bonus_amount: half,
    used_at: LATER,
  });
}

/** One user in five has one, every tenth of these until the year 9999. */
async function fillSubscriptions(
  series: Series,
  size: OriginalSize,
  { isPartial, isNullable }: Quirks,
): Promise<void> {
  const row = {
    user_id: 'n',
    group_id: GROUP,
    starts_at: AT,
    expires_at: `case n % 10 when 0 then timestamptz '9999-12-31 23:59:59+00' when 1 then '2099-12-31 23:59:59+00'
      when 2 then '2099-12-31 23:59:59.5+00' else timestamptz '2026-03-01 00:00:00+00' end`,
    daily_usage_usd: isNullable ? 'nullif(n % 30, 1) * 0.0000000017' : 'n * 0.0000000017',
    assigned_by: 'case when n % 2 = 0 then 1 end',
    assigned_at: AT,
    created_at: AT,
    updated_at: LATER,
  };
  const subscriptions = subscriptionsOf(size);
  await series.insert('user_subscriptions', subscriptions, {
    ...row,
    deleted_at: `case when n % 6 = 0 then ${LATER} end`,
  });
  if (isPartial) await series.insert('user_subscriptions', subscriptions, row, 'n % 12 = 0');
}

/** As the original's file 019 leaves them: the definition deleted, its values gone, and the column back. */
async function fillAttributes(series: Series, { users }: OriginalSize): Promise<void> {
  const times = { created_at: AT, updated_at: LATER };
  await series.insert('user_attribute_definitions', 2, {
    key: `case when n = 1 then 'wechat' else 'company' end`,
    name: `case when n = 1 then 'WeChat' else 'Company' end`,
    type: `'text'`,
    options: `case when n = 1 then '[]'::jsonb end`,
    ...times,
    deleted_at: `case when n = 1 then ${LATER} end`,
  });
  await series.insert(
    'user_attribute_values',
    users,
    { user_id: 'n', attribute_id: '2', value: `'company ' || n`, ...times },
    'n % 4 = 0',
  );
}

async function fillRest(series: Series, { users }: OriginalSize): Promise<void> {
  await series.insert('scheduler_outbox', 50, {
    event_type: `'account_changed'`,
    account_id: 'n',
    payload: `'{"group_ids": [1]}'`,
    created_at: AT,
  });
  await series.insert('usage_dashboard_hourly', 24, {
    bucket_start: `timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'`,
    total_requests: 'n',
  });
  await series.insert('usage_dashboard_hourly_users', 24, {
    bucket_start: `timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'`,
    user_id: `least(n, ${users})`,
  });
  await series.insert('ops_system_metrics', 20, { request_count: 'n' });
  await series.insert('ops_error_logs', 20, { request_id: `'req-' || n`, error_message: `'error ' || n` });
  await series.insert('sora_accounts', 5, {
    account_id: 'n',
    access_token: `'a'`,
    refresh_token: `'r'`,
    use_count: 'nullif(n, 2)',
  });
  await series.insert('sora_tasks', 5, {
    task_id: `'task ' || n`,
    account_id: 'n',
    model: `'sora'`,
    prompt: `'p'`,
    retry_count: 'nullif(n, 2)',
  });
}
