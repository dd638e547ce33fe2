import type { DataRule } from '../../kit/migrations/index.ts';

/** Deleted rows too: one that is restored must not bring the old form back. */
const WAIVER = '/* soft-delete: all rows, because a deleted one may be restored */';

// A log is written once and has no updated_at. Nothing of what it cost is touched.
const emptyRequestIds: DataRule = {
  name: 'empty request ids become NULL',
  reason: 'A log without a request id has NULL: empty texts would collide in the unique over requests.',
  table: 'public.usage_logs',
  key: 'id',
  columns: ['public.usage_logs.id', 'public.usage_logs.request_id'],
  statement: `UPDATE public.usage_logs SET request_id = NULL WHERE id BETWEEN $1 AND $2 AND request_id = ''`,
  left: `SELECT id FROM public.usage_logs WHERE request_id = '' ORDER BY id`,
  when: 'before',
};

/** Where the unique is there, nobody needs to look through all logs for what it refuses. */
const WITHOUT_UNIQUE = `NOT EXISTS (SELECT FROM pg_catalog.pg_index x
  WHERE x.indrelid = 'public.usage_logs'::regclass AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indnkeyatts = 2
    AND pg_catalog.pg_get_indexdef(x.indexrelid) LIKE '% (request_id, api_key_id)')`;

const repeatedRequestIds: DataRule = {
  name: 'repeated request ids become NULL',
  reason:
    'A key has a request once: the first log of it by id keeps the request id, the others stay without one.',
  table: 'public.usage_logs',
  key: 'id',
  columns: ['public.usage_logs.id', 'public.usage_logs.api_key_id', 'public.usage_logs.request_id'],
  statement: `UPDATE public.usage_logs l SET request_id = NULL
WHERE l.id BETWEEN $1 AND $2 AND l.request_id <> '' AND EXISTS (
  SELECT FROM public.usage_logs f WHERE f.api_key_id = l.api_key_id AND f.request_id = l.request_id AND f.id < l.id)`,
  left: `SELECT id FROM (
  SELECT id, row_number() OVER (PARTITION BY request_id, api_key_id ORDER BY id) AS place
  FROM public.usage_logs WHERE request_id <> '' AND ${WITHOUT_UNIQUE}
) placed WHERE place > 1 ORDER BY id`,
  repairs: ['index public.idx_usage_logs_request_id_api_key_unique'],
  when: 'before',
};

/** The old column stays: it is one of the database's own, and a program that still runs may read it. */
function cacheColumn(old: string, column: string): DataRule {
  return {
    name: `${old} goes over to ${column}`,
    reason: `Older databases have the tokens in ${old}; where ${column} is 0, it gets them.`,
    table: 'public.usage_logs',
    key: 'id',
    columns: [`public.usage_logs.${old}`, `public.usage_logs.${column}`],
    statement: `UPDATE public.usage_logs SET ${column} = ${old}
WHERE id BETWEEN $1 AND $2 AND ${column} = 0 AND ${old} <> 0`,
    left: `SELECT id FROM public.usage_logs WHERE ${column} = 0 AND ${old} <> 0 ORDER BY id`,
    when: 'after',
  };
}

/**
 * A setup token may only ask for inference. A login may read its profile as well; where no scope was kept, it was one, because
 * tokens for setting up came later and always have theirs.
 */
const officialAccounts: DataRule = {
  name: 'official accounts get their type by scope',
  reason:
    'The type "official" is "oauth" or "setup-token" by now; a scope without user:profile tells a setup token.',
  table: 'public.accounts',
  key: 'id',
  columns: ['public.accounts.type', 'public.accounts.credentials', 'public.accounts.updated_at'],
  statement: `UPDATE public.accounts ${WAIVER}
SET type = CASE WHEN coalesce(credentials ->> 'scope', '') IN ('', '[]') OR position('user:profile' IN credentials ->> 'scope') > 0
    THEN 'oauth' ELSE 'setup-token' END, updated_at = now()
WHERE id BETWEEN $1 AND $2 AND type = 'official'`,
  left: `SELECT id FROM public.accounts ${WAIVER} WHERE type = 'official' ORDER BY id`,
  when: 'after',
};

const CAP = `timestamptz '2099-12-31 23:59:59+00'`;

const lateSubscriptions: DataRule = {
  name: 'subscriptions end in 2099 at the latest',
  reason:
    'Later instants do not fit into every program that reads them; the last one is 2099-12-31 23:59:59 UTC.',
  table: 'public.user_subscriptions',
  key: 'id',
  columns: ['public.user_subscriptions.expires_at', 'public.user_subscriptions.updated_at'],
  statement: `UPDATE public.user_subscriptions ${WAIVER} SET expires_at = ${CAP}, updated_at = now()
WHERE id BETWEEN $1 AND $2 AND expires_at > ${CAP}`,
  left: `SELECT id FROM public.user_subscriptions ${WAIVER} WHERE expires_at > ${CAP} ORDER BY id`,
  when: 'after',
};

// Its one row has the key 1. It is missing where the table was made by something else than the file that seeds it.
const watermark: DataRule = {
  name: 'the watermark of the dashboard is there',
  reason: 'The dashboard is added up from its watermark on, which is a row with the key 1.',
  table: 'public.usage_dashboard_aggregation_watermark',
  key: 'id',
  columns: ['public.usage_dashboard_aggregation_watermark.id'],
  statement: `INSERT INTO public.usage_dashboard_aggregation_watermark (id)
SELECT 1 WHERE 1 BETWEEN $1 AND $2 ON CONFLICT (id) DO NOTHING`,
  left: `SELECT 1 AS id WHERE NOT EXISTS (SELECT FROM public.usage_dashboard_aggregation_watermark WHERE id = 1)`,
  when: 'after',
};

/**
 * What the specification asks of rows (8.4), in this order: the unique over requests is built over what the first two leave.
 * Amounts are never changed.
 */
export const dataRules: readonly DataRule[] = [
  emptyRequestIds,
  repeatedRequestIds,
  cacheColumn('cache_creation5m_tokens', 'cache_creation_5m_tokens'),
  cacheColumn('cache_creation1h_tokens', 'cache_creation_1h_tokens'),
  officialAccounts,
  lateSubscriptions,
  watermark,
];
