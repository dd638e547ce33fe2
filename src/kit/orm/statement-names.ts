import { hash } from 'node:crypto';
import type { PoolClient } from 'pg';

/** How many statements keep a name on one connection; the one that was not used for longest gives its place to a new one. */
export const MAX_NAMED = 200;
const MAX_KNOWN = 1000;

interface Known {
  readonly name: string;
  readonly isOpen: boolean;
  uses: number;
}

/** A star that may stand for columns; one alone in parentheses is that of `count(*)`. */
const STAR = /(?<!\()\*|\*(?!\))/;
/** Where a star stands for nothing: texts, names, and comments, which begin and end with one. */
const BESIDE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\/\*[^]*?\*\//g;

/**
 * Names for texts that are sent more than once. A name is made of the text alone: behind a pooler that hands one server session
 * to many programs, a name can then be missing or taken, but never stand for another statement.
 */
export class StatementNames {
  readonly #known = new Map<string, Known>();

  /**
   * Undefined the first time: a text that is never sent again is not worth a place. `isOpen` says of a text that its answer
   * may get another column with its table.
   */
  nameOf(text: string): { readonly name: string; readonly isOpen: boolean } | undefined {
    const known = this.#known.get(text);
    if (!known) {
      if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value as string);
      this.#known.set(text, {
        name: `ts_${hash('sha1', text)}`,
        isOpen: STAR.test(text.replaceAll(BESIDE, '')),
        uses: 1,
      });
      return undefined;
    }
    known.uses += 1;
    // Moved to the end now and then only: the order matters for the first one, and each move is two writes.
    if (known.uses % 16 === 0) {
      this.#known.delete(text);
      this.#known.set(text, known);
    }
    return known;
  }
}

/** What `pg` keeps of a connection, and what it can be told to send. */
interface Wire {
  readonly parsedStatements: Record<string, string | undefined>;
  readonly stream: { cork?(): void; uncork?(): void };
  close(statement: { type: 'S'; name: string }): void;
  sync(): void;
}

type Send = (query: object) => unknown;

/** The names in use on each connection, the one that was not used for longest first. */
const inUse = new WeakMap<PoolClient, Map<string, true>>();

/** Told after a query was handed to the driver: keeps the names of its connection below {@link MAX_NAMED}. */
export function keepFewNames(client: PoolClient, send: Send, query: unknown, most: number = MAX_NAMED): void {
  const name = (query as { name?: unknown } | undefined)?.name;
  if (typeof name !== 'string') return;
  const names = inUse.get(client) ?? new Map<string, true>();
  if (names.size === 0) inUse.set(client, names);
  // While there is much room the order does not matter, and what is used then gets its place once there is less.
  if (names.size < most / 2 && names.has(name)) return;
  names.delete(name);
  names.set(name, true);
  if (names.size <= most) return;
  const oldest = names.keys().next().value as string;
  names.delete(oldest);
  send(new Close(oldest));
}

/**
 * Takes a name from the server by the protocol's own message, which an aborted transaction also obeys; DEALLOCATE fails in one,
 * and the name would stay. In the driver's queue it stands between queries.
 */
class Close {
  readonly #name: string;
  /** The driver puts another one in its place that stops the clock of `query_timeout`. */
  readonly callback = (): void => undefined;

  constructor(name: string) {
    this.#name = name;
  }

  submit(wire: Wire): null {
    delete wire.parsedStatements[this.#name];
    wire.close({ type: 'S', name: this.#name });
    wire.sync();
    return null;
  }

  /** A connection that is lost has no names. */
  handleError(): void {
    this.callback();
  }

  handleReadyForQuery(): void {
    this.callback();
  }
}
