import { randomUUID } from 'node:crypto';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { type StoredUsage, storedUsage } from '../usage/stored-usage.ts';
import { USAGE_COLUMNS } from '../usage/usage-columns.ts';
import { checkedUsage } from '../usage/usage-input.ts';
import { runUsageStatement, type UsageLogsOptions, usageStatements } from '../usage/usage-logs-form.ts';
import type { NewUsage, RecordedUsage } from '../usage/usage-record.ts';

interface Row extends StoredUsage {
  readonly balance?: string | null;
  readonly daily_usage_usd?: string | null;
  readonly weekly_usage_usd?: string | null;
  readonly monthly_usage_usd?: string | null;
}

const REQUEST_ID = USAGE_COLUMNS.findIndex(({ property }) => property === 'requestId');
const BILLING_TYPE = USAGE_COLUMNS.findIndex(({ property }) => property === 'billingType');

/**
 * Stores the log of a request, charges for it and writes the ledger, all or nothing, in one statement.
 *
 * The subscription is charged the list price, the balance the multiplied one; a user or a subscription that is deleted is
 * not charged, and the ledger says so. A request is charged once, however often it is recorded: after an error, call again
 * with the same `requestId`. Without one a new id is made for this call, so give one where calls may be repeated.
 *
 * @throws InvalidInputError VALIDATION; NotFoundError when a row that the log names was never there; RuleError when the
 *   database has the other form of `usageLogs`. Nothing is stored then.
 */
export async function recordUsage(
  em: DataEntityManager,
  usage: NewUsage,
  options: UsageLogsOptions = {},
): Promise<RecordedUsage> {
  const statements = usageStatements(options);
  const values = checkedUsage(usage);
  const requestId = (values[REQUEST_ID] ??= randomUUID()) as string;
  const statement = statements.recordUsage[values[BILLING_TYPE] === 1 ? 1 : 0];
  // A cascade that deletes the group holds it and waits for the subscription; this holds the subscription and waits for it.
  const insert = async (): Promise<Row[]> => runUsageStatement<Row>(em, statement, values);
  const [row] = await retryStatement(em, insert);
  if (row) return recorded(row, requestId, true);
  // Committed before our insert gave way to it, and so visible to this statement.
  const [stored] = await runUsageStatement<Row>(em, statements.storedUsage, [requestId, usage.apiKeyId]);
  return recorded(stored, requestId, false);
}

function recorded(row: Row | undefined, requestId: string, inserted: boolean): RecordedUsage {
  const { daily_usage_usd: daily, weekly_usage_usd: weekly, monthly_usage_usd: monthly } = row ?? {};
  return {
    ...storedUsage(row),
    requestId,
    inserted,
    balance: row?.balance ?? null,
    usage:
      daily && weekly && monthly
        ? { dailyUsageUsd: daily, weeklyUsageUsd: weekly, monthlyUsageUsd: monthly }
        : null,
  };
}
