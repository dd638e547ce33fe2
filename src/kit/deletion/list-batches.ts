import type { EntityClass } from '@mikro-orm/core';
import { InvalidInputError } from '../errors/index.ts';
import type { DataEntityManager } from '../orm/index.ts';
import type { BatchId } from './batch-id.ts';
import { type BatchSummary, summariesOf } from './batch-summary.ts';
import type { DeletionGraph } from './graph.ts';
import { graphOf, runOf } from './graph-of.ts';
import { readBatch } from './journal.ts';
import { journaledTable } from './journaled-table.ts';
import { pageLimit } from './page-limit.ts';
import { statement, type Values } from './statement.ts';

/** Which batches are asked for; what is left out does not matter. */
export interface BatchFilter {
  /** Batches in which rows of the class fell, by themselves or because of others; of a hierarchy, rows of all its classes. */
  readonly entity?: EntityClass<object>;
  readonly actor?: string;
  /** Deleted at this instant or later. */
  readonly since?: Date;
  /** Default 20, at most 1000. */
  readonly limit?: number;
  /** The last batch of the page before. */
  readonly after?: BatchId;
}

/** A page of batches. */
export interface BatchPage {
  readonly batches: readonly BatchSummary[];
  /** `after` of the next page; undefined when this is the last one. */
  readonly next: BatchId | undefined;
}

/**
 * Lists what was deleted, newest first, and what a restore would find of it. It looks at each row of the batches of the page.
 *
 * @throws RestoreError when the batch of `after` is not in the journal.
 * @throws DeletionError for an entity without a journal, and where policies and database contradict each other.
 */
export async function listBatches(em: DataEntityManager, filter: BatchFilter = {}): Promise<BatchPage> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const graph = await graphOf(own.getDriver(), run, own.schema);
  const limit = pageLimit(filter.limit);
  const { conditions, values } = conditionsOf(own, graph, filter);
  if (filter.after !== undefined) await readBatch(run, filter.after, false);
  const { sql, params } = statement(
    `select b.id from deletion_batches b where ${['true', ...conditions].join(' and ')}
     order by b.deleted_at desc, b.id desc limit $limit`,
    // One more than asked for tells whether there is another page.
    { ...values, limit: limit + 1 },
  );
  const found = (await run<{ id: BatchId }>(sql, params)).map(({ id }) => id);
  const page = found.slice(0, limit);
  return {
    batches: await summariesOf(run, graph, page),
    next: found.length > limit ? page.at(-1) : undefined,
  };
}

function conditionsOf(
  em: DataEntityManager,
  graph: DeletionGraph,
  { entity, actor, since, after }: BatchFilter,
): { conditions: readonly string[]; values: Values } {
  if (since !== undefined && Number.isNaN(since.getTime()))
    throw new InvalidInputError('since', 'be a valid Date');
  const table = entity && journaledTable(em, graph, entity).name;
  const asked = {
    entity: `exists (select from deletion_entries e where e.batch_id = b.id and e.kind = 'fell' and e.table_name = $table)`,
    actor: 'b.actor = $actor',
    since: 'b.deleted_at >= $since::timestamptz',
    after: '(b.deleted_at, b.id) < (select a.deleted_at, a.id from deletion_batches a where a.id = $after)',
  };
  const values = { table, actor, since: since?.toISOString(), after };
  const names = Object.entries({ entity, actor, since, after }).flatMap(([name, value]) =>
    value === undefined ? [] : [name as keyof typeof asked],
  );
  return { conditions: names.map((name) => asked[name]), values };
}
