import { type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Amount, Id } from '../../../kit/columns/index.ts';
import type { DataEntityManager } from '../../../kit/orm/index.ts';
import { type HalfOpenRange, within } from '../usage-range.ts';
import { measures, withCounts } from './measures.ts';
import type { ModelStats } from './model-stats.ts';
import { labelSql, todaySql } from './zone-sql.ts';

/** One day of the application's zone on which the account served a request. */
export interface AccountDay {
  readonly date: string;
  /** `MM/DD` */
  readonly label: string;
  readonly requests: number;
  /** Input, output and both of the cache. */
  readonly tokens: number;
  /** The list price. */
  readonly cost: Amount;
  /** The account's side, with fourteen decimals. */
  readonly actualCost: Amount;
  /** What users pay. */
  readonly userCost: Amount;
}

/** The days of the range together. Averages are over the days that have a request, rounded to the decimals of their sums. */
export interface AccountSummary {
  /** Of the range; 30 of one that ends before it starts. */
  readonly days: number;
  /** With a request; at least 1. */
  readonly actualDaysUsed: number;
  readonly totalRequests: number;
  readonly totalTokens: number;
  /** The account's side. */
  readonly totalCost: Amount;
  readonly totalStandardCost: Amount;
  readonly totalUserCost: Amount;
  readonly avgDailyRequests: number;
  readonly avgDailyTokens: number;
  readonly avgDailyCost: Amount;
  readonly avgDailyUserCost: Amount;
  /** Of the requests that have a duration. */
  readonly avgDurationMs: number;
  /** Null when there was no request today, or today is not in the range. */
  readonly today: AccountDay | null;
  /** By the account's side; the earliest of equal ones. */
  readonly highestCostDay: AccountDay | null;
  /** The earliest of equal ones. */
  readonly highestRequestDay: AccountDay | null;
}

export interface AccountUsageStats {
  readonly history: readonly AccountDay[];
  readonly summary: AccountSummary;
  /** `actualCost` is the account's side. */
  readonly models: readonly ModelStats[];
}

/** One statement over the rows, each of which is read once: so days, summary and models are of the same rows. */
export async function accountUsage(
  em: DataEntityManager,
  accountId: Id,
  range: HalfOpenRange,
  zone: string,
): Promise<AccountUsageStats> {
  const where = sql`account_id = ${accountId}::bigint and ${within(range)}`;
  const rows = await em.execute<Row[]>(reportSql(where, zone));
  const days = rows.filter((row) => row.model === null);
  const marked = (name: keyof Marks): AccountDay | null => {
    const row = days.find((day) => day[name]);
    return row ? dayOf(row) : null;
  };
  const summary = {
    days: daysOf(range),
    ...(rows[0] ? totalsOf(rows[0]) : NOTHING),
    today: marked('isToday'),
    highestCostDay: marked('isCostliest'),
    highestRequestDay: marked('isBusiest'),
  };
  return { history: days.map(dayOf), summary, models: rows.flatMap(modelsOf) };
}

type Totals = Omit<AccountSummary, 'days' | 'today' | 'highestCostDay' | 'highestRequestDay'>;

interface Marks {
  readonly isToday: boolean;
  readonly isCostliest: boolean;
  readonly isBusiest: boolean;
}

/** A day with its marks, or a model, without a date; with the totals, which are the same on every row. */
type Row = AccountDay &
  Marks &
  Totals &
  Pick<ModelStats, 'inputTokens' | 'outputTokens'> & { readonly model: string | null };

const NOTHING: Totals = {
  actualDaysUsed: 1,
  totalRequests: 0,
  totalTokens: 0,
  totalCost: '0.00000000000000',
  totalStandardCost: '0.0000000000',
  totalUserCost: '0.0000000000',
  avgDailyRequests: 0,
  avgDailyTokens: 0,
  avgDailyCost: '0.00000000000000',
  avgDailyUserCost: '0.0000000000',
  avgDurationMs: 0,
};

const reportSql = (
  where: RawQueryFragment,
  zone: string,
): RawQueryFragment => sql`with parts as materialized (
    select ${labelSql('day', zone)} as date, model, ${measures.requests} as requests, ${measures.allTokens} as tokens,
      ${measures.inputTokens} as "inputTokens", ${measures.outputTokens} as "outputTokens", ${measures.listCost} as cost,
      ${measures.accountCost} as account_cost, ${measures.userCost} as user_cost,
      sum(duration_ms) as duration, count(duration_ms) as measured
    from usage_logs where ${where} group by grouping sets ((1), (2))
  ), totals as (
    select count(*) as "actualDaysUsed", sum(requests) as "totalRequests", sum(tokens) as "totalTokens",
      sum(account_cost) as "totalCost", sum(cost) as "totalStandardCost", sum(user_cost) as "totalUserCost",
      avg(requests)::float8 as "avgDailyRequests", avg(tokens)::float8 as "avgDailyTokens",
      round(avg(account_cost), 14) as "avgDailyCost", round(avg(user_cost), 10) as "avgDailyUserCost",
      coalesce(sum(duration) / nullif(sum(measured), 0), 0)::float8 as "avgDurationMs"
    from parts where model is null
  )
  select date, replace(substr(date, 6), '-', '/') as label, model, requests, tokens, "inputTokens", "outputTokens", cost,
    account_cost as "actualCost", user_cost as "userCost", date = ${todaySql(zone)}::text as "isToday",
    row_number() over (partition by model is null order by account_cost desc, date) = 1 as "isCostliest",
    row_number() over (partition by model is null order by requests desc, date) = 1 as "isBusiest", totals.*
  from parts cross join totals order by date, tokens desc, model collate "C"`;

/** The model of a row that is one. */
function modelsOf(row: Row): ModelStats[] {
  const { model, requests, inputTokens, outputTokens, tokens: totalTokens, cost, actualCost } = row;
  if (model === null) return [];
  const one = { model, requests, inputTokens, outputTokens, totalTokens, cost, actualCost };
  return [withCounts(one, ['requests', 'inputTokens', 'outputTokens', 'totalTokens'])];
}

function dayOf({ date, label, requests, tokens, cost, actualCost, userCost }: AccountDay): AccountDay {
  return withCounts({ date, label, requests, tokens, cost, actualCost, userCost }, ['requests', 'tokens']);
}

function totalsOf(row: Row): Totals {
  const { actualDaysUsed, totalRequests, totalTokens, totalCost, totalStandardCost, totalUserCost } = row;
  const { avgDailyRequests, avgDailyTokens, avgDailyCost, avgDailyUserCost, avgDurationMs } = row;
  return {
    ...withCounts({ actualDaysUsed, totalRequests, totalTokens }, [
      'actualDaysUsed',
      'totalRequests',
      'totalTokens',
    ]),
    totalCost,
    totalStandardCost,
    totalUserCost,
    avgDailyRequests,
    avgDailyTokens,
    avgDailyCost,
    avgDailyUserCost,
    avgDurationMs,
  };
}

const DAY_MS = 24 * 60 * 60 * 1000;

function daysOf({ start, end }: HalfOpenRange): number {
  const days = Math.floor((end.getTime() - start.getTime()) / DAY_MS) + 1;
  return days <= 0 ? 30 : days;
}
