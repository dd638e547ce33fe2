import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, recordUsage, recordUsages } from 'tombstone/gateway';
import { RECORD_USAGE, STORED_USAGE } from '../../src/gateway/usage/record-usage-statement.ts';
import { RECORD_USAGES, STORED_USAGES } from '../../src/gateway/usage/record-usages-statement.ts';
import { USAGE_COLUMNS } from '../../src/gateway/usage/usage-columns.ts';
import type { PreparedStatement } from '../../src/kit/orm/index.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { fillWholeHistory, LOGS, plantHistory } from '../support/usage-history.ts';
import { expectScans, sentBy } from '../support/usage-plans.ts';

// With TOMBSTONE_WHOLE_HISTORY=1 all five million rows are made and nothing is planted, in two minutes. The plans were the same.
const isWhole = process.env['TOMBSTONE_WHOLE_HISTORY'] === '1';

const DAY_MS = 24 * 60 * 60 * 1000;
const until = new Date();
const month = { start: new Date(until.getTime() - 30 * DAY_MS), end: until };
const day = { start: new Date(until.getTime() - DAY_MS), end: until };
const closedMonth = { startTime: month.start, endTime: month.end };
const closedDay = { startTime: day.start, endTime: day.end };
// Of the last days, whose users, keys and subscriptions have the same numbers.
const ID = '77';
const ACCOUNT = '7';

let gateway: Gateway;
let groupId: string;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
  await (isWhole ? fillWholeHistory : plantHistory)(gateway.url, until);
  const [row] = await gateway.rows<{ id: string }>('select group_id as id from api_keys where id = ?', [ID]);
  groupId = row?.id ?? '';
  await aggregation().updateAggregationWatermark(until);
}, 1_200_000);
afterAll(() => gateway.close());

const all = (): GatewayRepositories => gatewayRepositories(gateway.em(), { timeZone: 'UTC' });
const reports = (): GatewayRepositories['usageReports'] => all().usageReports;
const logs = (): GatewayRepositories['usageLogs'] => all().usageLogs;
const aggregation = (): GatewayRepositories['dashboardAggregation'] => all().dashboardAggregation;

const OF = { userId: ID, apiKeyId: ID, accountId: ACCOUNT, subscriptionId: ID };
const usage = (billingType: 0 | 1) => ({ ...OF, model: 'm', totalCost: '1', actualCost: '1', billingType });

const BY_USER = 'idx_usage_logs_user_created';
const BY_KEY = 'idx_usage_logs_api_key_created_at';
const BY_ACCOUNT = 'idx_usage_logs_account_created_at';
const BY_GROUP = 'idx_usage_logs_group_id';
const BY_MODEL = 'idx_usage_logs_model_created_at';
const BY_SUBSCRIPTION = 'idx_usage_logs_sub_created';
const BY_INSTANT = 'idx_usage_logs_created_at';
const BY_REQUEST = 'idx_usage_logs_request_id_api_key_unique';
const BY_ID = 'usage_logs_pkey';
const ENTRY_BY_LOG = 'billing_usage_entries_usage_log_id_unique';
const ENTRY_BY_USER = 'idx_billing_usage_entries_user_time';

type Works = Readonly<Record<string, () => Promise<unknown>>>;

const USER_RANGE = `${BY_USER} by user_id, created_at`;
const KEY_RANGE = `${BY_KEY} by api_key_id, created_at`;
const INSTANTS = `${BY_INSTANT} by created_at`;

/** What reads logs, by how it reads them; the first index is the one that it cannot do without. */
const READS: readonly (readonly [index: string, scans: readonly string[], works: Works, equals?: string])[] =
  [
    [
      BY_ACCOUNT,
      [`${BY_ACCOUNT} by account_id, created_at`],
      {
        '6.8, the window cost of an account': () => reports().getAccountWindowStats(ACCOUNT, day.start),
        'today of an account': () => reports().getAccountTodayStats(ACCOUNT),
        'averages of an account': () => reports().getAccountStatsAggregated(ACCOUNT, month),
        'the report of an account': () => reports().getAccountUsageStats(ACCOUNT, month),
        'models of an account': () => reports().getModelStatsWithFilters(month, { accountId: ACCOUNT }),
        'the list of an account in a range': () => logs().listByAccountAndTimeRange(ACCOUNT, day),
      },
    ],
    [
      BY_ACCOUNT,
      [`${BY_ACCOUNT} by account_id`],
      { 'the list of an account': () => logs().listByAccount(ACCOUNT) },
    ],
    [
      BY_USER,
      [USER_RANGE],
      {
        'the month of a user': () => reports().getUserStats(ID, month),
        'averages of a user': () => reports().getUserStatsAggregated(ID, month),
        'days of a user': () => reports().getDailyStatsAggregated(ID, month),
        'the trend of a user': () => reports().getUserUsageTrendByUserId(ID, month, 'day'),
        'models of a user': () => reports().getUserModelStats(ID, month),
        'the list of a user in a range': () => logs().listByUserAndTimeRange(ID, day),
      },
    ],
    [
      BY_USER,
      [`${BY_USER} by user_id`, USER_RANGE],
      { 'the dashboard of a user': () => reports().getUserDashboardStats(ID) },
      // The last five minutes of a user, and those of all, are a few logs.
      INSTANTS,
    ],
    [
      BY_USER,
      [`${BY_USER} by user_id`],
      {
        'totals of users': () => reports().getBatchUserUsageStats([ID, '8', '9']),
        'the list of a user': () => logs().listByUser(ID),
        'a part of the list of a user': () => logs().listSlice({}, { userId: ID }),
      },
    ],
    [
      BY_KEY,
      [KEY_RANGE],
      {
        'averages of a key': () => reports().getApiKeyStatsAggregated(ID, month),
        'the trend of a key': () => reports().getUsageTrendWithFilters(month, 'day', { apiKeyId: ID }),
        'the list of a key in a range': () => logs().listByApiKeyAndTimeRange(ID, day),
      },
    ],
    [
      BY_KEY,
      [`${BY_KEY} by api_key_id`],
      {
        'totals of keys': () => reports().getBatchApiKeyUsageStats([ID, '8', '9']),
        'the list of a key': () => logs().listByApiKey(ID),
      },
    ],
    [
      BY_GROUP,
      [`${BY_GROUP} by group_id, created_at`],
      {
        'the month of a group': () => reports().getStatsWithFilters({ groupId, ...closedMonth }),
        'the trend of a group': () => reports().getUsageTrendWithFilters(month, 'day', { groupId }),
      },
    ],
    [
      BY_MODEL,
      [`${BY_MODEL} by model, created_at`],
      {
        'the month of a rare model': () => reports().getModelStatsAggregated('rare', month),
        'the list of a rare model in a range': () => logs().listByModelAndTimeRange('rare', month),
      },
    ],
    [
      BY_INSTANT,
      [INSTANTS],
      {
        'the day of a model of every fifth log': () => reports().getModelStatsAggregated('claude', day),
        'the day of all': () => reports().getGlobalStats(closedDay),
        'the trend of all': () => reports().getUsageTrendWithFilters(day, 'hour', {}),
        'models of all': () => reports().getModelStatsWithFilters(day, {}),
        'the dashboard': () => reports().getDashboardStats(),
        'the dashboard of a range': () => reports().getDashboardStatsWithRange(day),
      },
    ],
    [
      BY_INSTANT,
      [INSTANTS, USER_RANGE],
      { 'the most active users': () => reports().getUserUsageTrend(day, 'hour', 5) },
    ],
    [
      BY_INSTANT,
      [INSTANTS, KEY_RANGE],
      { 'the most active keys': () => reports().getApiKeyUsageTrend(day, 'hour', 5) },
    ],
    [
      BY_INSTANT,
      [INSTANTS, `${BY_INSTANT} by its order`],
      {
        'hours that are added up': () => aggregation().aggregateRange(day),
        'new logs that are added up': () => aggregation().aggregateNewLogs(),
      },
    ],
    [
      BY_INSTANT,
      [INSTANTS, `${BY_ID} by id`],
      { 'a removal by age': () => aggregation().cleanupUsageLogs(new Date(0)) },
    ],
    [
      BY_ID,
      [`${BY_ID} by id`],
      {
        'one log': () => logs().getById('777'),
        'the next part of the list of all': () => logs().listSlice({ before: '50000' }, {}),
      },
    ],
    [
      BY_ID,
      [`${BY_ID} by its order`],
      { 'the first part of the list of all': () => logs().listSlice({}, {}) },
    ],
    [
      BY_REQUEST,
      [`${BY_REQUEST} for conflicts`],
      {
        '6.4, a log': () => logs().create({ ...usage(0), requestId: 'a' }),
        '6.6, a request': () => recordUsage(gateway.em(), usage(0)),
        '6.6, requests': () => recordUsages(gateway.em(), [usage(0), usage(1)]),
      },
    ],
  ];

const STORED = [`${ENTRY_BY_LOG} by usage_log_id, id`, `${BY_REQUEST} by request_id, api_key_id`];
const COLUMNS = USAGE_COLUMNS.length;

/** Statements with a fixed text and so many parameters, as PostgreSQL plans them for any values. */
const PREPARED: [name: string, index: string, string[], PreparedStatement, parameters: number][] = [
  ['6.6, by the balance', BY_REQUEST, [`${BY_REQUEST} for conflicts`], RECORD_USAGE[0], COLUMNS],
  ['6.6, by the subscription', BY_REQUEST, [`${BY_REQUEST} for conflicts`], RECORD_USAGE[1], COLUMNS],
  ['6.6, several', BY_REQUEST, [`${BY_REQUEST} for conflicts`], RECORD_USAGES, COLUMNS],
  ['a request that was stored', BY_REQUEST, STORED, STORED_USAGE, 2],
  ['its line of the ledger', ENTRY_BY_LOG, STORED, STORED_USAGE, 2],
  ['several that were stored', BY_REQUEST, STORED, STORED_USAGES, 2],
];

/** What the foreign keys do when the row that they refer to is physically removed. */
const REMOVALS: [name: string, index: string, column: string, sql: string][] = [
  ['a user from the logs', BY_USER, 'user_id', `delete from only usage_logs where ${ID} = user_id`],
  ['a key from the logs', BY_KEY, 'api_key_id', `delete from only usage_logs where ${ID} = api_key_id`],
  ['an account', BY_ACCOUNT, 'account_id', `delete from only usage_logs where ${ACCOUNT} = account_id`],
  [
    'a subscription',
    BY_SUBSCRIPTION,
    'subscription_id',
    `update only usage_logs set subscription_id = null where ${ID} = subscription_id`,
  ],
  [
    'a log',
    ENTRY_BY_LOG,
    'usage_log_id',
    `delete from only billing_usage_entries where ${ID} = usage_log_id`,
  ],
  [
    'a user from the ledger',
    ENTRY_BY_USER,
    'user_id',
    `delete from only billing_usage_entries where ${ID} = user_id`,
  ],
];

const EACH = READS.flatMap(([index, scans, works, equals]) =>
  Object.entries(works).map(([name, work]) => [name, index, scans, work, equals] as const),
);

describe(`with ${LOGS} logs`, () => {
  it('the planner sees them', async () => {
    const [row] = await gateway.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      'explain (format json) select from usage_logs',
    );
    expect((row?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0) / LOGS).toBeCloseTo(1, 1);
  });

  it.each(EACH)(
    '%s: read by the index, and otherwise without it',
    async (_name, index, scans, work, equals) => {
      await expectScans(gateway, index, scans, await sentBy(gateway, work), equals);
    },
  );

  it.each(PREPARED)('%s: the same with any values', async (_name, index, scans, { text }, parameters) => {
    await gateway.rows(`prepare shown as ${text}`);
    await gateway.rows('set plan_cache_mode = force_generic_plan');
    const values = Array.from({ length: parameters }, () => 'null').join(', ');
    try {
      await expectScans(gateway, index, scans, [`execute shown(${values})`]);
    } finally {
      await gateway.rows('deallocate shown');
      await gateway.rows('reset plan_cache_mode');
    }
  });

  it.each(REMOVALS)('the removal of %s: by the index', async (_name, index, column, sql) => {
    await expectScans(gateway, index, [`${index} by ${column}`], [sql]);
  });
});
