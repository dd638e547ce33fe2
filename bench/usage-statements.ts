import type { NewUsage } from '../src/gateway/index.ts';

/** What the bench's requests fill, with the type of the column. The other columns keep their defaults. */
const COLUMNS = {
  userId: ['user_id', 'bigint'],
  apiKeyId: ['api_key_id', 'bigint'],
  accountId: ['account_id', 'bigint'],
  groupId: ['group_id', 'bigint'],
  subscriptionId: ['subscription_id', 'bigint'],
  requestId: ['request_id', 'text'],
  model: ['model', 'text'],
  inputTokens: ['input_tokens', 'int'],
  outputTokens: ['output_tokens', 'int'],
  cacheCreationTokens: ['cache_creation_tokens', 'int'],
  cacheReadTokens: ['cache_read_tokens', 'int'],
  inputCost: ['input_cost', 'numeric'],
  outputCost: ['output_cost', 'numeric'],
  cacheCreationCost: ['cache_creation_cost', 'numeric'],
  cacheReadCost: ['cache_read_cost', 'numeric'],
  totalCost: ['total_cost', 'numeric'],
  actualCost: ['actual_cost', 'numeric'],
  rateMultiplier: ['rate_multiplier', 'numeric'],
  billingType: ['billing_type', 'smallint'],
  stream: ['stream', 'boolean'],
  durationMs: ['duration_ms', 'int'],
  firstTokenMs: ['first_token_ms', 'int'],
  userAgent: ['user_agent', 'text'],
  ipAddress: ['ip_address', 'text'],
} as const satisfies Partial<Record<keyof NewUsage, readonly [string, string]>>;

const PROPERTIES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

export const NAMES = Object.values(COLUMNS)
  .map(([name]) => name)
  .join(', ');

export const COLUMN_COUNT = PROPERTIES.length;

/** The values of a request, in the order of {@link NAMES}. */
export function valuesOf(usage: NewUsage): unknown[] {
  return PROPERTIES.map((property) => usage[property]);
}

/** One list for each column. */
export function listsOf(usages: readonly NewUsage[]): unknown[][] {
  return PROPERTIES.map((property) => usages.map((usage) => usage[property]));
}

const PARAMETERS = PROPERTIES.map((_, n) => `$${n + 1}`).join(', ');
const LISTS = Object.values(COLUMNS)
  .map(([, type], n) => `$${n + 1}::${type}[]`)
  .join(', ');
/** The requests as JSON, as they are. */
const RECORDSET = Object.entries(COLUMNS)
  .map(([property, [, type]]) => `"${property}" ${type}`)
  .join(', ');
const STAGED = Object.values(COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ');

const CONFLICT = 'on conflict (request_id, api_key_id) do nothing';
const ENTRY =
  'insert into billing_usage_entries (usage_log_id, user_id, api_key_id, subscription_id, billing_type, applied, delta_usd)';

const INSERT = `insert into usage_logs (${NAMES}) values (${PARAMETERS}) ${CONFLICT}`;

export const LOG = { name: 'bench_usage_log', text: `${INSERT} returning id, created_at` };

export const LOGS = {
  name: 'bench_usage_logs',
  text: `insert into usage_logs (${NAMES}) select * from unnest(${LISTS}) ${CONFLICT}`,
};

/** Log, charge and ledger at once; one statement for each way to pay, so that none does what the other needs. */
export const BY_BALANCE = {
  name: 'bench_usage_balance',
  text: `with log as (
    ${INSERT} returning id, created_at, user_id, api_key_id, subscription_id, billing_type, actual_cost
  ), payer as (
    update users u set balance = u.balance - log.actual_cost, updated_at = now()
    from log where u.id = log.user_id and u.deleted_at is null returning u.balance
  ), entry as (
    ${ENTRY} select id, user_id, api_key_id, subscription_id, billing_type, exists (select from payer), actual_cost
    from log where actual_cost > 0 returning applied, delta_usd
  ) select log.id, log.created_at, entry.*, payer.balance from log left join entry on true left join payer on true`,
};

export const BY_SUBSCRIPTION = {
  name: 'bench_usage_subscription',
  text: `with log as (
    ${INSERT} returning id, created_at, user_id, api_key_id, subscription_id, billing_type, total_cost
  ), counter as (
    update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + log.total_cost,
      weekly_usage_usd = s.weekly_usage_usd + log.total_cost, monthly_usage_usd = s.monthly_usage_usd + log.total_cost,
      updated_at = now()
    from log, groups g
    where s.id = log.subscription_id and s.deleted_at is null and g.id = s.group_id and g.deleted_at is null
    returning s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd
  ), entry as (
    ${ENTRY} select id, user_id, api_key_id, subscription_id, billing_type, exists (select from counter), total_cost
    from log where total_cost > 0 returning applied, delta_usd
  ) select log.id, log.created_at, entry.*, counter.* from log left join entry on true left join counter on true`,
};

/** The same in the steps of a transaction. */
export const STEPS = {
  balance: {
    name: 'bench_usage_step_balance',
    text: `update users set balance = balance - $2, updated_at = now() where id = $1 and deleted_at is null returning balance`,
  },
  subscription: {
    name: 'bench_usage_step_subscription',
    text: `update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + $2,
      weekly_usage_usd = s.weekly_usage_usd + $2, monthly_usage_usd = s.monthly_usage_usd + $2, updated_at = now()
      from groups g where s.id = $1 and s.deleted_at is null and g.id = s.group_id and g.deleted_at is null
      returning s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd`,
  },
  entry: { name: 'bench_usage_step_entry', text: `${ENTRY} values ($1, $2, $3, $4, $5, $6, $7)` },
} as const;

/**
 * Many at once, from whatever gives the rows. Rows of payers are locked by id before they are changed, as an order for
 * batches that meet; without it, two of them stop each other by a deadlock.
 */
const batch = (rows: string): string => `with log as (
    insert into usage_logs (${NAMES}) ${rows} ${CONFLICT}
    returning id, created_at, user_id, api_key_id, request_id, subscription_id, billing_type,
      case billing_type when 1 then total_cost else actual_cost end as amount
  ), owed as materialized (
    select u.id, o.amount from users u
    join (select user_id, sum(amount) as amount from log where billing_type = 0 group by user_id) o on o.user_id = u.id
    where u.deleted_at is null order by u.id for no key update of u
  ), counted as materialized (
    select s.id, c.amount from user_subscriptions s
    join (select subscription_id, sum(amount) as amount from log where billing_type = 1 group by 1) c on c.subscription_id = s.id
    join groups g on g.id = s.group_id and g.deleted_at is null
    where s.deleted_at is null order by s.id for no key update of s
  ), payer as (
    update users u set balance = u.balance - o.amount, updated_at = now() from owed o where u.id = o.id returning u.id
  ), counter as (
    update user_subscriptions s set daily_usage_usd = s.daily_usage_usd + c.amount,
      weekly_usage_usd = s.weekly_usage_usd + c.amount, monthly_usage_usd = s.monthly_usage_usd + c.amount, updated_at = now()
    from counted c where s.id = c.id returning s.id
  ), entry as (
    ${ENTRY} select id, user_id, api_key_id, subscription_id, billing_type,
      case billing_type when 1 then subscription_id in (select id from counter) else user_id in (select id from payer) end,
      amount
    from log where amount > 0
    returning usage_log_id, applied, delta_usd
  ) select log.id, log.created_at, log.request_id, log.api_key_id, entry.applied, entry.delta_usd
  from log left join entry on entry.usage_log_id = log.id`;

export const BATCH_UNNEST = {
  name: 'bench_usages_unnest',
  text: batch(`select * from unnest(${LISTS})`),
};
export const BATCH_JSON = {
  name: 'bench_usages_json',
  text: batch(`select * from json_to_recordset($1) as given (${RECORDSET})`),
};
export const BATCH_STAGED = {
  name: 'bench_usages_staged',
  text: batch('select * from usage_stage'),
};

/** With a parameter for each value of each row, so with a name for each number of rows. */
export function batchValues(count: number): { name: string; text: string } {
  const rows = Array.from({ length: count }, (_, row) => {
    const first = row * COLUMN_COUNT + 1;
    return `(${PROPERTIES.map((_name, n) => `$${first + n}`).join(', ')})`;
  });
  return { name: `bench_usages_values_${count}`, text: batch(`values ${rows.join(', ')}`) };
}

export const STAGE = `create temp table usage_stage (${STAGED}) on commit delete rows`;
