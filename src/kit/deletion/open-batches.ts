import { randomUUID } from 'node:crypto';
import type { BatchId } from './batch-id.ts';
import { currentContext } from './context.ts';
import type { OpenBatch } from './delete-tree.ts';

const NO_CONTEXT = {};

/** By transaction and context. A savepoint that is rolled back takes the batch's row along, and the next deletion writes it anew. */
const open = new WeakMap<object, Map<object, OpenBatch>>();

/** The batch of the deletions that the transaction makes in the calling context. */
export function openBatch(transaction: object): OpenBatch {
  const batches = open.get(transaction) ?? new Map<object, OpenBatch>();
  open.set(transaction, batches);
  const context = currentContext() ?? NO_CONTEXT;
  const batch = batches.get(context) ?? { id: randomUUID() as string as BatchId, step: 0 };
  batches.set(context, batch);
  return batch;
}

const turns = new WeakMap<OpenBatch, Promise<unknown>>();

/** One deletion of a batch after the other: its steps are numbered, and a level is found by the number of the one before. */
export function inTurn<T>(batch: OpenBatch, work: () => Promise<T>): Promise<T> {
  const before = turns.get(batch);
  const own = before ? before.then(work) : work();
  const ended = own.then(
    () => undefined,
    () => undefined,
  );
  turns.set(batch, ended);
  return own;
}
