import pg from 'pg';
import { boundMessage, messageHead } from './bound-message.ts';
import { hasFixedColumns } from './fixed-columns.ts';
import { type Dates, type Field, type ParserOf, type RowBytes, RowForm } from './row-form.ts';
import type { AnswerTaker } from './row-gate.ts';
import { MAX_NAMED } from './statement-names.ts';

/** What the driver gives of an answer, in the names of its own results. */
export interface QueryResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: unknown[];
}

export type Callback = (error: Error | null, result: QueryResult) => void;

/** A prepared statement as the layer hands it to `pg`. */
interface Named {
  readonly name: string;
  readonly text: string;
  readonly values?: unknown[] | undefined;
  readonly rowMode?: 'array' | undefined;
  readonly dates?: Dates | undefined;
}

/** What a connection has learnt of a prepared statement. */
interface Prepared {
  readonly fields: readonly Field[];
  /** Of the message that runs it again. */
  readonly head: Buffer;
  /** For what `dates` says, which is the same in nearly all calls. */
  form: RowForm;
  dates: Dates | undefined;
}

/** What `pg` keeps of a connection, and what it can be told to send. */
export interface Wire {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
  readonly stream: {
    readonly writable?: boolean;
    cork?(): void;
    uncork?(): void;
    write(message: Buffer): unknown;
  };
  parse(statement: { name: string; text: string }): void;
  bind(values: object): void;
  describe(what: { type: 'P'; name: string }): void;
  execute(portal: object): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

const OWN = Symbol('own');
/** Of a message: behind its type and its length. */
const TAG = 5;
const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils;

/** Marks a prepared statement, which is for this call only, whose sender needs no more of the answer than {@link QueryResult}. */
export function asShort<T extends object>(query: T): T {
  (query as { [OWN]?: boolean })[OWN] = true;
  return query;
}

/** What a connection has learnt. */
export interface Learnt {
  /** By their names. */
  readonly statements: Map<string, Prepared>;
  readonly parserOf: ParserOf;
}

/** Whether it was marked, and has the name that it needs. */
export const isOwn = (query: unknown): query is Named =>
  typeof query === 'object' &&
  query !== null &&
  OWN in query &&
  typeof (query as Partial<Named>).name === 'string' &&
  // The driver parses a statement whose name is empty anew each time.
  (query as Partial<Named>).name !== '';

/** A query as the driver's queue takes it from others, such as its own cursors. */
export class ShortQuery implements AnswerTaker {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
  readonly rowMode: 'array' | undefined;
  readonly dates: Dates | undefined;
  /** The driver puts another one in its place where a query may take so long only. */
  callback: Callback;
  readonly #learnt: Learnt;
  readonly #rows: unknown[] = [];
  #known: Prepared | undefined;
  #tag = '';
  #failure: Error | undefined;

  constructor({ name, text, rowMode, dates }: Named, values: unknown[], learnt: Learnt, callback: Callback) {
    this.name = name;
    this.text = text;
    this.values = values;
    this.rowMode = rowMode;
    this.dates = dates;
    this.callback = callback;
    this.#learnt = learnt;
  }

  submit(wire: Wire): Error | null {
    const { name, text } = this;
    const before = wire.parsedStatements[name] ?? wire.submittedNamedStatements[name];
    if (before !== undefined && before !== text)
      return new Error(`The name ${name} is that of another statement.`);
    // A name that the server does not have may have been that of another plan.
    this.#known = before === undefined ? undefined : this.#learnt.statements.get(name);
    if (this.#known && this.#sentWhole(wire, this.#known)) return null;
    wire.stream.cork?.();
    try {
      this.#send(wire, before !== undefined);
    } finally {
      wire.stream.uncork?.();
    }
    return null;
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    this.#learn(fields);
  }

  takeRow(rows: RowBytes, at: number): void {
    if (this.#failure) return;
    try {
      const form = this.#form(this.#known as Prepared);
      if (this.#rows.length === 0 && !form.fits(rows, at)) this.#forget();
      this.#rows.push(this.rowMode ? form.list(rows, at) : form.object(rows, at));
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  takeEnd(bytes: Buffer, at: number, end: number): void {
    this.#tag = bytes.toString('latin1', at + TAG, end - 1);
    // Of a statement without an answer, whose description says that there is none.
    if (!this.#known) this.#learn([]);
  }

  handleReadyForQuery(): void {
    if (this.#failure) return this.handleError(this.#failure);
    const [first, last] = [this.#tag.indexOf(' '), this.#tag.lastIndexOf(' ')];
    const command = first < 0 ? this.#tag : this.#tag.slice(0, first);
    const count = last < 0 ? Number.NaN : Number(this.#tag.slice(last));
    const rowCount = Number.isInteger(count) ? count : null;
    this.callback(null, { command, rowCount, rows: this.#rows });
  }

  handleError(error: Error): void {
    this.callback(this.#failure ?? error, { command: '', rowCount: null, rows: [] });
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}

  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail('No source stream defined');
    // The one that was sent with the statement is not looked at while rows are waited for.
    wire.sync();
  }

  #form(known: Prepared): RowForm {
    if (known.dates !== this.dates) {
      known.form = new RowForm(known.fields, this.#learnt.parserOf, this.dates);
      known.dates = this.dates;
    }
    return known.form;
  }

  /** A pooler has prepared it anew for another session of the server, after its table got another column. */
  #forget(): never {
    this.#learnt.statements.delete(this.name);
    throw new Error(`The statement ${this.name} has other columns than when it was prepared.`);
  }

  #learn(fields: readonly Field[]): void {
    const { statements, parserOf } = this.#learnt;
    const { name, dates } = this;
    this.#known = { fields, head: messageHead(name), form: new RowForm(fields, parserOf, dates), dates };
    if (!hasFixedColumns(this.text)) return;
    // Of statements that were given up, too; the others are described once more.
    if (statements.size >= 2 * MAX_NAMED) statements.clear();
    statements.set(this.name, this.#known);
  }

  /** False where the values need the driver's own message. */
  #sentWhole({ stream }: Wire, { head }: Prepared): boolean {
    let message: Buffer | undefined;
    try {
      message = boundMessage(head, this.values);
    } catch {
      // The driver's own way says what is wrong with a value.
    }
    if (!message) return false;
    // A socket that has ended tells the connection so, which ends the query.
    if (stream.writable !== false) stream.write(message);
    return true;
  }

  #send(wire: Wire, isParsed: boolean): void {
    const { name, text, values } = this;
    if (!isParsed) {
      wire.parse({ name, text });
      wire.submittedNamedStatements[name] = text;
    }
    try {
      wire.bind({ statement: name, values, valueMapper: prepareValue });
      if (!this.#known) wire.describe({ type: 'P', name: '' });
      wire.execute({});
    } catch (error) {
      // A value that cannot be sent; the answer to the next message ends the query.
      this.#failure = error as Error;
    }
    wire.sync();
  }
}
