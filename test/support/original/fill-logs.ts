import { accountsOf, GROUPS_OF_ROWS } from './fill-sizes.ts';
import type { OriginalSize, Quirks } from './fill.ts';
import type { Series } from './series.ts';

/**
 * Logs from November to February. A few have no request id but an empty text; where nothing refuses it, some rows are the
 * second or the third of their request.
 */
export async function fillLogs(
  series: Series,
  size: OriginalSize,
  { hasTwice, isNullable }: Quirks,
): Promise<void> {
  const { users, logs = users } = size;
  const first = hasTwice ? '(n - case n % 40 when 3 then 1 when 4 then 2 else 0 end)' : 'n';
  const owner = `1 + (${first} - 1) % ${users}`;
  const cache5m = 'n % 7';
  const cache1h = 'n % 5';
  await series.insert('usage_logs', logs, {
    user_id: owner,
    api_key_id: owner,
    account_id: `1 + n % ${accountsOf(size)}`,
    group_id: `case when n % 3 > 0 then 1 + n % ${GROUPS_OF_ROWS} end`,
    request_id: `case when n % 50 = 0 and (${hasTwice} or n <= ${users}) then '' when n % 60 <> 7 then 'req-' || ${first} end`,
    model: `(array['claude-sonnet-4', 'gpt-5', 'gemini-2.5-pro'])[1 + n % 3]`,
    input_tokens: 'n % 5000',
    output_tokens: 'n % 900',
    cache_creation_tokens: `${cache5m} + ${cache1h}`,
    cache_creation_5m_tokens: cache5m,
    cache_creation_1h_tokens: cache1h,
    cache_creation5m_tokens: cache5m,
    cache_creation1h_tokens: cache1h,
    total_cost: '(n % 997) * 0.0000012345',
    actual_cost: '(n % 997) * 0.0000018517',
    rate_multiplier: '1.5',
    account_rate_multiplier: 'case when n % 2 = 0 then 0.8 end',
    billing_type: isNullable ? 'nullif(n % 8, 1) % 2' : 'n % 2',
    stream: isNullable ? 'nullif(n % 4, 1) = 0' : 'n % 4 = 0',
    duration_ms: 'case when n % 9 > 0 then n % 3000 end',
    user_agent: `'client/' || n % 10`,
    ip_address: `'10.0.' || n % 256 || '.1'`,
    image_count: 'nullif(n % 4, 1)',
    created_at: `timestamptz '2025-11-01 00:00:00.5+00' + n * (interval '110 days' / ${Math.max(logs, 1)})`,
  });
}
