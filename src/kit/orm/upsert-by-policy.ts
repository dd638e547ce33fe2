import { setTimeout as sleep } from 'node:timers/promises';
import { type Dictionary, type QueryResult, type Transaction } from '@mikro-orm/core';
import { type DataError, isDataError, keyIsTaken, lostRace, SoftDeletedRowError } from '../errors/index.ts';
import { DELETED_AT, hidingRelations } from '../soft-delete/index.ts';
import { type HeldRow, deadRowsBeside, rowsHolding, reviveRows, type RowsByUnique } from './dead-rows.ts';
import { hasBackstop } from './layer-options.ts';
import { liftingMarks } from './lifting-marks.ts';
import { undoable } from './savepoint.ts';
import { asWritten, inGivenOrder, keysOfRows, orderOf, type UpsertRequest } from './upsert-request.ts';
import {
  type InsertedRow,
  insertOnConflict,
  type OnConflict,
  partsOf,
  type Written,
} from './upsert-statement.ts';
import { columnsOf, isByProperties, liveOnlyUnique } from './upsert-target.ts';

/** So often another session may come between; each of them has got its own work done meanwhile. */
const ATTEMPTS = 30;

/** Ends an attempt, so that what it inserted is undone. */
class FoundDeadRows extends Error {
  readonly rows: readonly HeldRow[];

  constructor(rows: readonly HeldRow[]) {
    super('The key is held by deleted rows only.');
    this.rows = rows;
  }
}

/** The live row of this key was made by another session, between two statements of this one. */
class Overtaken extends Error {}

/**
 * Writes the rows and answers what becomes of dead ones that hold the same key, as the entity's policy says.
 *
 * Where a dead row can be beside the conflict, the rows are inserted first and looked for afterwards: a live-only index
 * lets an insert through only when every deletion of that key has ended, so that the look sees them all. What must
 * not stay is undone.
 *
 * @throws SoftDeletedRowError when the policy refuses; nothing of the call is written.
 * @throws ConcurrencyError when other sessions came between every attempt.
 */
export async function upsertByPolicy(
  asked: Omit<UpsertRequest, 'first'> & { readonly rows: readonly [Dictionary, ...Dictionary[]] },
): Promise<QueryResult<object>> {
  const given = asked.rows.map((row) => asWritten(asked.meta, row));
  const order = orderOf(given, asked.fields);
  const rows = order.map((index) => given[index] ?? {});
  const upsert = new Upsert({ ...asked, rows, first: given[0] ?? {} });
  return inGivenOrder(await (upsert.isOneByOne() ? upsert.runOneByOne() : upsert.run()), order);
}

class Upsert {
  readonly #request: UpsertRequest;
  readonly #byUnique: RowsByUnique;
  /** Whether a dead row can hold the key beside a live one; with the program's own fragment, nothing is known of it. */
  readonly #allowsDead: boolean;
  readonly #index: string | undefined;
  readonly #ignores: boolean;

  constructor(request: UpsertRequest) {
    const { driver, meta, options } = request;
    const fields = isByProperties(request.fields) ? request.fields : [];
    const { schema, convertCustomTypes } = options;
    this.#request = request;
    this.#byUnique = { driver, meta, fields, schema, convertCustomTypes };
    const unique = liveOnlyUnique(meta, columnsOf(meta, fields));
    this.#allowsDead = unique !== undefined;
    this.#index = unique?.name;
    this.#ignores = options.onConflictAction === 'ignore';
  }

  async run(): Promise<QueryResult<object>> {
    let dead: readonly HeldRow[] = [];
    for (let attempt = 1; ; attempt += 1) {
      try {
        const found = dead;
        return await this.#undoing((ctx) => this.#attempt(found, ctx));
      } catch (error) {
        dead = this.#nextToRevive(error, dead);
        if (attempt === ATTEMPTS) throw error instanceof Overtaken ? error.cause : lostRace(error);
      }
      // The first attempts are enough unless many sessions want the same key.
      if (attempt > 2) await sleep(Math.random() * Math.min(attempt, 8) * 4);
    }
  }

  /** An answer without the rows that were left alone does not tell which row is which. */
  isOneByOne(): boolean {
    const { policy, rows, options } = this.#request;
    const isIncomplete = this.#ignores || options.onConflictWhere !== undefined;
    return isIncomplete && this.#allowsDead && policy === 'revive' && rows.length > 1;
  }

  async runOneByOne(): Promise<QueryResult<object>> {
    return this.#undoing(async (ctx) => {
      const { rows, options } = this.#request;
      let affectedRows = 0;
      for (const row of rows) {
        const one = new Upsert({ ...this.#request, rows: [row], options: { ...options, ctx } });
        affectedRows += (await one.run()).affectedRows;
      }
      return { affectedRows, insertId: 0 as never, rows: [] };
    });
  }

  async #attempt(dead: readonly HeldRow[], ctx?: Transaction): Promise<QueryResult<object>> {
    const { rows } = this.#request;
    const results: QueryResult<object>[] = [];
    const inserted: InsertedRow[] = [];
    for (const part of partsOf(rows, dead)) {
      const revived = part.dead ? await this.#revive(part.dead, ctx) : 0;
      const written = await this.#insert(part.rows, this.#onConflict(revived), ctx);
      results.push(written.result);
      inserted.push(...written.inserted.map((row) => ({ ...row, place: part.place + row.place })));
    }
    const affectedRows = results.reduce((sum, result) => sum + result.affectedRows, 0);
    if (this.#allowsDead) await this.#lookBeside(inserted, ctx);
    if (affectedRows < rows.length) await this.#lookAtConflicts(ctx);
    return { insertId: 0, affectedRows, rows: results.flatMap((result) => result.rows ?? []) };
  }

  #insert(rows: readonly Dictionary[], onConflict: OnConflict, ctx?: Transaction): Promise<Written> {
    const insert = () => insertOnConflict(this.#request, rows, onConflict, ctx);
    return onConflict === 'all' || onConflict === 'dead' ? liftingMarks(insert) : insert();
  }

  #onConflict(revived: number): OnConflict {
    const revives = this.#request.policy === 'revive' && !this.#allowsDead;
    if (this.#ignores && revived === 0) return revives ? 'dead' : 'none';
    return revives ? 'all' : 'live';
  }

  async #lookBeside(inserted: readonly InsertedRow[], ctx?: Transaction): Promise<void> {
    const { policy } = this.#request;
    if (policy === 'beside') return;
    const of = policy === 'revive' ? 'class' : 'table';
    const found = await deadRowsBeside(this.#byUnique, inserted, of, ctx);
    // The snapshot of a REPEATABLE READ transaction is older than a deletion that the insert relied on.
    if (found.some((row) => !row.dead)) throw lostRace();
    if (found.length > 0 && policy === 'refuse') throw this.#refusal(found);
    if (found.length > 0) throw new FoundDeadRows(found);
  }

  /** Fewer rows than given were written: by a conflict with a dead row, or by the program's own options. */
  async #lookAtConflicts(ctx?: Transaction): Promise<void> {
    const { meta, fields, options } = this.#request;
    const isExplained = this.#ignores || options.onConflictWhere !== undefined;
    if (this.#allowsDead) await this.#lookForHidden(ctx);
    // A live row that was not changed is one of another class of the table.
    if (this.#allowsDead && !isExplained) throw keyIsTaken();
    if (this.#allowsDead) return;
    const held = await rowsHolding(this.#byUnique, keysOfRows(this.#request), ctx);
    const dead = held.filter((row) => row.dead);
    // By the program's own fragment, a dead row may be beside the live one that was in conflict.
    const isBeside = !isByProperties(fields) && dead.length < held.length;
    if (dead.length > 0 && !isBeside) throw this.#refusal(dead);
    if (isExplained || !isByProperties(fields)) return;
    if (meta.discriminatorValue !== undefined && held.length > 0) throw keyIsTaken();
    // It was restored, or removed, since.
    throw new Overtaken('', { cause: lostRace() });
  }

  /** A row without a mark that a dead target hides holds a live-only key as a live row does. */
  async #lookForHidden(ctx?: Transaction): Promise<void> {
    if (hidingRelations(this.#request.meta).length === 0) return;
    const unmarked = keysOfRows(this.#request).map((key) => ({ ...key, [DELETED_AT]: null }));
    const held = await rowsHolding(this.#byUnique, unmarked, ctx);
    const hidden = held.filter((row) => row.dead);
    if (hidden.length > 0) throw this.#refusal(hidden);
  }

  async #revive(dead: readonly HeldRow[], ctx: Transaction): Promise<number> {
    try {
      return await liftingMarks(() => reviveRows(this.#byUnique, dead, ctx));
    } catch (error) {
      const isOurs = isDataError(error) && error.sqlState === '23505' && this.#isIndex(error.constraint);
      throw isOurs ? new Overtaken('', { cause: error }) : error;
    }
  }

  #isIndex(name: string | undefined): boolean {
    return this.#index === undefined || this.#index === name;
  }

  #nextToRevive(error: unknown, dead: readonly HeldRow[]): readonly HeldRow[] {
    if (error instanceof FoundDeadRows) return [...dead, ...error.rows];
    if (error instanceof Overtaken) return [];
    if (isDataError(error, 'DATA.CONCURRENCY') && this.#canRepeat(error)) return [];
    throw error;
  }

  /** A savepoint gives up the locks taken in it, which ends a deadlock; it does not give a new snapshot. */
  #canRepeat({ sqlState }: DataError): boolean {
    if (sqlState === '55P03') return false;
    return !this.#request.options.ctx || (this.#isUndoable() && sqlState === '40P01');
  }

  #undoing<T>(work: (ctx?: Transaction) => Promise<T>): Promise<T> {
    const { driver, options } = this.#request;
    if (!this.#isUndoable()) return work(options.ctx);
    return undoable(driver.getConnection('write'), work, options);
  }

  #isUndoable(): boolean {
    const { policy, rows, driver, meta } = this.#request;
    // What the backstop lets pass, it lets pass in a transaction.
    if (policy === 'revive' && hasBackstop(driver.config)) return true;
    if (this.#allowsDead && policy !== 'beside') return true;
    // Beside dead rows, only a live one that is hidden, or of another class, can be in the way.
    const mayFail =
      !this.#allowsDead || hidingRelations(meta).length > 0 || meta.root.inheritanceType === 'sti';
    return mayFail && rows.length > 1;
  }

  #refusal(dead: readonly HeldRow[]): Error {
    return new SoftDeletedRowError(this.#request.meta.className, [
      ...new Set(dead.map((row) => row.key.join(', '))),
    ]);
  }
}
