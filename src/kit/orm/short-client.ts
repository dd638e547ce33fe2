import type { Client, Pool } from 'pg';
import type { ParserOf } from './row-form.ts';
import { type Gate, RowGate } from './row-gate.ts';
import { type Callback, isOwn, type Learnt, type QueryResult, ShortQuery, type Wire } from './short-query.ts';

type Query = (...args: unknown[]) => unknown;

/**
 * Lets the connections of a pool send marked statements without asking for their columns each time, and reads their rows from the
 * bytes that come. The columns of a prepared statement cannot change: PostgreSQL refuses it instead (0A000). But `pg` has them
 * described, sent, read and looked up per call, which is a large part of a short read.
 */
export function sendShortly(pool: Pool): void {
  const owner = pool as unknown as { Client: new (options: unknown) => Client };
  owner.Client = class extends owner.Client {
    constructor(options: unknown) {
      super(options);
      shorten(this as unknown as ShortClient);
    }
  };
}

/** What the driver has for a connection beyond its types. */
interface ShortClient extends Pick<Client, 'getTypeParser'> {
  readonly binary?: boolean;
  readonly connection?: Partial<Wire> & Emitter & { attachListeners?(stream: Listened): void };
  query: Query;
  _getActiveQuery?(): unknown;
}

interface Emitter {
  emit(event: 'readyForQuery', message: { name: 'readyForQuery'; length: number; status: string }): unknown;
}

/** What the driver listens to. */
interface Listened {
  on(event: string, listener: (bytes: Buffer) => void): unknown;
}

function shorten(client: ShortClient): void {
  const { binary, connection } = client;
  // The native driver speaks to the server by libpq, and a binary client has other parsers.
  if (binary === true || !connection?.parsedStatements || !connection.submittedNamedStatements) return;
  const attach = connection.attachListeners?.bind(connection);
  if (!attach || !client._getActiveQuery) return;
  const taker = (): ShortQuery | undefined => {
    const active = client._getActiveQuery?.();
    return active instanceof ShortQuery ? active : undefined;
  };
  const ready = (status: string): void => {
    connection.emit('readyForQuery', { name: 'readyForQuery', length: 5, status });
  };
  connection.attachListeners = (stream) => attach(gated(stream, { taker, ready }));
  const query = client.query.bind(client);
  const learnt: Learnt = { statements: new Map(), parserOf: client.getTypeParser.bind(client) as ParserOf };
  client.query = (...args) => {
    const [given, second, third = second] = args;
    if (!isOwn(given)) return query(...args);
    const values = Array.isArray(second) ? (second as unknown[]) : (given.values ?? []);
    const send = (callback: Callback): unknown => query(new ShortQuery(given, values, learnt, callback));
    if (typeof third === 'function') return void send(third as Callback);
    return new Promise<QueryResult>((resolve, reject) => {
      send((error, result) => (error ? reject(error) : resolve(result)));
    });
  };
}

/** The stream as the driver's reader listens to it. */
function gated(stream: Listened, driver: Pick<Gate, 'ready' | 'taker'>): Listened {
  return {
    on: (event, listener) => {
      if (event !== 'data') return stream.on(event, listener);
      const gate = new RowGate({ ...driver, pass: listener });
      return stream.on(event, (bytes) => gate.take(bytes));
    },
  };
}
