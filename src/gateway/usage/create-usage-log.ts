import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { ofGiven } from './given-columns.ts';
import { type StoredUsage, storedUsage } from './stored-usage.ts';
import { USAGE_COLUMNS } from './usage-columns.ts';
import { checkedUsage } from './usage-input.ts';
import { runUsageStatement, type UsageStatements } from './usage-logs-form.ts';
import type { NewUsage } from './usage-record.ts';

/** The log of a request; not inserted: it was there before. */
export interface CreatedUsageLog {
  readonly inserted: boolean;
  readonly id: Id;
  readonly createdAt: Date;
}

const REQUEST_ID = USAGE_COLUMNS.findIndex(({ property }) => property === 'requestId');

/** Stores a log in the transaction of the entity manager; one without a request id is always new. */
export async function createUsageLog(
  em: DataEntityManager,
  usage: NewUsage,
  { insertLog, storedUsage: findStored }: UsageStatements,
): Promise<CreatedUsageLog> {
  const values = checkedUsage(usage);
  const own = ofGiven(insertLog, values);
  const [created] = await runUsageStatement<StoredUsage>(em, own.statement, own.values);
  const request = [values[REQUEST_ID], usage.apiKeyId];
  const row = created ?? (await runUsageStatement<StoredUsage>(em, findStored, request))[0];
  const { id, createdAt } = storedUsage(row);
  return { inserted: created !== undefined, id, createdAt };
}
