import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import { MigrationError } from '../errors.ts';
import type { Execution } from '../execution.ts';
import { failure } from '../failure.ts';
import type { MigrationFile } from '../files.ts';
import type { Journal } from '../journal.ts';
import { statementChecksum } from '../statement-checksum.ts';
import type { Step } from '../step.ts';
import { verificationsOf } from './attach.ts';
import { Batches } from './batch.ts';
import type { BackfillDirective } from './directive.ts';
import { BackfillUnverifiedError, paused } from './errors.ts';
import { beginBackfill, type BackfillRow, readBackfills, recordVerification } from './ledger.ts';
import { Pace, pauseFor } from './pace.ts';
import { type ReplicaEvent, Replicas } from './replicas.ts';
import { findSource, type Source } from './source.ts';
import { isClean, verify } from './verification.ts';

/**
 * Runs one back-fill of a NO TRANSACTION file to its verified end, from where an earlier run has left it.
 *
 * @throws BackfillUnverifiedError; the next run begins another pass.
 * @throws MigrationError `MIGRATION.BACKFILL_PAUSED`, `MIGRATION.UNSUPPORTED`; MigrationFailedError.
 */
export class Backfill {
  readonly #file: MigrationFile;
  readonly #execution: Execution;
  readonly #journal: Journal;
  readonly #step: Step;
  readonly #verifications: readonly Step[];
  readonly #directive: BackfillDirective;

  constructor(
    file: MigrationFile,
    execution: Execution,
    journal: Journal,
    { steps, step, directive }: { steps: readonly Step[]; step: Step; directive: BackfillDirective },
  ) {
    this.#file = file;
    this.#execution = execution;
    this.#journal = journal;
    this.#step = step;
    this.#directive = directive;
    const verifications = verificationsOf(
      steps.map(({ statement }) => statement),
      step.entry.statement - 1,
    );
    this.#verifications = steps.slice(step.entry.statement, step.entry.statement + verifications.length);
  }

  async run(): Promise<void> {
    const { session } = this.#execution;
    const place = { file: this.#file.name, line: this.#step.statement.line };
    const source = await this.#source();
    let row = await this.#begin();
    if (row.pausedAt) throw paused(row);
    const { passes } = this.#directive;
    for (let pass = 1; ; pass += 1) {
      const before = row.rowsWritten;
      if (!row.copiedAt) row = await this.#copy(row, source);
      const differences = await verify(this.#file, this.#execution, this.#verifications);
      if (isClean(differences)) return this.#finish(differences);
      await recordVerification(session, this.#step.entry, differences, false);
      // Rows that should not be there do not go by copying again, nor does what a whole pass could not write.
      const isOfUse =
        differences.missing + differences.different > 0 && (pass === 1 || row.rowsWritten > before);
      if (pass >= passes || !isOfUse) throw new BackfillUnverifiedError(place.file, place.line, differences);
      row = await this.#read();
    }
  }

  async #source(): Promise<Source> {
    const { line } = this.#step.statement;
    try {
      return await findSource(this.#execution.session, { file: this.#file.name, line }, this.#directive);
    } catch (error) {
      throw error instanceof DatabaseError
        ? failure(this.#file, { text: '', line }, error, this.#execution)
        : error;
    }
  }

  /** The line of the journal and the row of the back-fill belong together: one without the other is of another run. */
  async #begin(): Promise<BackfillRow> {
    const { session } = this.#execution;
    const { entry, statement } = this.#step;
    const { table, key } = this.#directive;
    const checksum = statementChecksum(`${statement.written ?? statement.text}\n${table}.${key}`);
    if (await this.#journal.isOpen(entry)) {
      const row = await this.#find();
      if (row?.checksum === checksum) return row;
    }
    await session.run('begin');
    await beginBackfill(session, entry, checksum);
    await this.#journal.start(entry);
    await session.run('commit');
    return this.#read();
  }

  async #copy(from: BackfillRow, source: Source): Promise<BackfillRow> {
    const { throttle } = this.#directive;
    const replicas = this.#replicas();
    const batches = new Batches(this.#file, this.#execution, this.#step, this.#directive, source.type);
    const pace = new Pace();
    let row = from;
    while (!row.copiedAt) {
      await replicas?.wait((event) => this.#behind(event));
      const { read, written, cursor, ms, isLast } = await batches.next(row);
      row = {
        ...row,
        cursor,
        passRows: row.passRows + read,
        rowsRead: row.rowsRead + read,
        rowsWritten: row.rowsWritten + written,
        batches: row.batches + (read > 0 ? 1 : 0),
        copiedAt: isLast ? new Date() : null,
      };
      pace.take(read);
      this.#tell(row, source, pace);
      const pauseMs = isLast ? 0 : pauseFor(throttle, ms);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return row;
  }

  #replicas(): Replicas | undefined {
    const { maxLagMs } = this.#directive;
    if (maxLagMs === undefined) return undefined;
    const place = { file: this.#file.name, line: this.#step.statement.line };
    return new Replicas(this.#execution.session, place, maxLagMs);
  }

  /** A wait may last, so that a pause has to end it. */
  async #behind(event: ReplicaEvent): Promise<void> {
    this.#execution.tell(event);
    const row = await this.#read();
    if (row.pausedAt) throw paused(row);
  }

  /** Verified, and the statements are done: both in one transaction, because a contract step relies on the first. */
  async #finish(differences: Parameters<typeof recordVerification>[2]): Promise<void> {
    const { session } = this.#execution;
    await session.run('begin');
    await recordVerification(session, this.#step.entry, differences, true);
    for (const { entry } of [this.#step, ...this.#verifications]) await this.#journal.finish(entry);
    await session.run('commit');
  }

  #tell(row: BackfillRow, { estimate }: Source, pace: Pace): void {
    const total = estimate === undefined ? undefined : Math.max(estimate, row.passRows);
    this.#execution.tell({
      type: 'backfill',
      name: this.#file.name,
      statement: row.statement,
      pass: row.passes + 1,
      rows: row.passRows,
      estimate: row.copiedAt ? row.passRows : total,
      written: row.rowsWritten,
      batches: row.batches,
      rowsPerSecond: pace.rowsPerSecond,
      remainingMs: row.copiedAt ? 0 : pace.remainingMs(row.passRows, total),
    });
  }

  async #find(): Promise<BackfillRow | undefined> {
    const { direction, statement } = this.#step.entry;
    const rows = await readBackfills(this.#execution.session, this.#file.name);
    return rows.find((row) => row.direction === direction && row.statement === statement);
  }

  async #read(): Promise<BackfillRow> {
    const row = await this.#find();
    if (row) return row;
    throw new MigrationError(
      'MIGRATION.LEDGER',
      `The row of the back-fill of ${this.#file.name} has gone from public.schema_migration_backfills. Run again: it begins from the first key.`,
      this.#file.name,
    );
  }
}
