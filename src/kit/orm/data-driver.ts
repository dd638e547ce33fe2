import {
  type Configuration,
  type ConnectionType,
  type DeleteOptions,
  type DriverException,
  type EntityDictionary,
  type EntityData,
  type EntityManagerType,
  type EntityName,
  type FilterQuery,
  helper,
  type LockOptions,
  type LoggingOptions,
  type NativeInsertUpdateManyOptions,
  type NativeInsertUpdateOptions,
  QueryFlag,
  type QueryResult,
  raw,
  type Transaction,
  type UpsertManyOptions,
  type UpsertOptions,
  Utils,
} from '@mikro-orm/core';
import { type AnyQueryBuilder, PostgreSqlDriver, type SqlEntityManager } from '@mikro-orm/postgresql';
import { type DomainErrors, SoftDeletedRowError, translateDriverError } from '../errors/index.ts';
import { currentScope, guardsWrites, isSoftDeletable } from '../soft-delete/index.ts';
import { DataConnection } from './data-connection.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { GuardedQueryBuilder } from './guarded-query-builder.ts';
import { domainErrorsOf } from './layer-options.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { refuseDeadConflicts } from './upsert-guard.ts';
import { forgetDeleted, guardBatchUpdate, keysOf, missingKeys } from './written-rows.ts';

type UpdateOptions<T> = NativeInsertUpdateOptions<T> & UpsertOptions<T>;
type UpdateManyOptions<T extends object> = NativeInsertUpdateManyOptions<T> & UpsertManyOptions<T>;

type InsertManyRest<T extends object> = [
  data: EntityDictionary<T>[],
  options?: NativeInsertUpdateManyOptions<T>,
  transform?: (sql: string) => string,
];

/**
 * MikroORM's PostgreSQL driver with the layer's rules: it hands out the guarded query builder, checks that a flush
 * changed every row that it meant to change, and translates the errors of the database, all in one place.
 */
export class DataDriver extends PostgreSqlDriver {
  declare [EntityManagerType]: DataEntityManager<this>;
  readonly #domain: DomainErrors;

  constructor(config: Configuration) {
    super(config);
    this.#domain = domainErrorsOf(config);
    // The core's constructor names its own class of connection; one that was never opened holds nothing.
    const connection = new DataConnection(config);
    const replicas = this.createReplicas((options) => new DataConnection(config, options, 'read'));
    Object.assign(this, { connection, replicas });
  }

  override convertException(exception: Error): DriverException {
    return translateDriverError(exception, this.#domain);
  }

  override createQueryBuilder<T extends object>(
    entityName: EntityName<T> | AnyQueryBuilder<T>,
    ctx?: Transaction,
    preferredConnectionType?: ConnectionType,
    convertCustomTypes?: boolean,
    loggerContext?: LoggingOptions,
    alias?: string,
    em?: SqlEntityManager,
  ): AnyQueryBuilder<T> {
    const connectionType = em
      ? preferredConnectionType
      : this.resolveConnectionType({ ctx, connectionType: preferredConnectionType });
    const builder = new GuardedQueryBuilder<T>(
      entityName,
      this.metadata,
      this,
      ctx,
      alias,
      connectionType,
      em,
      loggerContext,
    );
    if (!convertCustomTypes) builder.unsetFlag(QueryFlag.CONVERT_CUSTOM_TYPES);
    return builder as unknown as AnyQueryBuilder<T>;
  }

  /** The core writes this one as text, past the query builder; only views need a look at it. */
  override async nativeInsertMany<T extends object>(
    entityName: EntityName<T>,
    ...rest: InsertManyRest<T>
  ): Promise<QueryResult<T>> {
    refuseViewWrite(this.metadata.get(entityName) as never);
    return super.nativeInsertMany(entityName, ...rest);
  }

  override async nativeUpdate<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>,
    data: EntityDictionary<T>,
    options: UpdateOptions<T> = {},
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName);
    const guards = this.#guards(meta);
    // Only `em.nativeUpdate` hands its entity manager over; for it, zero rows are an answer.
    const expectsRow = guards && !options.upsert && !('em' in options) && Utils.hasObjectKeys(data);
    const result = await super.nativeUpdate(entityName, where, data, options);
    if (guards && options.upsert && result.affectedRows === 0) {
      await refuseDeadConflicts(this, meta as never, [where], options.ctx);
    }
    // A versioned row is checked by the core, which reports an OptimisticLockError.
    if (expectsRow && result.affectedRows === 0 && !isVersioned(where, meta)) {
      throw new SoftDeletedRowError(meta.className, keysOf(meta as never, [where]));
    }
    return result;
  }

  override async nativeUpdateMany<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>[],
    data: EntityDictionary<T>[],
    options: UpdateManyOptions<T> = {},
    transform?: (sql: string, params: unknown[]) => string,
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName);
    if (!this.#guards(meta)) return super.nativeUpdateMany(entityName, where, data, options, transform);
    if (options.upsert) return this.#upsertMany(entityName, where, data, options);
    // A change set whose only change was a foreign key that the removal had emptied arrives empty.
    const changed = data.flatMap((row, index) => (Utils.hasObjectKeys(row) ? [index] : []));
    if (changed.length === 0) return { affectedRows: 0, insertId: 0 as never, rows: [] };
    const conditions = changed.map((index) => where[index] as FilterQuery<T>);
    const rows = changed.map((index) => data[index] as EntityDictionary<T>);
    const guard = guardBatchUpdate(meta as never, (name) => this.platform.quoteIdentifier(name));
    const result = await super.nativeUpdateMany(entityName, conditions, rows, options, (sql, params) =>
      guard(transform ? transform(sql, params) : sql),
    );
    const missing = missingKeys(meta as never, conditions, result.rows ?? []);
    if (missing.length > 0) throw new SoftDeletedRowError(meta.className, missing);
    return result;
  }

  override async nativeDelete<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T> | string,
    options: DeleteOptions<T> & { em?: SqlEntityManager } = {},
  ): Promise<QueryResult<T>> {
    const result = await super.nativeDelete(entityName, where, options);
    const meta = this.metadata.get(entityName);
    if (options.em && this.#guards(meta)) forgetDeleted(options.em, meta as never, result.rows ?? []);
    return result;
  }

  override async lockPessimistic<T extends object>(entity: T, options: LockOptions): Promise<void> {
    const meta = helper(entity).__meta;
    const builder = this.createQueryBuilder(meta.class, options.ctx, undefined, undefined, options.logging);
    builder.withSchema(options.schema ?? meta.schema).select(raw('1'));
    builder.where(Utils.getPrimaryKeyCond(entity, meta.primaryKeys) as never);
    builder.setLockMode(options.lockMode, options.lockTableAliases);
    const rows = await this.rethrow(builder.execute<unknown[]>('all', { mapResults: false }));
    if (rows.length === 0 && this.#guards(meta)) {
      throw new SoftDeletedRowError(meta.className, [helper(entity).getSerializedPrimaryKey()]);
    }
  }

  override async nativeClone<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>,
    overrides?: EntityData<T>,
    options?: NativeInsertUpdateOptions<T>,
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName);
    // The core hands a bare key on as a condition, where a text is a piece of SQL.
    const byKey = Utils.isPrimaryKey(where, meta.compositePK)
      ? ({ [Utils.getPrimaryKeyHash(meta.primaryKeys)]: where } as FilterQuery<T>)
      : where;
    const result = await super.nativeClone(entityName, byKey, overrides, options);
    if (result.affectedRows === 0 && this.#guards(meta)) {
      throw new SoftDeletedRowError(meta.className, keysOf(meta as never, [byKey]));
    }
    return result;
  }

  /** In a transaction of its own where there is none: the rows that are live must not be written when another is dead. */
  async #upsertMany<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>[],
    data: EntityDictionary<T>[],
    options: UpdateManyOptions<T>,
  ): Promise<QueryResult<T>> {
    const { ctx } = options;
    if (!ctx) {
      return this.getConnection('write').transactional((own) =>
        this.#upsertMany(entityName, where, data, { ...options, ctx: own }),
      );
    }
    const result = await super.nativeUpdateMany(entityName, where, data, options);
    if (result.affectedRows < data.length) {
      await refuseDeadConflicts(this, this.metadata.get(entityName) as never, where, ctx);
    }
    return result;
  }

  #guards(meta: { class: never } | object): boolean {
    return guardsWrites(currentScope()) && isSoftDeletable(meta as never);
  }
}

function isVersioned(where: unknown, meta: { versionProperty?: string }): boolean {
  return (
    meta.versionProperty !== undefined &&
    Utils.isPlainObject(where) &&
    meta.versionProperty in (where as object)
  );
}
