import {
  type Configuration,
  type ConnectionType,
  type DeleteOptions,
  type Dictionary,
  type DriverException,
  type EntityDictionary,
  type EntityData,
  type EntityManagerType,
  type EntityMetadata,
  type EntityName,
  type FilterQuery,
  helper,
  type LockOptions,
  type LoggingOptions,
  type NativeInsertUpdateManyOptions,
  type NativeInsertUpdateOptions,
  type PopulateOptions,
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
import {
  currentScope,
  guardsWrites,
  hidingRelations,
  isSoftDeletable,
  upsertPolicyOf,
} from '../soft-delete/index.ts';
import { DataConnection } from './data-connection.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { GuardedQueryBuilder } from './guarded-query-builder.ts';
import { refuseHiddenConflicts } from './hidden-conflicts.ts';
import { mapKeepingStubs } from './keep-stubs.ts';
import { domainErrorsOf } from './layer-options.ts';
import { ownDeletionOf } from './own-deletion.ts';
import { partialIndexWhere } from './partial-index.ts';
import { placedConnection } from './read-place.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { namesFor } from './shown-owners.ts';
import { upsertByPolicy } from './upsert-by-policy.ts';
import { conflictFields } from './upsert-request.ts';
import { forgetDeleted, guardBatchUpdate, keysOf, missingKeys } from './written-rows.ts';

type UpdateOptions<T> = NativeInsertUpdateOptions<T> & UpsertOptions<T>;
type UpdateManyOptions<T extends object> = NativeInsertUpdateManyOptions<T> & UpsertManyOptions<T>;

type MapJoined = (
  result: Dictionary,
  meta: EntityMetadata,
  populate: readonly PopulateOptions<object>[],
  ...rest: unknown[]
) => void;

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

  static {
    // The core marks this step as private, so that a subclass cannot name it.
    const { mapJoinedProps } = this.prototype as unknown as { mapJoinedProps: MapJoined };
    Object.assign(this.prototype, {
      mapJoinedProps(this: DataDriver, ...args: Parameters<MapJoined>) {
        const [result, meta, populate] = args;
        mapKeepingStubs(result, meta, populate, () => mapJoinedProps.apply(this, args));
      },
    });
  }

  constructor(config: Configuration) {
    super(config);
    this.#domain = domainErrorsOf(config);
    // The core's constructor names its own class of connection; one that was never opened holds nothing.
    const connection = new DataConnection(config);
    const replicas = this.createReplicas((options) => new DataConnection(config, options, 'read'));
    Object.assign(this, { connection, replicas });
  }

  /** Statements ask for a type, whichever way they are made; what asks for none keeps the answer, and is for the primary. */
  override getConnection(type?: ConnectionType): DataConnection {
    return (type && placedConnection(this)) ?? (super.getConnection(type) as DataConnection);
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

  /** An index says what its mapping says; with the guard, one of all rows would hold live ones only. */
  override renderPartialIndexWhere<T extends object>(
    entityName: EntityName<T>,
    where: string | FilterQuery<T>,
  ): string {
    return partialIndexWhere(this, entityName, where);
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
    if (guards && options.upsert) return this.#upsert(entityName, where, data, options);
    const result = await super.nativeUpdate(entityName, where, data, options);
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
    const guard = guardBatchUpdate(
      meta as never,
      namesFor(this, meta as never, options.schema),
      currentScope(),
    );
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
    const meta = this.metadata.get(entityName);
    const own = guardsWrites(currentScope()) ? ownDeletionOf(meta) : undefined;
    if (own) return own.remove(this, meta as never, where, options as never) as Promise<QueryResult<T>>;
    const result = await super.nativeDelete(entityName, where, options);
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

  async #upsert<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>,
    data: EntityDictionary<T>,
    options: UpdateOptions<T>,
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName);
    const collections = this.extractManyToMany(meta, data) as never;
    const result = await this.#upsertMany(entityName, [where], [data], options);
    if (!Utils.hasObjectKeys(collections)) return result;
    const row = result.row && this.mapResult<T>(result.row as never, meta);
    const key = Utils.getOrderedPrimaryKeys({ ...data, ...(row as object) } as never, meta);
    await this.processManyToMany(meta, key, collections, true, options);
    return result;
  }

  /** Without a policy it is the core's own: em.upsert has asked for one, and the links of a collection need none. */
  async #upsertMany<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>[],
    rows: EntityDictionary<T>[],
    options: UpdateManyOptions<T>,
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName) as never;
    const policy = upsertPolicyOf(meta);
    if (!policy) return this.#upsertHiding(entityName, where, rows, options);
    const fields = conflictFields(meta, where[0], options as never);
    const asked = { driver: this, meta, policy, rows, fields, where, options };
    return upsertByPolicy(asked as never) as Promise<QueryResult<T>>;
  }

  /** In a transaction of its own where there is none: no row may be written when another one is hidden. */
  async #upsertHiding<T extends object>(
    entityName: EntityName<T>,
    where: FilterQuery<T>[],
    rows: EntityDictionary<T>[],
    options: UpdateManyOptions<T>,
  ): Promise<QueryResult<T>> {
    const meta = this.metadata.get(entityName) as unknown as EntityMetadata;
    const isHiding = currentScope() === undefined && hidingRelations(meta).length > 0;
    if (!isHiding) return super.nativeUpdateMany(entityName, where, rows, options);
    if (!options.ctx) {
      return this.getConnection('write').transactional((ctx) =>
        this.#upsertHiding(entityName, where, rows, { ...options, ctx }),
      );
    }
    const result = await super.nativeUpdateMany(entityName, where, rows, options);
    if (result.affectedRows < rows.length) await refuseHiddenConflicts(this, meta, where, options);
    return result;
  }

  #guards(meta: { class: never } | object): boolean {
    const isHiding = currentScope() === undefined && hidingRelations(meta as never).length > 0;
    return isHiding || (guardsWrites(currentScope()) && isSoftDeletable(meta as never));
  }
}

function isVersioned(where: unknown, meta: { versionProperty?: string }): boolean {
  return (
    meta.versionProperty !== undefined &&
    Utils.isPlainObject(where) &&
    meta.versionProperty in (where as object)
  );
}
