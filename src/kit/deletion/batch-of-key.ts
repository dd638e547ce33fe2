import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import type { DataEntityManager } from '../orm/index.ts';
import type { BatchId } from './batch-id.ts';
import { graphOf, runOf } from './graph-of.ts';
import { entryOf } from './journal.ts';
import { journaledTable } from './journaled-table.ts';
import { RestoreError } from './restore-error.ts';

/**
 * The batch that a deleted row was the start of, for who has its key and not the row.
 *
 * @param key as the journal has it: the value as text, or several as a JSON array in the order of the primary key.
 * @throws RestoreError for a row that is not deleted, that fell because of another one, or that the journal does not know.
 */
export async function batchOfKey(
  em: DataEntityManager,
  entity: EntityClass<object>,
  key: string,
): Promise<BatchId> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const table = journaledTable(own, await graphOf(own.getDriver(), run, own.schema), entity);
  const meta = own.getMetadata().get(entity) as EntityMetadata;
  const entry = await entryOf(run, meta, table, key);
  if (!entry) throw RestoreError.notJournaled(meta.className);
  if (entry.cause !== null) throw RestoreError.partOfBatch(meta.className, entry.batch);
  return entry.batch;
}
