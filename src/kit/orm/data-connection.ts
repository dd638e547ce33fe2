import { PostgreSqlConnection } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';
import { isConnectionLost, rolledBack, translateDriverError } from '../errors/index.ts';
import { tellBackstop } from './backstop-session.ts';
import { domainErrorsOf, hasBackstop } from './layer-options.ts';
import { OpenSockets } from './open-sockets.ts';
import { withValues } from './prepared-text.ts';
import { replicaPatienceOf } from './replica-patience.ts';
import { besideSavepoints } from './savepoint.ts';
import { tellListeners, withScope } from './sent-statements.ts';

type Execute = PostgreSqlConnection['execute'];

/** A statement with the values of one call, as `pg` takes it. */
interface NamedQuery {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/**
 * MikroORM's connection, whose errors are all translated: the driver does that for its own statements, but not for raw SQL,
 * queries built by hand, Kysely, streams, and BEGIN and COMMIT, where a deferred constraint reports a row's values.
 */
export class DataConnection extends PostgreSqlConnection {
  #pool: Pool | undefined;
  readonly #sockets = new OpenSockets();
  /** How often a change of a table has made prepared statements useless; part of their names from then on. */
  #shapes = 0;

  static {
    // Wrapped here because a subclass cannot restate the type of the core's `execute` without its unions.
    const { execute } = PostgreSqlConnection.prototype;
    this.prototype.execute = function (this: DataConnection, ...args: Parameters<Execute>) {
      return besideSavepoints(args[3], () => this.translating(execute.apply(this, args)));
    } as Execute;
  }

  override createKyselyDialect(
    options: Parameters<PostgreSqlConnection['createKyselyDialect']>[0],
  ): ReturnType<PostgreSqlConnection['createKyselyDialect']> {
    const { onPoolCreated, ...rest } = options as { onPoolCreated?: (pool: Pool) => unknown };
    return super.createKyselyDialect({
      ...rest,
      ...(this.type === 'read' && { stream: this.#sockets.opener((rest as { stream?: unknown }).stream) }),
      onPoolCreated: (pool: Pool) => {
        this.#pool = pool;
        pool.on('connect', (client) => {
          if (hasBackstop(this.config)) tellBackstop(client, (sql) => this.logQuery(sql));
          this.#watch(client);
        });
        return onPoolCreated?.(pool);
      },
    } as typeof options);
  }

  /**
   * Sends a statement under its name, by the pool or, where `ctx` is given, by the connection of that transaction. It tells the
   * log what `execute` tells it, and nothing is made for a log that is off: this is the way of the shortest statements.
   */
  executeNamed<Row extends object>(given: NamedQuery, ctx?: object): Promise<Row[]> {
    const shapes = this.#shapes;
    const query = shapes === 0 ? given : { ...given, name: `${given.name}_${shapes}` };
    const send = ctx
      ? () => besideSavepoints(ctx, () => inTransaction<Row>(ctx, query))
      : () => this.#byPool<Row>(query);
    const isLogged = this.logger.isEnabled('query') || this.config.get('slowQueryThreshold') != null;
    const sent = isLogged ? this.#logged(query, send) : send();
    return this.translating(
      sent.catch((error: unknown) => {
        if (!isStale(error)) throw error;
        // Of many that fail together, the first one makes the new name for all.
        if (this.#shapes === shapes) this.#shapes += 1;
        // The transaction has failed with it; its repetition finds the new name.
        if (ctx) throw error;
        return this.#byPool<Row>({ ...given, name: `${given.name}_${this.#shapes}` });
      }),
    );
  }

  /** Ends the sessions with a replica that lets no new one in, so that whoever waits for it gets an error. */
  async endIfSilent(): Promise<void> {
    const { answerWithinMs } = replicaPatienceOf(this.config);
    if (this.#pool) await this.#sockets.closeIfSilent(this.#pool.options, answerWithinMs);
  }

  override async *stream<T>(...args: Parameters<PostgreSqlConnection['stream']>): AsyncIterableIterator<T> {
    try {
      yield* super.stream(...args) as AsyncIterableIterator<T>;
    } catch (error) {
      throw this.translated(error);
    }
  }

  override begin(
    ...args: Parameters<PostgreSqlConnection['begin']>
  ): ReturnType<PostgreSqlConnection['begin']> {
    return this.translating(super.begin(...args));
  }

  override commit(...args: Parameters<PostgreSqlConnection['commit']>): Promise<void> {
    return this.translating(super.commit(...args));
  }

  override rollback(...args: Parameters<PostgreSqlConnection['rollback']>): Promise<void> {
    return this.translating(super.rollback(...args));
  }

  override executeDump(dump: string): Promise<void> {
    return this.translating(super.executeDump(dump));
  }

  /** Not an async function, here as in the methods above it: each one would be a turn of the event loop's queue per statement. */
  protected translating<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      throw this.translated(error);
    });
  }

  async #byPool<Row extends object>(query: NamedQuery): Promise<Row[]> {
    const pool = this.#pool && this.connected ? this.#pool : await this.getNativeClient();
    return (await pool.query<Row>(withScope(query))).rows;
  }

  #logged<Row>({ text, values: params }: NamedQuery, send: () => Promise<Row[]>): Promise<Row[]> {
    const sql = this.logger.isEnabled('query-params') ? withValues(this.platform, text, params) : text;
    return this.executeQuery(sql, send, { params });
  }

  #watch(client: PoolClient): void {
    watch(client, {
      sends: (query) => tellListeners(this.config, query),
      translated: (error) => this.translated(error),
    });
  }

  protected translated(error: unknown): Error {
    return translateDriverError(error, domainErrorsOf(this.config));
  }
}

/**
 * Whether a statement was prepared before a migration changed the type of a column that it gives: PostgreSQL refuses it on
 * every connection that has it, for as long as these live. It has done nothing then.
 */
function isStale(error: unknown): boolean {
  const { code, sqlState = code } = error as { code?: unknown; sqlState?: unknown };
  return sqlState === '0A000';
}

/** Kysely hands `sql` and `parameters` on to `pg` as they are, which takes an object with a name for a text. */
async function inTransaction<Row>(ctx: object, { name, text, values }: NamedQuery): Promise<Row[]> {
  const trx = ctx as { executeQuery(query: object): Promise<{ rows: Row[] }> };
  const query = { kind: 'RawNode', sqlFragments: [text], parameters: [] };
  const { rows } = await trx.executeQuery({ query, sql: { name, text }, parameters: values, queryId: {} });
  return rows;
}

type Query = (...args: unknown[]) => unknown;

interface Watcher {
  sends(query: unknown): void;
  translated(error: unknown): Error;
}

/** Puts two rules between Kysely and a connection of the pool; both see the answers only and send nothing. */
function watch(client: PoolClient, { sends, translated }: Watcher): void {
  const query = client.query.bind(client) as Query;
  const watched = (...args: unknown[]): unknown => {
    sends(args[0]);
    if (args[0] === 'commit' || args[0] === 'rollback') return endTransaction(query, args);
    const answer = query(...args);
    if (!isPromise(answer)) return answer;
    return answer.catch((error: unknown) => {
      throw translated(error);
    });
  };
  Object.assign(client, { query: watched });
}

/**
 * Makes COMMIT and ROLLBACK tell the truth, which Kysely sends as these words and nothing else.
 *
 * PostgreSQL answers the COMMIT of a transaction that a statement has aborted with ROLLBACK and no error, so the program
 * would believe that its work is stored. And a ROLLBACK that fails because the connection is dead must not fail: the
 * session's end has rolled back already, and Kysely gives the connection back to the pool only after a success.
 */
async function endTransaction(query: Query, args: unknown[]): Promise<unknown> {
  try {
    const result = (await query(...args)) as { readonly command?: string } | undefined;
    if (args[0] === 'commit' && result?.command === 'ROLLBACK') throw rolledBack();
    return result;
  } catch (error) {
    if (args[0] === 'rollback' && isConnectionLost(error)) return { command: 'ROLLBACK', rows: [] };
    throw error;
  }
}

/** A cursor is handed through: it reports its errors where it is read. */
function isPromise(answer: unknown): answer is Promise<unknown> {
  return typeof (answer as Partial<Promise<unknown>> | undefined)?.catch === 'function';
}
