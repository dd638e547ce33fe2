import { DatabaseError } from 'pg';
import { Backfill } from './backfill/run.ts';
import { invalidIndexesOf } from './index-remains.ts';
import type { Outcome } from './errors.ts';
import { isConfirmed, prepare } from './evidence.ts';
import { type Execution, withRetries } from './execution.ts';
import { failure, notUsable } from './failure.ts';
import type { MigrationFile } from './files.ts';
import type { Journal } from './journal.ts';
import { hasValues } from './parsed-migration.ts';
import { PartitionedIndex, type Sender } from './partitions/build.ts';
import { PartitionedIndexError } from './partitions/errors.ts';
import { indexTextOf } from './partitions/index-text.ts';
import { isPartitioned, rootIndex } from './partitions/tree.ts';
import type { StatementKind } from './statement-kind.ts';
import type { Step } from './step.ts';
import { timeoutSettings } from './timeouts.ts';

/** Kinds that wait for every old transaction: a timeout would only leave an invalid index behind. */
const UNLIMITED = new Set<StatementKind['kind']>(['create-index', 'drop-index', 'reindex', 'detach']);

type Left = Pick<Outcome, 'left' | 'statements'>;

/** Runs the statements of one NO TRANSACTION file, and keeps their journal. */
export class StatementRunner {
  readonly #file: MigrationFile;
  readonly #execution: Execution;
  readonly #journal: Journal;
  readonly #steps: readonly Step[];
  #isSessionLost = true;

  constructor(file: MigrationFile, execution: Execution, journal: Journal, steps: readonly Step[]) {
    this.#file = file;
    this.#execution = execution;
    this.#journal = journal;
    this.#steps = steps;
  }

  /** Brings a new session to where an earlier one had been: what SET and its kind did is all that it has lost. */
  async restoreSession(done: number): Promise<void> {
    if (!this.#isSessionLost) return;
    this.#isSessionLost = false;
    await this.#execution.session.set(timeoutSettings(this.#file.timeouts));
    for (const step of this.#steps.slice(0, done))
      if (step.kind.kind === 'session') await this.#send(step, step.statement.text);
  }

  async run(step: Step): Promise<void> {
    const { directive } = step.statement;
    if (directive?.kind === 'backfill') {
      const parts = { steps: this.#steps, step, directive };
      return new Backfill(this.#file, this.#execution, this.#journal, parts).run();
    }
    // Its back-fill has run it.
    if (directive?.kind === 'verify') return;
    if (this.#execution.session.isInTransaction()) return this.#inOwnTransaction(step);
    if (directive && (await this.#partitioned(step))) return;
    switch (step.kind.kind) {
      case 'atomic':
        return withRetries(this.#file, this.#execution, () => this.#atomic(step));
      case 'session':
      case 'control':
        await this.#send(step, step.statement.text);
        return this.#journal.finish(step.entry);
      default:
        return this.#traced(step);
    }
  }

  /** A statement between the file's own BEGIN and COMMIT: its line in the journal shares their fate. */
  async #inOwnTransaction(step: Step): Promise<void> {
    const { kind, statement, entry } = step;
    if (kind.kind === 'control') await this.#journal.finish(entry);
    await this.#send(step, statement.text);
    // After a ROLLBACK the line is gone with the rest, and after a COMMIT writing it again changes nothing.
    await this.#journal.finish(entry);
  }

  /** False when the table has no partitions today: the statement is run as any other. */
  async #partitioned(step: Step): Promise<boolean> {
    const { kind, statement, entry } = step;
    const { session } = this.#execution;
    await this.restoreSession(entry.statement - 1);
    if (kind.kind === 'drop-index' && (await isPartitioned(session, kind.name))) {
      const text = `drop index ${kind.isGuarded ? 'if exists ' : ''}${kind.name}`;
      await withRetries(this.#file, this.#execution, () => this.#atomic(step, text));
      return true;
    }
    const index = indexTextOf(statement.text);
    if (!index || !(await isPartitioned(session, index.table))) return false;
    const there = await rootIndex(session, index.name, index.table);
    const sender = this.#senderOf(step, index.isGuarded || !there?.isValid);
    try {
      await new PartitionedIndex(this.#file, statement, this.#execution, { sender, index }).build();
    } catch (error) {
      if (error instanceof PartitionedIndexError) await this.#leave(entry);
      throw error;
    }
    await this.#journal.finish(entry);
    if (!this.#setsTimeouts(entry.statement)) await this.#limit(true);
    return true;
  }

  #senderOf(step: Step, isTraceable: boolean): Sender {
    const { session } = this.#execution;
    const begin = async (): Promise<void> => {
      await this.restoreSession(step.entry.statement - 1);
      if (isTraceable) await this.#journal.start(step.entry);
    };
    const hasOwn = this.#setsTimeouts(step.entry.statement);
    return {
      send: (text) => this.#send(step, text, ''),
      briefly: (work) =>
        withRetries(this.#file, this.#execution, async () => {
          await begin();
          if (!hasOwn) await this.#limit(true);
          await session.run('begin');
          await work();
          await this.#send(step, 'commit', '');
        }),
      patiently: async (work) => {
        await begin();
        if (!hasOwn) await this.#limit(false);
        await work();
      },
    };
  }

  /** Timeouts of a run, or none. */
  async #limit(isLimited: boolean): Promise<void> {
    const { session, timeouts } = this.#execution;
    const limits = isLimited ? { ...timeouts, ...this.#file.timeouts } : { lockMs: 0, statementMs: 0 };
    await session.set(timeoutSettings(limits));
  }

  async #atomic(step: Step, text = step.statement.text): Promise<void> {
    await this.restoreSession(step.entry.statement - 1);
    await this.#execution.session.run('begin');
    await this.#send(step, text);
    await this.#journal.finish(step.entry);
    await this.#send(step, 'commit');
  }

  /** What cannot share a transaction with its line: the line comes before and after, and the catalogue decides between. */
  async #traced(step: Step): Promise<void> {
    const { session, tell } = this.#execution;
    const { kind, statement, entry } = step;
    const isUnlimited = UNLIMITED.has(kind.kind) && !this.#setsTimeouts(entry.statement);
    if (isUnlimited) await this.#limit(false);
    const { dropped, isTraceable, instead } = await prepare(session, kind);
    for (const index of dropped)
      tell({ type: 'removed-remains', name: this.#file.name, index: hasValues(statement) ? null : index });
    if (isTraceable) await this.#journal.start(entry);
    await this.#send(step, instead ?? statement.text);
    if (!(await isConfirmed(session, kind)))
      throw notUsable(this.#file, statement, this.#execution, this.#left(entry.statement - 1));
    await this.#journal.finish(entry);
    if (isUnlimited) await this.#limit(true);
  }

  /** A file that sets timeouts itself, by SET or by its directive, knows better. */
  #setsTimeouts(before: number): boolean {
    const { lockMs, statementMs } = this.#file.timeouts;
    if (lockMs !== undefined || statementMs !== undefined) return true;
    return this.#steps
      .slice(0, before)
      .some(
        ({ kind, statement }) =>
          kind.kind === 'session' && /lock_timeout|statement_timeout/i.test(statement.text),
      );
  }

  /** @param blame the text in which the server's position counts lines; empty for one that is not the file's. */
  async #send(step: Step, text: string, blame = text): Promise<void> {
    try {
      await this.#execution.session.run(text);
    } catch (error) {
      const left = await this.#leftBy(step, error);
      throw failure(this.#file, { ...step.statement, text: blame }, error, { ...this.#execution, ...left });
    }
  }

  /** What stays of the file; undefined when there is no connection left to ask. */
  async #leftBy(step: Step, error: unknown): Promise<Left | undefined> {
    const { entry } = step;
    if (!(error instanceof DatabaseError)) return undefined;
    try {
      await this.#leave(entry);
      const { left, statements } = this.#left(await this.#journal.done(entry));
      return { left: left + (await this.#remains(step)), statements };
    } catch {
      return undefined;
    }
  }

  /** The statement was refused, so it may be written anew. */
  async #leave(entry: Step['entry']): Promise<void> {
    await this.#execution.session.reset();
    this.#isSessionLost = true;
    await this.#journal.undo(entry);
  }

  #left(done: number): Left {
    const total = this.#steps.length;
    const next = this.#steps[done]?.statement.line;
    const some = done === 1 ? 'Statement 1 of' : `Statements 1 to ${done} of`;
    const what =
      done === 0 ? 'Nothing of it is done' : `${some} ${total} ${done === 1 ? 'stays' : 'stay'} done`;
    const left = `This NO TRANSACTION file has no transaction. ${what}; the next run goes on at line ${next}.`;
    return { left, statements: { done, of: total } };
  }

  async #remains({ kind, statement }: Step): Promise<string> {
    if (kind.kind !== 'create-index') return '';
    const found = await invalidIndexesOf(this.#execution.session, kind.table);
    if (found.length === 0) return '';
    // A name may be a value of the environment.
    const names = hasValues(statement) ? '' : ` (${found.map(fullName).join(', ')})`;
    return kind.name === undefined
      ? ` The table has invalid indexes${names}; drop what this build has left of them, its name is not in the file.`
      : ` The table has invalid indexes${names}; the next run drops and rebuilds the one of this statement.`;
  }
}

const fullName = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;
