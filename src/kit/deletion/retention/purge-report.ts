/** Dead rows that are due and stay because rows refer to them that stay. */
export interface PurgeBlocker {
  /** The foreign key by which they are referred to. */
  readonly constraint: string;
  /** The table whose rows refer to them. */
  readonly table: string;
  /** The table of the rows that stay. */
  readonly of: string;
  readonly rows: number;
  /** Primary keys of the rows that stay, as text, the first ten. */
  readonly keys: readonly string[];
}

/** Dead rows that are due and held, by themselves or with the row that they are part of. */
export interface HeldRows {
  readonly table: string;
  readonly rows: number;
  readonly keys: readonly string[];
}

/** What may go and what stays. */
export interface PurgeFindings {
  /** Rows by table. */
  readonly purged: Readonly<Record<string, number>>;
  /** Rows that go with those that they refer to, by foreign key. */
  readonly links: Readonly<Record<string, number>>;
  readonly held: readonly HeldRows[];
  readonly blocked: readonly PurgeBlocker[];
}

/** What a purge has done, or would do. */
export interface PurgeReport extends PurgeFindings {
  readonly dryRun: boolean;
  /** False when `signal` has stopped it; the next purge goes on. */
  readonly completed: boolean;
  /** Transactions that have removed rows. */
  readonly batches: number;
  /** Batches of the journal whose last rows are gone, and that keep nothing but who, when and why. */
  readonly prunedBatches: number;
}
