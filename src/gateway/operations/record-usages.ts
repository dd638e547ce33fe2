import { randomUUID } from 'node:crypto';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { arrayLiteral, type DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { type StoredUsage, storedUsage } from '../usage/stored-usage.ts';
import { USAGE_COLUMNS } from '../usage/usage-columns.ts';
import { checkedUsage } from '../usage/usage-input.ts';
import {
  runUsageStatement,
  type UsageLogsOptions,
  type UsageStatements,
  usageStatements,
} from '../usage/usage-logs-form.ts';
import type { NewUsage, RecordedInBatch } from '../usage/usage-record.ts';

/** Callers send batches of a few hundred; a longer one would hold its row locks for too long. */
const MOST = 1000;

type Row = StoredUsage & { readonly request_id: string; readonly api_key_id: string };

const REQUEST_ID = USAGE_COLUMNS.findIndex(({ property }) => property === 'requestId');
const API_KEY_ID = USAGE_COLUMNS.findIndex(({ property }) => property === 'apiKeyId');

/**
 * As `recordUsage`, for up to 1,000 requests in one statement: all of them are stored and charged, or none. The answers are
 * in the order of the input; of a request that occurs twice in it, or was stored before, the first call counts.
 *
 * @throws InvalidInputError VALIDATION, with the position of the usage in `field`; NotFoundError when a row that a log names
 *   was never there. Nothing is stored then: record them one by one to find out which.
 */
export async function recordUsages(
  em: DataEntityManager,
  usages: readonly NewUsage[],
  options: UsageLogsOptions = {},
): Promise<RecordedInBatch[]> {
  const statements = usageStatements(options);
  if (!Array.isArray(usages) || usages.length > MOST)
    throw new InvalidInputError('usages', `be a list of at most ${MOST}`);
  if (usages.length === 0) return [];
  // Not by map, which passes over the holes of a list.
  const rows = Array.from(usages, (usage, index) => checkedUsage(usage, `usages[${index}].`));
  for (const row of rows) row[REQUEST_ID] ??= randomUUID();
  const keys = rows.map((row) => keyOf(row[API_KEY_ID], row[REQUEST_ID]));
  const columns = USAGE_COLUMNS.map((_, index) => arrayLiteral(rows.map((row) => row[index] ?? null)));
  const insert = async (): Promise<Row[]> => runUsageStatement<Row>(em, statements.recordUsages, columns);
  const inserted = byRequest(await retryStatement(em, insert));
  const missing = rows.filter((_, index) => !inserted.has(keys[index] as string));
  const stored = byRequest(missing.length > 0 ? await readStored(em, statements, missing) : []);
  return rows.map((row, index) => {
    const requestId = row[REQUEST_ID] as string;
    const key = keys[index] as string;
    const fresh = inserted.get(key);
    // The second of two in one batch finds what the first one has stored.
    if (fresh) inserted.delete(key);
    if (fresh) stored.set(key, fresh);
    return { ...storedUsage(stored.get(key)), requestId, inserted: fresh !== undefined };
  });
}

async function readStored(
  em: DataEntityManager,
  { storedUsages }: UsageStatements,
  rows: readonly unknown[][],
): Promise<Row[]> {
  const values = [rows.map((row) => row[REQUEST_ID]), rows.map((row) => row[API_KEY_ID])];
  return runUsageStatement<Row>(em, storedUsages, values);
}

function byRequest(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [keyOf(row.api_key_id, row.request_id), row]));
}

/** An id has no space, so no two requests have one key. */
function keyOf(apiKeyId: unknown, requestId: unknown): string {
  return `${String(apiKeyId)} ${String(requestId)}`;
}
