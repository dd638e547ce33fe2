import type { BatchId } from '../batch-id.ts';

/** Rows of one table, all of their keys in the form of the journal. */
export interface ErasedRows {
  readonly table: string;
  readonly rows: number;
  readonly keys: readonly string[];
}

/** What a journal entry knew of erased rows, by batch. */
export interface ErasedEntries {
  readonly batch: BatchId;
  readonly kind: 'fell' | 'unlinked' | 'removed';
  readonly table: string;
  /** How many rows of the entry are about erased ones; their keys stay, so that a restore tells that they are gone. */
  readonly rows: number;
  /** How many of these had an image: a whole row, or what an unlinked row referred to. None is left. */
  readonly images: number;
}

/** What was erased, from where, when, by whom and why. It holds no value of a row but keys. */
export interface ErasureProof {
  readonly id: string;
  readonly entity: string;
  readonly table: string;
  readonly key: string;
  readonly mode: 'remove' | 'scrub';
  /** The clock of the database at the start of the transaction that erased; as text, since a Date has no microseconds. */
  readonly erasedAt: string;
  /** The transaction's number, as a log or a replica names it. */
  readonly transaction: string;
  readonly actor: string | null;
  readonly reason: string;
  readonly tenant: string | null;
  /** Whether the row was live; one that is removed was then deleted by its policies first. */
  readonly wasLive: boolean;
  /** The batch of that deletion. */
  readonly batch: BatchId | null;
  /** The rows that are gone, by table. */
  readonly removed: readonly ErasedRows[];
  /** The foreign keys along which they were found, with their number. */
  readonly edges: readonly { readonly constraint: string; readonly table: string; readonly rows: number }[];
  /** The rows that have lost their reference to a row that is gone. */
  readonly unlinked: readonly (ErasedRows & { readonly constraint: string })[];
  /** The columns that were overwritten in the row. */
  readonly scrubbed: readonly string[];
  readonly journal: readonly ErasedEntries[];
}
