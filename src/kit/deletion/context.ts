import { AsyncLocalStorage } from 'node:async_hooks';
import type { BatchId } from './batch-id.ts';

/** Who deletes, why, and for whom; it is stored with each batch. Keep personal data out: the journal is not erased by itself. */
export interface DeletionFacts {
  readonly actor?: string;
  readonly reason?: string;
  /** Whose rows they are, for a retention that differs from tenant to tenant. */
  readonly tenant?: string;
}

/** What the work of {@link withDeletionContext} can ask. */
export interface DeletionContext extends DeletionFacts {
  /** The batches that the work has made so far, also those of a transaction that may still be rolled back. */
  readonly batches: readonly BatchId[];
}

interface OwnContext extends DeletionContext {
  readonly outer: OwnContext | undefined;
  readonly batches: BatchId[];
}

const storage = new AsyncLocalStorage<OwnContext>();

/**
 * Runs `work`, whose deletions and restores are journaled with these facts, in flushes and repositories too. An inner
 * context takes over what it does not state.
 *
 * @example
 * ```ts
 * await withDeletionContext({ actor: 'user:7', reason: 'left the team' }, async () => {
 *   em.remove(account);
 *   await em.flush();
 * });
 * ```
 */
export async function withDeletionContext<T>(
  facts: DeletionFacts,
  work: (context: DeletionContext) => Promise<T>,
): Promise<T> {
  const outer = storage.getStore();
  const stated = Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined));
  const context: OwnContext = { ...outer, ...stated, outer, batches: [] };
  return storage.run(context, () => work(context));
}

/** What is to be stored with a batch that begins now. */
export function currentFacts(): DeletionFacts {
  const { actor, reason, tenant } = storage.getStore() ?? {};
  return { actor, reason, tenant };
}

/** Identity of the context: deletions of two contexts in one transaction are two batches. */
export function currentContext(): object | undefined {
  return storage.getStore();
}

/** Tells the context, and those around it, of a batch that rows have fallen in. */
export function noteBatch(batch: BatchId): void {
  for (let context = storage.getStore(); context; context = context.outer) {
    // Most likely the last one, where there are thousands.
    if (context.batches.lastIndexOf(batch) === -1) context.batches.push(batch);
  }
}
