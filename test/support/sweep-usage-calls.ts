import type { DataEntityManager } from 'tombstone';
import {
  amount,
  type Argument,
  clamped,
  filter,
  filters,
  id,
  ids,
  integer,
  list,
  object,
  optionalId,
  text,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

/** The id of a log that names the rows. */
export async function insertSweepUsage(
  em: DataEntityManager,
  { user, apiKey, group, account }: Pick<SweepRows, 'user' | 'apiKey' | 'group' | 'account'>,
): Promise<string> {
  const [log] = await em.execute<{ id: string }[]>(
    `insert into usage_logs (user_id, api_key_id, account_id, group_id, model) values (?, ?, ?, ?, 'model') returning id`,
    [user, apiKey, account, group],
  );
  return log?.id ?? '';
}

const page = clamped({ page: 1, pageSize: 50 });
const granularity = clamped('day');
const [first, last] = [new Date('2026-01-01T00:00:00Z'), new Date('2100-01-01T00:00:00Z')];
const NO_INSTANTS = [new Date(Number.NaN), '2026-01-01', 5, {}, true, new Date(-1e15), '', 0, false];

const instant = (valid: Date): Argument => ({ valid, malformed: [...NO_INSTANTS, null, undefined] });
const range = list({ start: first, end: last }, [
  null,
  undefined,
  {},
  ...NO_INSTANTS.flatMap((value) => [
    { start: value, end: last },
    { start: first, end: value },
  ]),
]);
const closed = list({ startTime: first, endTime: last }, [
  null,
  undefined,
  {},
  ...NO_INSTANTS.map((value) => ({ startTime: first, endTime: value })),
]);

const filtersOf = (rows: SweepRows): Record<string, Argument> => ({
  userId: optionalId(rows.user),
  apiKeyId: optionalId(rows.apiKey),
  accountId: optionalId(rows.account),
  groupId: optionalId(rows.group),
  model: filter('model'),
  stream: list(false, ['true', 1, {}]),
});
const closedFiltersOf = (rows: SweepRows): Argument =>
  filters({
    ...filtersOf(rows),
    billingType: list(0, [2, -1, 1.5, '1', {}]),
    startTime: list(first, NO_INSTANTS),
    endTime: list(last, NO_INSTANTS),
  });

export const usageLogsOf = (rows: SweepRows): SweepCalls['usageLogs'] => ({
  create: [
    object({
      userId: id(rows.user),
      apiKeyId: id(rows.apiKey),
      accountId: id(rows.account),
      groupId: optionalId(rows.group),
      // What comes from outside is cut and cleaned, so that no header loses a log.
      model: list('model', [5, {}, null]),
      userAgent: list('agent', [5, {}]),
      totalCost: amount('1', { nullable: true }),
      rateMultiplier: amount('1', { nullable: true, decimals: 4 }),
      inputTokens: list(1, [-1, 1.5, '1', 2 ** 31]),
      stream: list(true, ['true', 1]),
    }),
  ],
  getById: [id(rows.usageLog)],
  findById: [id(rows.usageLog)],
  listByUser: [id(rows.user), page],
  listByApiKey: [id(rows.apiKey), page],
  listByAccount: [id(rows.account), page],
  listByUserAndTimeRange: [id(rows.user), range],
  listByApiKeyAndTimeRange: [id(rows.apiKey), range],
  listByAccountAndTimeRange: [id(rows.account), range],
  listByModelAndTimeRange: [text('model'), range],
  listWithFilters: [page, closedFiltersOf(rows)],
  listSlice: [filters({ before: optionalId(null), limit: clamped(10) }), closedFiltersOf(rows)],
  delete: [id(rows.usageLog)],
});

const limit = list(5, [...integer(5).malformed, 0, 1001]);

export const usageReportsOf = (rows: SweepRows): SweepCalls['usageReports'] => ({
  getUserStats: [id(rows.user), range],
  getUserStatsAggregated: [id(rows.user), range],
  getApiKeyStatsAggregated: [id(rows.apiKey), range],
  getAccountStatsAggregated: [id(rows.account), range],
  getModelStatsAggregated: [text('model'), range],
  getDailyStatsAggregated: [id(rows.user), range],
  getGlobalStats: [closed],
  getStatsWithFilters: [closedFiltersOf(rows)],
  getAccountTodayStats: [id(rows.account)],
  getAccountWindowStats: [id(rows.account), instant(first)],
  getUserUsageTrendByUserId: [id(rows.user), range, granularity],
  getUsageTrendWithFilters: [range, granularity, filters(filtersOf(rows))],
  getUserUsageTrend: [range, granularity, limit],
  getApiKeyUsageTrend: [range, granularity, limit],
  getUserModelStats: [id(rows.user), range],
  getModelStatsWithFilters: [range, filters(filtersOf(rows))],
  getBatchUserUsageStats: [ids([rows.user])],
  getBatchApiKeyUsageStats: [ids([rows.apiKey])],
  getUserDashboardStats: [id(rows.user)],
  getDashboardStats: [],
  getDashboardStatsWithRange: [range],
  getAccountUsageStats: [id(rows.account), range],
});

export const dashboardAggregationOf = (): SweepCalls['dashboardAggregation'] => ({
  aggregateRange: [range],
  aggregateNewLogs: [filters({ lookBackSeconds: list(60, [...integer(60).malformed, -1]) })],
  getAggregationWatermark: [],
  updateAggregationWatermark: [instant(first)],
  ensureUsageLogsPartitions: [instant(first)],
  cleanupAggregates: [instant(first), instant(first)],
  cleanupUsageLogs: [
    instant(first),
    filters({ batchSize: list(10, [...integer(10).malformed, 0, 100_001]) }),
  ],
});
