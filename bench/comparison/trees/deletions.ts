import type { Library } from '../library.ts';

/** What fell together: by its journal, or by whose it was and the instant that stands in each row. */
export interface Fallen {
  readonly owner: string;
  readonly batch: string;
  /** As text, since a Date has no microseconds. */
  readonly deletedAt: string;
}

export interface Purge {
  /** For how long a row must have been dead. */
  readonly days: number;
  /** Rows that are removed before a commit. */
  readonly batch: number;
}

const DELETIONS = ['cascade', 'cascade-small', 'restore', 'restore-small', 'purge'] as const;

/** What is measured of deletions, beside that of a single row. */
export type DeletionName = (typeof DELETIONS)[number];

export const isDeletion = (name: string): name is DeletionName =>
  (DELETIONS as readonly string[]).includes(name);

/** How a library deletes: the same way for many rows as for few. */
interface Ways {
  readonly cascade?: (owner: string) => PromiseLike<unknown>;
  readonly restore?: (fallen: Fallen) => PromiseLike<unknown>;
  readonly purge?: (purge: Purge) => PromiseLike<unknown>;
}

export const deletionWays = ({ cascade, restore, purge }: Ways): Pick<Library['ways'], DeletionName> => ({
  ...(cascade && { cascade, 'cascade-small': cascade }),
  ...(restore && { restore, 'restore-small': restore }),
  ...(purge && { purge }),
});

/** For libraries that know neither cascades of marks nor restoring nor purging. */
export const ALL_BY_HAND: readonly DeletionName[] = DELETIONS;

/** Removes batch after batch with `one`, which answers how many rows it has removed, until one is not full. */
export async function inBatches(size: number, one: () => PromiseLike<number>): Promise<void> {
  while ((await one()) === size);
}
