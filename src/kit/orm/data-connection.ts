import { DefaultLogger, type LoggingOptions } from '@mikro-orm/core';
import { PostgreSqlConnection } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';
import { translateDriverError } from '../errors/index.ts';
import { tellBackstop } from './backstop-session.ts';
import { type CapturedStatement, captureOf } from './captured-statement.ts';
import { domainErrorsOf, hasBackstop, preparesStatements } from './layer-options.ts';
import { OpenSockets } from './open-sockets.ts';
import { queryByPool } from './pool-query.ts';
import { ReadPipeline } from './read-pipeline.ts';
import { withValues } from './prepared-text.ts';
import type { Dates } from './row-form.ts';
import { keepingRefusal } from './refused-plans.ts';
import { refuseWaiting } from './refuse-waiting.ts';
import { replicaPatienceOf } from './replica-patience.ts';
import { besideSavepoints } from './savepoint.ts';
import { tellListeners, withScope } from './sent-statements.ts';
import { sendShortly } from './short-client.ts';
import { type SentQuery, StatementBinder } from './statement-binder.ts';
import { type Answer, answerOf, StatementSender, viaKysely } from './statement-sender.ts';
import { watch } from './watched-client.ts';

type Execute = PostgreSqlConnection['execute'];
type ExecuteArguments = Parameters<Execute>;

/** A statement with the values of one call, as `pg` takes it. */
interface NamedQuery {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
  readonly isPipelined?: boolean | undefined;
  readonly dates?: Dates | undefined;
}

/**
 * MikroORM's connection, whose errors are all translated: the driver does that for its own statements, but not for raw SQL,
 * queries built by hand, Kysely, streams, and BEGIN and COMMIT, where a deferred constraint reports a row's values.
 *
 * It sends the ORM's statements with parameters, prepared, where stock MikroORM writes the values into the text.
 */
export class DataConnection extends PostgreSqlConnection {
  #pool: Pool | undefined;
  #pipeline: ReadPipeline | undefined;
  readonly #sockets = new OpenSockets();
  #binder: StatementBinder | undefined;
  #sender: StatementSender | undefined;
  #tells = false;

  static {
    // Wrapped here because a subclass cannot restate the type of the core's `execute` without its unions.
    const { execute } = PostgreSqlConnection.prototype;
    this.prototype.execute = function (this: DataConnection, ...args: ExecuteArguments) {
      const sink = captureOf(args[4]);
      if (sink) return captured(sink, args);
      if (this.#binds(args)) return this.#executeBound(...args);
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
        // The innermost, so that what is put around a connection sees the statement as it was given.
        sendShortly(pool);
        if (this.#mayPipeline()) this.#pipeline = new ReadPipeline(pool);
        refuseWaiting(pool);
        this.#tells = this.#isToldOfConnections();
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
  executeNamed<Row extends object>(
    query: NamedQuery,
    ctx?: object,
    loggerContext?: LoggingOptions,
  ): Promise<Row[]> {
    if (!this.#isShown(loggerContext)) return this.#answer<Row>(query, ctx).then(rowsOf, this.#fail);
    const send = (): Promise<Row[]> => this.#answer<Row>(query, ctx).then(rowsOf);
    return this.translating(this.#logged(query, send, loggerContext));
  }

  /** As {@link executeNamed} of a change that returns no row: how many rows it has changed. */
  changeNamed(query: NamedQuery, ctx?: object, loggerContext?: LoggingOptions): Promise<number> {
    if (!this.#isShown(loggerContext)) return this.#answer(query, ctx).then(countOf, this.#fail);
    const send = (): Promise<Answer> => this.#answer(query, ctx);
    return this.translating(this.#logged(query, send, loggerContext).then(countOf));
  }

  /** As `execute`, of which no more is asked than how many rows the statement of the ORM has changed; `ready` is it as it is sent. */
  change(
    sql: string,
    params: unknown[],
    ctx?: ExecuteArguments[3],
    logging?: LoggingOptions,
    ready?: SentQuery,
  ): Promise<number> {
    const args: ExecuteArguments = [sql, params, 'run', ctx, logging];
    if (captureOf(logging) || !this.#binds(args) || !this.#isSilent(logging))
      return this.execute<{ affectedRows: number }>(...args).then(({ affectedRows }) => affectedRows);
    try {
      const asked = this.config.get('onQuery')(sql, params);
      const query = asked === sql && ready ? ready : this.#formed(asked, params);
      return this.#answer(query, ctx).then(countOf, this.#fail);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `execute` of a read of the ORM, in whose rows the instants of these columns may be dates. */
  read(
    sql: string,
    params: unknown[],
    ctx: ExecuteArguments[3],
    logging: LoggingOptions,
    dates: Dates | undefined,
  ): Promise<object[]> {
    const args: ExecuteArguments = [sql, params, 'all', ctx, logging];
    if (captureOf(logging) || !this.#binds(args) || !this.#isSilent(logging)) return this.execute(...args);
    try {
      const query = this.#formed(this.config.get('onQuery')(sql, params), params);
      return this.#answer({ ...query, dates }, ctx).then(rowsOf, this.#fail);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Ends the pool, too, of which Kysely knows only where it has sent something itself. */
  override async close(force?: boolean): Promise<void> {
    const pool = this.#pool;
    await super.close(force);
    if (pool && !pool.ending) await pool.end();
  }

  /** Ends the sessions with a replica that lets no new one in, so that whoever waits for it gets an error. */
  async endIfSilent(): Promise<void> {
    const { answerWithinMs } = replicaPatienceOf(this.config);
    if (this.#pool) await this.#sockets.closeIfSilent(this.#pool.options, answerWithinMs);
  }

  /** A statement of the ORM with the values of a call, in the form in which it is sent. */
  bound(sql: string, params: readonly unknown[]): SentQuery | undefined {
    if (!preparesStatements(this.config)) return undefined;
    this.#binder ??= new StatementBinder(this.platform);
    return this.#binder.bind(sql, params);
  }

  /** What is not a text with its values in order, and what can be aborted, goes the core's way. */
  #binds([query, params, , , logging]: ExecuteArguments): boolean {
    if (typeof query !== 'string' || !Array.isArray(params ?? []) || !this.connected || !this.#pool)
      return false;
    const { signal, inflightQueryAbortStrategy } = (logging ?? {}) as Record<string, unknown>;
    return signal == null && inflightQueryAbortStrategy == null && preparesStatements(this.config);
  }

  #executeBound(...[query, given, method = 'all', ctx, logging]: ExecuteArguments): Promise<unknown> {
    try {
      const params = (given ?? []) as unknown[];
      const sql = this.config.get('onQuery')(query as string, params);
      const bound = this.#formed(sql, params);
      const send = (): Promise<unknown> =>
        this.#answer(bound, ctx).then((answer) => this.transformRawResult(answer as never, method));
      return this.translating(this.#isSilent(logging) ? send() : this.#told(sql, params, logging, send));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #formed(sql: string, params: unknown[]): SentQuery {
    return this.bound(sql, params) ?? { text: this.platform.formatQuery(sql, params), values: [] };
  }

  #isShown(logging: LoggingOptions | undefined): boolean {
    return this.logger.isEnabled('query', logging) || this.config.get('slowQueryThreshold') != null;
  }

  /** A logger of the program's own may want more than it prints. */
  #isSilent(logging: ExecuteArguments[4]): boolean {
    const isCore = Object.getPrototypeOf(this.logger) === DefaultLogger.prototype;
    return isCore && !this.#isShown(logging);
  }

  /** The log shows what it shows without parameters: the text with `?`, or with the values where they are asked for. */
  #told(
    query: string,
    params: unknown[],
    logging: ExecuteArguments[4],
    send: () => Promise<unknown>,
  ): Promise<unknown> {
    const formatted = this.platform.formatQuery(query, params);
    const shown = this.logger.isEnabled('query-params', logging) ? formatted : query;
    return this.executeQuery(shown, send, { query, params, formatted, ...logging });
  }

  #answer<Row = object>(query: SentQuery, ctx?: object): Promise<Answer<Row>> {
    this.#sender ??= new StatementSender({
      logger: this.logger,
      isNaming: preparesStatements(this.config),
      byPool: (sent) => this.#byPool(sent),
    });
    return this.#sender.send<Row>(query, ctx);
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
    return answer.catch(this.#fail);
  }

  readonly #fail = (error: unknown): never => {
    throw this.translated(error);
  };

  /** Past Kysely, unless the program wants to be told of each connection that is taken. */
  #byPool<Row>(query: SentQuery): Promise<Answer<Row>> {
    if (!this.connected) return this.ensureConnection().then(() => this.#byPool<Row>(query));
    if (!this.#pool || this.#tells) return viaKysely(this.getClient(), query);
    if (query.isPipelined && this.#pipeline) return this.#pipeline.query(withScope(query), answerOf<Row>);
    return queryByPool(this.#pool, withScope(query), answerOf<Row>);
  }

  /** Not where another statement is sent before some, or where a statement that lasts too long ends its connection. */
  #mayPipeline(): boolean {
    return preparesStatements(this.config) && !hasBackstop(this.config) && !this.#pool?.options.query_timeout;
  }

  #isToldOfConnections(): boolean {
    const { onCreateConnection, onReserveConnection } = { ...this.config.getAll(), ...this.options };
    const isTold = onCreateConnection ?? onReserveConnection;
    return isTold != null || this.config.get('sessionContext') === 'connection';
  }

  #logged<T>(
    { text, values: params }: NamedQuery,
    send: () => Promise<T>,
    context: LoggingOptions | undefined,
  ): Promise<T> {
    const isShown = this.logger.isEnabled('query-params', context);
    const sql = isShown ? withValues(this.platform, text, params) : text;
    return this.executeQuery(sql, send, { ...context, params });
  }

  #watch(client: PoolClient): void {
    watch(client, {
      sends: (query) => {
        tellListeners(this.config, query);
        if (makesTemporaryTable(query)) this.#sender?.namesAreShadowed();
      },
      translated: (error) => keepingRefusal(error, this.translated(error)),
    });
  }

  protected translated(error: unknown): Error {
    return translateDriverError(error, domainErrorsOf(this.config));
  }
}

const TEMPORARY = /^\s*(?:create|do)\b[^]*\btemp(?:orary)?\b/i;

/**
 * PostgreSQL makes a prepared statement anew when a table is changed that it reads, but not when a temporary one takes its name: in
 * a session that has one already, not even the search path is another one.
 */
function makesTemporaryTable(query: unknown): boolean {
  const text = typeof query === 'string' ? query : (query as { text?: unknown } | undefined)?.text;
  return typeof text === 'string' && TEMPORARY.test(text);
}

const rowsOf = <Row>({ rows }: Answer<Row>): Row[] => rows;
const countOf = ({ numAffectedRows, rows }: Answer): number => Number(numAffectedRows ?? rows.length);

/** Keeps the statement, and answers as a table without rows would. */
function captured(sink: CapturedStatement, [sql, params, method]: ExecuteArguments): Promise<unknown> {
  if (typeof sql === 'string')
    Object.assign(sink, { sql, params: params ?? [], count: (sink.count ?? 0) + 1 });
  if (method === 'run') return Promise.resolve({ affectedRows: 0, rows: [] });
  return Promise.resolve(method === 'get' ? undefined : []);
}
