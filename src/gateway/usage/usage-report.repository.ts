import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { RuleError } from '../../kit/errors/index.ts';
import { checkId, checkIds, checkInteger, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { gatewayRules } from '../rules.ts';
import { accountUsage, type AccountUsageStats } from './reports/account-usage.ts';
import { accountWindow, type AccountWindowStats } from './reports/account-window.ts';
import { batchTotals, type BatchTotals } from './reports/batch-totals.ts';
import { dashboardStats, type DashboardStats } from './reports/dashboard-stats.ts';
import { type ModelStats, modelStats } from './reports/model-stats.ts';
import {
  type ApiKeyTrendPoint,
  topApiKeysTrend,
  type TopTrend,
  topUsersTrend,
  type UserTrendPoint,
} from './reports/top-trends.ts';
import { type TrendPoint, usageTrend } from './reports/trend.ts';
import {
  type DailyUsageStats,
  dailyStats,
  type UsageStats,
  usageStats,
  usageStatsWithAccountCost,
  userStats,
  type UserStats,
} from './reports/usage-stats.ts';
import { userDashboard, type UserDashboardStats } from './reports/user-dashboard.ts';
import { type Granularity, startOfTodaySql } from './reports/zone-sql.ts';
import {
  allOf,
  closedConditionsOf,
  type ClosedUsageFilters,
  conditionsOf,
  type UsageFilters,
} from './usage-filters.ts';
import { checkInstant, type ClosedRange, type HalfOpenRange, within } from './usage-range.ts';

/**
 * What requests used and cost, added up in SQL. Days and hours are those of the application's zone, whatever the session's
 * is; logs of deleted users, keys and accounts count. Every method joins the transaction of the entity manager.
 */
export class UsageReportRepository {
  readonly #em: DataEntityManager;
  readonly #zone: string;

  static {
    placeReads(this, (own) => own.#em);
  }

  /** @param timeZone as `timeZoneOf` answers it. */
  constructor(em: DataEntityManager, timeZone: string) {
    this.#em = em;
    this.#zone = timeZone;
  }

  async getUserStats(userId: Id, range: HalfOpenRange): Promise<UserStats> {
    return userStats(this.#em, checkId('userId', userId), within(range));
  }

  /** A request without a duration counts in the average as one of 0, here and in the three of keys, accounts and models. */
  async getUserStatsAggregated(userId: Id, range: HalfOpenRange): Promise<UsageStats> {
    return this.#stats(sql`user_id = ${checkId('userId', userId)}::bigint`, range);
  }

  async getApiKeyStatsAggregated(apiKeyId: Id, range: HalfOpenRange): Promise<UsageStats> {
    return this.#stats(sql`api_key_id = ${checkId('apiKeyId', apiKeyId)}::bigint`, range);
  }

  async getAccountStatsAggregated(accountId: Id, range: HalfOpenRange): Promise<UsageStats> {
    return this.#stats(sql`account_id = ${checkId('accountId', accountId)}::bigint`, range);
  }

  async getModelStatsAggregated(model: string, range: HalfOpenRange): Promise<UsageStats> {
    return this.#stats(sql`model = ${checkText('model', model)}::text`, range);
  }

  /** By day ascending, averages as above. */
  async getDailyStatsAggregated(userId: Id, range: HalfOpenRange): Promise<DailyUsageStats[]> {
    const where = sql`user_id = ${checkId('userId', userId)}::bigint and ${within(range)}`;
    return dailyStats(this.#em, where, this.#zone);
  }

  /** A request without a duration does not count in the average. */
  async getGlobalStats(range: ClosedRange): Promise<UsageStats> {
    const { startTime, endTime } = range ?? {};
    const ends = {
      startTime: checkInstant('startTime', startTime),
      endTime: checkInstant('endTime', endTime),
    };
    return usageStats(this.#em, allOf(closedConditionsOf(ends)), 'ofMeasured');
  }

  /** The same; `totalAccountCost`, with fourteen decimals, is there when an account is asked for. */
  async getStatsWithFilters(
    filters: ClosedUsageFilters,
  ): Promise<UsageStats & { readonly totalAccountCost?: string }> {
    const where = allOf(closedConditionsOf(filters));
    return hasId(filters.accountId)
      ? usageStatsWithAccountCost(this.#em, where)
      : usageStats(this.#em, where, 'ofMeasured');
  }

  /** Since midnight of the application's zone. */
  async getAccountTodayStats(accountId: Id): Promise<AccountWindowStats> {
    return accountWindow(this.#em, checkId('accountId', accountId), startOfTodaySql(this.#zone));
  }

  /** Since an instant, without an upper bound. */
  async getAccountWindowStats(accountId: Id, start: Date): Promise<AccountWindowStats> {
    const since = sql`${checkInstant('start', start)}::timestamptz`;
    return accountWindow(this.#em, checkId('accountId', accountId), since);
  }

  /** By date ascending. */
  async getUserUsageTrendByUserId(
    userId: Id,
    range: HalfOpenRange,
    granularity: Granularity,
  ): Promise<TrendPoint[]> {
    const where = sql`user_id = ${checkId('userId', userId)}::bigint and ${within(range)}`;
    return usageTrend(this.#em, where, granularity, this.#zone);
  }

  /** By date ascending. */
  async getUsageTrendWithFilters(
    range: HalfOpenRange,
    granularity: Granularity,
    filters: Omit<UsageFilters, 'billingType'>,
  ): Promise<TrendPoint[]> {
    return usageTrend(this.#em, allOf([within(range), ...conditionsOf(filters)]), granularity, this.#zone);
  }

  /** Of the `limit` users with the most tokens in the range, deleted ones too; by date, then by tokens descending. */
  async getUserUsageTrend(
    range: HalfOpenRange,
    granularity: Granularity,
    limit: number,
  ): Promise<UserTrendPoint[]> {
    return topUsersTrend(this.#em, this.#top(range, granularity, limit));
  }

  /** The same of keys. */
  async getApiKeyUsageTrend(
    range: HalfOpenRange,
    granularity: Granularity,
    limit: number,
  ): Promise<ApiKeyTrendPoint[]> {
    return topApiKeysTrend(this.#em, this.#top(range, granularity, limit));
  }

  /** The model with the most tokens first. */
  async getUserModelStats(userId: Id, range: HalfOpenRange): Promise<ModelStats[]> {
    const where = sql`user_id = ${checkId('userId', userId)}::bigint and ${within(range)}`;
    return modelStats(this.#em, where, 'user');
  }

  /** The same; of an account, without a user and a key, `actualCost` is the account's side. */
  async getModelStatsWithFilters(
    range: HalfOpenRange,
    filters: Omit<UsageFilters, 'billingType' | 'model'>,
  ): Promise<ModelStats[]> {
    const where = allOf([within(range), ...conditionsOf(filters)]);
    const alone = hasId(filters.accountId) && !hasId(filters.userId) && !hasId(filters.apiKeyId);
    return modelStats(this.#em, where, alone ? 'account' : 'user');
  }

  /** Every id is in the answer; one statement, or none for no ids. */
  async getBatchUserUsageStats(ids: readonly Id[]): Promise<Map<Id, BatchTotals>> {
    return batchTotals(this.#em, 'user_id', checkIds('ids', ids), this.#zone);
  }

  /** Every id is in the answer; one statement, or none for no ids. */
  async getBatchApiKeyUsageStats(ids: readonly Id[]): Promise<Map<Id, BatchTotals>> {
    return batchTotals(this.#em, 'api_key_id', checkIds('ids', ids), this.#zone);
  }

  /** Three statements. */
  async getUserDashboardStats(userId: Id): Promise<UserDashboardStats> {
    return userDashboard(this.#em, checkId('userId', userId), this.#zone);
  }

  /** Totals and today are as fresh as `aggregatedUntil` says. Three statements. */
  async getDashboardStats(): Promise<DashboardStats> {
    return dashboardStats(this.#em, this.#zone);
  }

  /** The same with totals from the logs of the range, in one statement more. @throws RuleError INVALID_TIME_RANGE. */
  async getDashboardStatsWithRange(range: HalfOpenRange): Promise<DashboardStats> {
    const condition = within(range);
    if (range.end <= range.start) throw new RuleError(gatewayRules.INVALID_TIME_RANGE);
    return dashboardStats(this.#em, this.#zone, condition);
  }

  /** History per day, what it comes to, and models, all of the same logs. One statement. */
  async getAccountUsageStats(accountId: Id, range: HalfOpenRange): Promise<AccountUsageStats> {
    return accountUsage(this.#em, checkId('accountId', accountId), range, this.#zone);
  }

  async #stats(key: RawQueryFragment, range: HalfOpenRange): Promise<UsageStats> {
    return usageStats(this.#em, sql`${key} and ${within(range)}`, 'ofAll');
  }

  #top(range: HalfOpenRange, granularity: Granularity, limit: number): TopTrend {
    return {
      range: within(range),
      granularity,
      zone: this.#zone,
      limit: checkInteger('limit', limit, 1, 1000),
    };
  }
}

function hasId(id: Id | null | undefined): boolean {
  return checkOptionalId('id', id) !== undefined;
}
