import {
  type Collection,
  type Configuration,
  type ConnectionType,
  type DeleteOptions,
  type DriverMethodOptions,
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
import { currentScope, guardsWrites, hidingRelations, isSoftDeletable } from '../soft-delete/index.ts';
import { captureOf, keepPopulate } from './captured-statement.ts';
import { DataConnection } from './data-connection.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { DriverUpserts } from './driver-upserts.ts';
import { GuardedQueryBuilder } from './guarded-query-builder.ts';
import { mapKeepingStubs } from './keep-stubs.ts';
import { insertByArrays } from './insert-by-arrays.ts';
import { KnownReads } from './known-reads.ts';
import { KnownWrites } from './known-writes.ts';
import { domainErrorsOf } from './layer-options.ts';
import { ownDeletionOf } from './own-deletion.ts';
import { partialIndexWhere } from './partial-index.ts';
import { placedConnection } from './read-place.ts';
import { PlannedReads } from './planned-reads.ts';
import { removeOrphans } from './remove-orphans.ts';
import { refuseViewWrite } from './refuse-view-writes.ts';
import { namesFor } from './shown-owners.ts';
import { updateByArrays } from './update-by-arrays.ts';
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
  readonly #reads = new PlannedReads(this as never);
  readonly #upserts = new DriverUpserts(this, (name, where, rows, options) =>
    super.nativeUpdateMany(name, where as never, rows, options),
  );
  /** @internal Calls of entity managers that need not go through the core again. */
  readonly knownReads = new KnownReads(this.#reads, this);
  /** @internal As {@link knownReads}, for native updates and deletes. */
  readonly knownWrites = new KnownWrites(this.#reads);

  static {
    const { find, count } = this.prototype;
    this.prototype.find = function (this: DataDriver, entityName, where, options = {}) {
      const make = (own: unknown, rest: object) =>
        find.call(this, entityName as never, own as never, rest as never);
      const meta = this.metadata.get(entityName) as never;
      const sink = captureOf(options.logging);
      if (sink) return make(where, keepPopulate(sink, options));
      return this.#reads.find(meta, where, options as never, make) ?? make(where, options);
    } as typeof find;
    this.prototype.count = function (this: DataDriver, entityName, where, options = {}) {
      const make = (own: unknown, rest: object) =>
        count.call(this, entityName as never, own as never, rest as never);
      const meta = this.metadata.get(entityName) as never;
      if (captureOf(options.logging)) return make(where, options);
      return this.#reads.count(meta, where, options as never, make) ?? make(where, options);
    } as typeof count;

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

  /** @internal From now on reads may be filtered in ways that their options do not show. */
  filtersAreAdded(): void {
    this.#reads.filtersAreAdded();
  }

  /** @internal Whether the program has filters beside the layer's own. */
  isFiltered(): boolean {
    return this.#reads.isFiltered();
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
    const meta: EntityMetadata = this.metadata.get(entityName) as never;
    refuseViewWrite(meta);
    const [data, options = {}, transform] = rest;
    const sent = !transform && (await insertByArrays(this, meta, data, options));
    return (sent || super.nativeInsertMany(entityName, ...rest)) as never;
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
    if (guards && options.upsert)
      return this.#upserts.one(entityName as never, where, data, options) as never;
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
    const isGuarded = this.#guards(meta);
    if (options.upsert && isGuarded)
      return this.#upserts.many(entityName as never, where, data, options) as never;
    if (options.upsert) return super.nativeUpdateMany(entityName, where, data, options, transform);
    const write = async (
      conditions: FilterQuery<T>[],
      rows: EntityDictionary<T>[],
      guarded = transform,
    ): Promise<QueryResult<T>> => {
      const sent = !transform && (await updateByArrays(this, meta as never, conditions, rows, options));
      return (sent || super.nativeUpdateMany(entityName, conditions, rows, options, guarded)) as never;
    };
    if (!isGuarded) return write(where, data);
    // A change set whose only change was a foreign key that the removal had emptied arrives empty.
    const changed = data.flatMap((row, index) => (Utils.hasObjectKeys(row) ? [index] : []));
    if (changed.length === 0) return { affectedRows: 0, insertId: 0 as never, rows: [] };
    const conditions = changed.map((index) => where[index] as FilterQuery<T>);
    const rows = changed.map((index) => data[index] as EntityDictionary<T>);
    const names = namesFor(this, meta as never, options.schema);
    const guard = guardBatchUpdate(meta as never, names, currentScope());
    const result = await write(conditions, rows, (sql, params) =>
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
    if (options.em) this.forgetDeletedRows(options.em, meta as never, result.rows ?? []);
    return result;
  }

  override async syncCollections<T extends object, O extends object>(
    collections: Iterable<Collection<T, O>>,
    options: DriverMethodOptions = {},
  ): Promise<void> {
    await super.syncCollections(await removeOrphans(this, collections, options), options);
  }

  /** @internal What a bulk delete has marked is no longer found in the identity map. */
  forgetDeletedRows(em: SqlEntityManager, meta: EntityMetadata, rows: readonly Dictionary[]): void {
    if (this.#guards(meta)) forgetDeleted(em, meta, rows);
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

  #guards(meta: { class: never } | object): boolean {
    const isHiding = currentScope() === undefined && hidingRelations(meta as never).length > 0;
    return isHiding || (guardsWrites(currentScope()) && isSoftDeletable(meta as never));
  }
}

function isVersioned(where: unknown, meta: { versionProperty?: string }): boolean {
  const { versionProperty } = meta;
  return versionProperty !== undefined && Utils.isPlainObject(where) && versionProperty in (where as object);
}
