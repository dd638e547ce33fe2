import pg, { type PoolClient } from 'pg';
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
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
  readonly format?: string;
}

/** The columns of a statement, as one connection was told them. */
interface Columns {
  readonly names: readonly string[];
  readonly parsers: readonly ((value: string) => unknown)[];
  /** Copied for each row, so that all have one form. */
  readonly empty: object;
  /** Whether a null has to be written, because a column before it has the same name. */
  readonly areTwins: boolean;
}

/** What `pg` keeps of a connection, and what it can be told to send. */
interface Wire {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
  readonly stream: { cork?(): void; uncork?(): void };
  parse(statement: { name: string; text: string }): void;
  bind(values: object): void;
  describe(what: { type: 'P'; name: string }): void;
  execute(portal: object): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

type Query = (...args: unknown[]) => unknown;

const OWN = Symbol('own');
const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils;

/** Marks a prepared statement, which is for this call only, whose sender needs no more of the answer than {@link QueryResult}. */
export function asShort<T extends object>(query: T): T {
  (query as { [OWN]?: boolean })[OWN] = true;
  return query;
}

/**
 * Lets a connection send marked statements without asking for their columns each time. The columns of a prepared statement
 * cannot change: PostgreSQL refuses it instead (0A000). But `pg` has them described, sent, read and looked up per call, which
 * is a large part of a short read.
 */
export function sendShortly(client: PoolClient): void {
  const { binary, connection } = client as unknown as { binary?: boolean; connection?: Partial<Wire> };
  // The native driver speaks to the server by libpq, and a binary client has other parsers.
  if (binary === true || !connection?.parsedStatements || !connection.submittedNamedStatements) return;
  const query = client.query.bind(client) as Query;
  const known = new Map<string, Columns>();
  const parserOf = client.getTypeParser.bind(client) as ParserOf;
  const short = (...args: unknown[]): unknown => {
    const [given, second] = args;
    if (!isOwn(given)) return query(...args);
    const values = Array.isArray(second) ? (second as unknown[]) : (given.values ?? []);
    const send = (callback: Callback): unknown =>
      query(new ShortQuery(given, values, { known, parserOf }, callback));
    if (typeof second === 'function') return void send(second as Callback);
    return new Promise<QueryResult>((resolve, reject) => {
      send((error, result) => (error ? reject(error) : resolve(result)));
    });
  };
  Object.assign(client, { query: short });
}

type ParserOf = (type: number, format: string) => (value: string) => unknown;

interface ClientColumns {
  /** By the names of statements. */
  readonly known: Map<string, Columns>;
  readonly parserOf: ParserOf;
}

const isOwn = (query: unknown): query is Named =>
  typeof query === 'object' &&
  query !== null &&
  OWN in query &&
  typeof (query as Partial<Named>).name === 'string';

/** A query as the driver's queue takes it from others, such as its own cursors. */
class ShortQuery {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
  readonly rowMode: 'array' | undefined;
  /** The driver puts another one in its place where a query may take so long only. */
  callback: Callback;
  readonly #client: ClientColumns;
  readonly #rows: unknown[] = [];
  #columns: Columns | undefined;
  #tag = '';
  #failure: Error | undefined;

  constructor({ name, text, rowMode }: Named, values: unknown[], client: ClientColumns, callback: Callback) {
    this.name = name;
    this.text = text;
    this.values = values;
    this.rowMode = rowMode;
    this.callback = callback;
    this.#client = client;
  }

  submit(wire: Wire): Error | null {
    const { name, text } = this;
    const before = wire.parsedStatements[name] ?? wire.submittedNamedStatements[name];
    if (before !== undefined && before !== text)
      return new Error(`The name ${name} is that of another statement.`);
    // A name that the server does not have may have been that of another plan.
    this.#columns = before === undefined ? undefined : this.#client.known.get(name);
    wire.stream.cork?.();
    try {
      this.#send(wire, before !== undefined);
    } finally {
      wire.stream.uncork?.();
    }
    return null;
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    const names = fields.map((field) => field.name);
    const empty: Record<string, null> = {};
    for (const name of names) empty[name] = null;
    this.#columns = {
      names,
      parsers: fields.map((field) => this.#client.parserOf(field.dataTypeID, field.format ?? 'text')),
      // A copy of an object that was made property by property is laid out as a whole, and its copies are, too.
      empty: { ...empty },
      areTwins: new Set(names).size < names.length,
    };
    const { known } = this.#client;
    // Of statements that were given up, too; the others are described once more.
    if (known.size >= 2 * MAX_NAMED) known.clear();
    known.set(this.name, this.#columns);
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    if (this.#failure) return;
    try {
      this.#rows.push(this.rowMode ? this.#list(fields) : this.#row(fields));
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.#tag = text;
  }

  handleReadyForQuery(): void {
    if (this.#failure) return this.handleError(this.#failure);
    const [command = '', ...numbers] = this.#tag.split(' ');
    const last = Number(numbers.at(-1));
    const rowCount = Number.isInteger(last) && numbers.length > 0 ? last : null;
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

  #send(wire: Wire, isParsed: boolean): void {
    const { name, text, values } = this;
    if (!isParsed) {
      wire.parse({ name, text });
      wire.submittedNamedStatements[name] = text;
    }
    try {
      wire.bind({ statement: name, values, valueMapper: prepareValue });
      if (!this.#columns) wire.describe({ type: 'P', name: '' });
      wire.execute({});
    } catch (error) {
      // A value that cannot be sent; the answer to the next message ends the query.
      this.#failure = error as Error;
    }
    wire.sync();
  }

  #row(fields: readonly (string | null)[]): object {
    const { names, parsers, empty, areTwins } = this.#columns as Columns;
    const row = { ...empty } as Record<string, unknown>;
    for (let n = 0; n < fields.length; n += 1) {
      const value = fields[n];
      if (value !== null && value !== undefined) row[names[n] as string] = parsers[n]?.(value);
      else if (areTwins) row[names[n] as string] = null;
    }
    return row;
  }

  #list(fields: readonly (string | null)[]): unknown[] {
    const { parsers } = this.#columns as Columns;
    return fields.map((value, n) => (value === null ? null : parsers[n]?.(value)));
  }
}
