import type { ParseOptions, Statement } from './parsed-migration.ts';
import type { Report } from './report.ts';
import { leftOpen, TransactionWatch } from './transaction-control.ts';

const CONTROL_IN_TRANSACTION =
  'The file runs in a transaction of its own. Remove this statement, or write "-- +goose NO TRANSACTION" at the top.';

/** The Up and the Down of a file: which of them the parser is in, and what each holds. */
export class Sections {
  readonly up: Statement[] = [];
  down: Statement[] | undefined;
  transactional: boolean;
  /** Whether any annotation was seen; without one the whole file is Up. */
  isAnnotated = false;
  readonly #report: Report;
  readonly #mustBeAnnotated: boolean;
  readonly #control = { up: new TransactionWatch(), down: new TransactionWatch() };
  #section: 'none' | 'up' | 'down' = 'none';

  constructor(report: Report, { requireAnnotations, withoutTransaction }: ParseOptions) {
    this.#report = report;
    this.#mustBeAnnotated = requireAnnotations === true;
    this.transactional = !withoutTransaction;
  }

  /** Whether neither Up nor Down has come yet. */
  get isBefore(): boolean {
    return this.#section === 'none';
  }

  /** Where statements go now. */
  get statements(): Statement[] {
    return this.#section === 'down' ? (this.down as Statement[]) : this.up;
  }

  /** What watches the transactions of the section. */
  get watch(): TransactionWatch {
    return this.#section === 'down' ? this.#control.down : this.#control.up;
  }

  noTransaction(offset: number): void {
    if (!this.isBefore)
      this.#report.note(offset, 'NO TRANSACTION holds for the whole file. Write it at the top.');
    this.transactional = false;
    this.isAnnotated = true;
  }

  enter(keyword: 'Up' | 'Down', offset: number): void {
    if (keyword === 'Up') this.#enterUp(offset);
    else this.#enterDown(offset);
    this.isAnnotated = true;
  }

  /** @throws MigrationSyntaxError for SQL where none may stand. */
  refuseCode(offset: number): void {
    if (this.isBefore && (this.isAnnotated || this.#mustBeAnnotated)) throw this.#tooEarly(offset);
  }

  /** @throws MigrationSyntaxError for what can only be judged at the end of the file. */
  finish(): void {
    if (this.isBefore && (this.isAnnotated || this.#mustBeAnnotated))
      throw this.#report.error(0, 'No "-- +goose Up". Write it above the statements.');
  }

  /** @throws MigrationSyntaxError for transaction control where the file has a transaction, and for one left open. */
  checkTransactions(): void {
    for (const { found } of [this.#control.up, this.#control.down]) {
      if (this.transactional && found[0]) throw this.#report.error(found[0].start, CONTROL_IN_TRANSACTION);
      const open = leftOpen(found);
      if (open !== undefined)
        throw this.#report.error(open, 'This transaction is never committed. Write COMMIT behind it.');
    }
  }

  #enterUp(offset: number): void {
    if (!this.isBefore)
      throw this.#report.error(offset, 'A file has one Up, and it comes first. Remove this one.');
    if (this.up.length > 0) throw this.#tooEarly(offset);
    this.#section = 'up';
  }

  #enterDown(offset: number): void {
    if (this.#section !== 'up')
      throw this.#report.error(
        offset,
        'A file has one Down, and it comes after Up. Move it, or remove this one.',
      );
    this.#section = 'down';
    this.down = [];
  }

  #tooEarly(offset: number): Error {
    return this.#report.error(offset, 'SQL before "-- +goose Up". Move it below the annotation.');
  }
}
