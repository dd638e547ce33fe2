/** A batch of a back-fill is done and committed. */
export interface BackfillEvent {
  readonly type: 'backfill';
  readonly name: string;
  /** Of the file, counted from 1. */
  readonly statement: number;
  /** Counted from 1; more than one where a verification found rows missing. */
  readonly pass: number;
  /** Keys of this pass that are done, those of earlier runs included. */
  readonly rows: number;
  /** Keys that this pass will meet, roughly; undefined where nothing tells. */
  readonly estimate: number | undefined;
  /** Rows written in all passes. */
  readonly written: number;
  readonly batches: number;
  readonly rowsPerSecond: number;
  readonly remainingMs: number | undefined;
}
