import { InvalidInputError } from '../kit/errors/index.ts';
import { mayReadReplica } from '../kit/orm/index.ts';
import type { GatewayRepositories } from './repositories.ts';

/** Where lists and statistics are read. */
export interface ReadOptions {
  /**
   * `replica` lets them run on one of the `replicas` of the configuration, so that they may be late: the page `read-replicas`
   * names them. Everything else, and every read in a transaction, stays on the primary. Default `primary`.
   */
  readonly reads?: 'primary' | 'replica';
}

type Methods = {
  readonly [R in keyof GatewayRepositories]?: readonly (keyof GatewayRepositories[R] & string)[];
};

/**
 * What may be late: lists and statistics that somebody looks at. Whatever decides a charge, a choice of an account or what is
 * written next is not in here, nor what a caller reads back by its key.
 */
const MAY_BE_LATE: Methods = {
  users: ['list', 'listWithFilters'],
  groups: ['list', 'listWithFilters', 'listActive', 'listActiveByPlatform'],
  apiKeys: ['listByUserId', 'listByGroupId', 'searchApiKeys'],
  accounts: ['list', 'listWithFilters'],
  proxies: [
    'list',
    'listWithFilters',
    'listWithFiltersAndAccountCount',
    'listActive',
    'listActiveWithAccountCount',
    'getAccountCountsForProxies',
    'listAccountSummariesByProxyId',
  ],
  subscriptions: ['list', 'listByUserId', 'listByGroupId'],
  redeemCodes: ['list', 'listWithFilters', 'listByUser'],
  promoCodes: ['list', 'listWithFilters', 'listUsagesByPromoCode'],
  usageLogs: [
    'listByUser',
    'listByApiKey',
    'listByAccount',
    'listByUserAndTimeRange',
    'listByApiKeyAndTimeRange',
    'listByAccountAndTimeRange',
    'listByModelAndTimeRange',
    'listWithFilters',
    'listSlice',
  ],
  usageReports: [
    'getUserStats',
    'getUserStatsAggregated',
    'getApiKeyStatsAggregated',
    'getAccountStatsAggregated',
    'getModelStatsAggregated',
    'getDailyStatsAggregated',
    'getGlobalStats',
    'getStatsWithFilters',
    'getAccountTodayStats',
    'getUserUsageTrendByUserId',
    'getUsageTrendWithFilters',
    'getUserUsageTrend',
    'getApiKeyUsageTrend',
    'getUserModelStats',
    'getModelStatsWithFilters',
    'getBatchUserUsageStats',
    'getBatchApiKeyUsageStats',
    'getUserDashboardStats',
    'getDashboardStats',
    'getDashboardStatsWithRange',
    'getAccountUsageStats',
  ],
  soraUsageStats: ['list'],
};

/** Gives the repositories the right that the options ask for. @throws InvalidInputError for a word that is none. */
export function withReads(
  repositories: GatewayRepositories,
  { reads = 'primary' }: ReadOptions,
): GatewayRepositories {
  if (reads !== 'primary' && reads !== 'replica')
    throw new InvalidInputError('reads', 'be "primary" or "replica"');
  if (reads === 'primary') return repositories;
  for (const [name, methods] of Object.entries(MAY_BE_LATE))
    mayReadReplica(repositories[name as 'users'], methods as []);
  return repositories;
}
