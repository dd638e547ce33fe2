import type { BatchId } from './batch-id.ts';

/** Rows of one table, or of one foreign key. */
export interface RowsOf {
  readonly table: string;
  readonly rows: number;
  /** Primary keys as text, the first ten. */
  readonly keys: readonly string[];
}

/** Rows of a batch that are not as it left them: removed for good, live again, deleted again since, or of a table unknown here. */
export interface ChangedRows extends RowsOf {
  readonly state: 'gone' | 'live' | 'moved' | 'unknown';
}

/** Rows, and the constraint by which they stand in the way. */
export interface RowsByConstraint extends RowsOf {
  readonly constraint: string;
}

/** What a restore would do, and what stands in its way. */
export interface RestorePreview {
  readonly batch: BatchId;
  /** Whether a restore would succeed now. */
  readonly restorable: boolean;
  /** Rows that would be live again, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Links that would be made again, by foreign key: the row is there, the column still null, and the target lives. */
  readonly relinks: Readonly<Record<string, number>>;
  /** Removed rows that would be inserted again, by table. */
  readonly reinserts: Readonly<Record<string, number>>;
  readonly changed: readonly ChangedRows[];
  /** Unique and exclusion constraints of live rows, and the deleted rows whose values a live row has taken. */
  readonly liveTwins: readonly RowsByConstraint[];
  /** Dead rows outside of the batch that rows of it need. */
  readonly deadAncestors: readonly RowsByConstraint[];
  /**
   * Unlinked rows that stay as they are: they are gone, linked to something else by now, or their target is gone or is referred to by
   * another value; and removed rows that are not inserted again, because what they refer to is gone. By the foreign key of the batch.
   */
  readonly vanishedTargets: readonly RowsByConstraint[];
}
