import { InvalidInputError, isDataError, RuleError } from '../../kit/errors/index.ts';
import { checkGiven } from '../../kit/input/index.ts';
import { type DataEntityManager, type PreparedStatement, runPrepared } from '../../kit/orm/index.ts';
import { gatewayRules } from '../rules.ts';
import {
  INSERT_LOG,
  INSERT_LOG_BY_MONTH,
  RECORD_USAGE,
  RECORD_USAGE_BY_MONTH,
  STORED_USAGE,
  STORED_USAGE_BY_MONTH,
} from './record-usage-statement.ts';
import {
  RECORD_USAGES,
  RECORD_USAGES_BY_MONTH,
  STORED_USAGES,
  STORED_USAGES_BY_MONTH,
} from './record-usages-statement.ts';
import type { BillingType } from './usage-record.ts';

/** What `usage_logs` is in this installation. */
export interface UsageLogsOptions {
  /**
   * `monthly-partitions` where the migrations of `gatewayUsagePartitions` are applied; it works from the first of them on.
   * Every call that writes logs needs it then, `recordUsage` and `recordUsages` too. Default `one-table`.
   */
  readonly usageLogs?: 'one-table' | 'monthly-partitions';
}

/** What writes logs and finds them by their request. */
export interface UsageStatements {
  readonly insertLog: PreparedStatement;
  readonly recordUsage: Readonly<Record<BillingType, PreparedStatement>>;
  readonly storedUsage: PreparedStatement;
  readonly recordUsages: PreparedStatement;
  readonly storedUsages: PreparedStatement;
}

const FORMS: Readonly<Record<string, UsageStatements>> = {
  'one-table': {
    insertLog: INSERT_LOG,
    recordUsage: RECORD_USAGE,
    storedUsage: STORED_USAGE,
    recordUsages: RECORD_USAGES,
    storedUsages: STORED_USAGES,
  },
  'monthly-partitions': {
    insertLog: INSERT_LOG_BY_MONTH,
    recordUsage: RECORD_USAGE_BY_MONTH,
    storedUsage: STORED_USAGE_BY_MONTH,
    recordUsages: RECORD_USAGES_BY_MONTH,
    storedUsages: STORED_USAGES_BY_MONTH,
  },
};

/** The statements of the form. @throws InvalidInputError for a word that is none. */
export function usageStatements(options: UsageLogsOptions): UsageStatements {
  const { usageLogs = 'one-table' } = checkGiven('options', options);
  const form = Object.hasOwn(FORMS, usageLogs) ? FORMS[usageLogs] : undefined;
  if (form) return form;
  throw new InvalidInputError('usageLogs', 'be "one-table" or "monthly-partitions"');
}

/** @throws RuleError USAGE_LOGS_DIVIDED, USAGE_LOGS_NOT_DIVIDED: the database has the other form. Nothing is stored then. */
export function runUsageStatement<Row extends object>(
  em: DataEntityManager,
  statement: PreparedStatement,
  values: readonly unknown[],
): Promise<Row[]> {
  return runPrepared<Row>(em, statement, values).catch(asOtherForm);
}

/**
 * 42P10 is an arbiter that no unique fits, and 42P01 a table that is not there: only the unique of the one form and the claims
 * of the other may be missing. The unique is violated where a log has no claim yet.
 */
function asOtherForm(error: unknown): never {
  if (!isDataError(error)) throw error;
  const { sqlState, constraint } = error;
  const isUnclaimed = sqlState === '23505' && constraint === 'idx_usage_logs_request_id_api_key_unique';
  const rule =
    sqlState === '42P10'
      ? gatewayRules.USAGE_LOGS_DIVIDED
      : sqlState === '42P01' || isUnclaimed
        ? gatewayRules.USAGE_LOGS_NOT_DIVIDED
        : undefined;
  throw rule ? Object.assign(new RuleError(rule), { cause: error.cause }) : error;
}
