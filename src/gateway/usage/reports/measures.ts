import { raw } from '@mikro-orm/core';
import { RuleError } from '../../../kit/errors/index.ts';
import { gatewayRules } from '../../rules.ts';

// A sum of integers is wide enough for any table; a sum within one row is not, unless its first number is widened.
const sumOf = (what: string): string => `coalesce(sum(${what}), 0)`;

/** Sums over the logs of a group, as SQL. Sums of amounts have all decimals of their factors, so nothing is rounded. */
export const measures = {
  requests: raw('count(*)'),
  inputTokens: raw(sumOf('input_tokens')),
  outputTokens: raw(sumOf('output_tokens')),
  cacheCreationTokens: raw(sumOf('cache_creation_tokens')),
  cacheReadTokens: raw(sumOf('cache_read_tokens')),
  /** Written to the cache and read from it. */
  cacheTokens: raw(sumOf('cache_creation_tokens::bigint + cache_read_tokens')),
  /** Input, output and both of the cache. */
  allTokens: raw(sumOf('input_tokens::bigint + output_tokens + cache_creation_tokens + cache_read_tokens')),
  /** The list price, ten decimals. */
  listCost: raw(`round(${sumOf('total_cost')}, 10)`),
  /** What users pay, ten decimals. */
  userCost: raw(`round(${sumOf('actual_cost')}, 10)`),
  /** The account's side, fourteen decimals: ten of the cost and four of the multiplier. */
  accountCost: raw(`round(${sumOf('total_cost * coalesce(account_rate_multiplier, 1)')}, 14)`),
  /** In milliseconds; a request without a duration counts as one of 0. */
  averageOfAll: raw('coalesce(avg(coalesce(duration_ms, 0)), 0)::float8'),
  /** In milliseconds; a request without a duration does not count. */
  averageOfMeasured: raw('coalesce(avg(duration_ms), 0)::float8'),
} as const;

/** The row with the named sums, which cross the driver as text, as numbers. @throws RuleError SUM_TOO_LARGE above 2^53. */
export function withCounts<Row extends object, K extends keyof Row>(
  row: Row,
  names: readonly K[],
): Omit<Row, K> & Record<K, number> {
  const counts = Object.fromEntries(names.map((name) => [name, exactNumber(row[name])]));
  return { ...row, ...(counts as Record<K, number>) };
}

function exactNumber(text: unknown): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new RuleError(gatewayRules.SUM_TOO_LARGE);
}
