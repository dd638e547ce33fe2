import { DatabaseError } from 'pg';
import { type Execution, withRetries } from '../execution.ts';
import { failure } from '../failure.ts';
import type { MigrationFile } from '../files.ts';
import type { Statement } from '../parsed-migration.ts';
import type { Step } from '../step.ts';
import type { BackfillDirective } from './directive.ts';
import { type BackfillRow, type BatchCounts, countBatch, isPausedSql } from './ledger.ts';
import { paused } from './errors.ts';

interface Bounds {
  readonly lower: string | null;
  readonly upper: string | null;
  readonly rows: number;
  readonly paused: boolean;
}

/** Runs batches of one back-fill, each in a transaction that also moves the cursor: one is done whole and once, or not. */
export class Batches {
  readonly #file: MigrationFile;
  readonly #execution: Execution;
  readonly #step: Step;
  readonly #directive: BackfillDirective;
  readonly #type: string;

  constructor(
    file: MigrationFile,
    execution: Execution,
    step: Step,
    directive: BackfillDirective,
    type: string,
  ) {
    this.#file = file;
    this.#execution = execution;
    this.#step = step;
    this.#directive = directive;
    this.#type = type;
  }

  /**
   * Does the batch behind the cursor.
   *
   * @throws MigrationFailedError; this batch has then left nothing, those before it stay.
   * @throws MigrationError `MIGRATION.BACKFILL_PAUSED`.
   */
  async next(row: BackfillRow): Promise<BatchCounts> {
    let counts: BatchCounts | undefined;
    await withRetries(this.#file, this.#execution, async () => {
      counts = await this.#transaction(row);
    });
    return counts as BatchCounts;
  }

  async #transaction(row: BackfillRow): Promise<BatchCounts> {
    const { session } = this.#execution;
    const { statement, entry } = this.#step;
    const start = performance.now();
    // An error in what the engine itself sends has no place in the text of the file.
    let blame: Statement = { text: '', line: statement.line };
    try {
      await session.run('begin');
      const { lower, upper, rows, paused: isPaused } = await this.#bounds(row.cursor);
      if (isPaused) throw paused(row);
      blame = statement;
      const written = rows > 0 ? await session.change(statement.text, [lower, upper]) : 0;
      blame = { text: '', line: statement.line };
      const counts = {
        cursor: upper ?? row.cursor,
        read: rows,
        written,
        ms: performance.now() - start,
        isLast: rows < this.#directive.batch,
      };
      await countBatch(session, entry, counts);
      await session.run('commit');
      return counts;
    } catch (error) {
      await session.run('rollback').catch(() => undefined);
      throw this.#explain(error, blame, row);
    }
  }

  /** The keys of the next batch; both bounds belong to it, so that the lowest key of a type needs no one below it. */
  async #bounds(cursor: string | null): Promise<Bounds> {
    const { table, key, batch } = this.#directive;
    const behind = cursor === null ? '' : `where ${key} > $1::${this.#type}`;
    const sql = `with batch as (select ${key} as key from ${table} ${behind} order by ${key} limit ${batch})
      select (select key from batch order by key limit 1)::text as lower,
        (select key from batch order by key desc limit 1)::text as upper,
        (select count(*) from batch)::int as rows, ${isPausedSql(this.#step.entry)}`;
    const [bounds] = await this.#execution.session.query<Bounds>(sql, cursor === null ? [] : [cursor]);
    return bounds as Bounds;
  }

  #explain(error: unknown, blame: Statement, { batches }: BackfillRow): unknown {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('MIGRATION.'))
      return error;
    const left =
      error instanceof DatabaseError
        ? `Nothing of this batch is left; ${batches} ${batches === 1 ? 'batch stays' : 'batches stay'} done. Correct the statement or the data and run again: it goes on there, or from the first key when the statement was changed.`
        : undefined;
    return failure(this.#file, blame, error, { ...this.#execution, left });
  }
}
