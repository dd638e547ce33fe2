import {
  type EntityName,
  type EntityRepository,
  type FilterQuery,
  type FindOneOptions,
  type FindOptions,
  type GetRepository,
  helper,
  type CountOptions,
  type PopulateOptions,
  TransactionContext,
  type TransactionOptions,
  TransactionPropagation,
} from '@mikro-orm/core';
import { EntityManager, type PostgreSqlDriver } from '@mikro-orm/postgresql';
import { rolledBack, withoutEntity } from '../errors/index.ts';
import { currentScope, keepReferences, runInScope, type ScopeMode } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import type { DataRepository } from './data-repository.ts';
import { keepOwners } from './keep-owners.ts';
import { keepStubs } from './keep-stubs.ts';
import { callKnownVerbs } from './known-verbs.ts';
import { KyselyGuard } from './kysely-guard.ts';
import { hasBackstop } from './layer-options.ts';
import { otherFilters, ownFilter, withFilter } from './own-filter.ts';
import { flushQuickly } from './quick-flush.ts';
import { makeShortly } from './made-entities.ts';
import { SoftDeleteError } from './soft-delete-error.ts';
import type { TrashReads } from './trash-reads.ts';
import { inUpsert, upsertOptions } from './upsert-call.ts';

type AnyFindOptions<T extends object> =
  FindOptions<T, never, never, never> | FindOneOptions<T, never, never, never> | CountOptions<T, never>;
type CacheOption = boolean | number | [string, number] | undefined;

type LoaderType = Parameters<EntityManager['getDataLoader']>[0];
type DataLoader = Awaited<ReturnType<EntityManager['getDataLoader']>>;

/** Asked for by name, to join is the same as by default. */
const JOINING: ReadonlySet<TransactionOptions['propagation']> = new Set([
  undefined,
  TransactionPropagation.REQUIRED,
  TransactionPropagation.SUPPORTS,
  TransactionPropagation.MANDATORY,
]);

/** The first failure of a joined unit of work, by transaction. */
const failures = new WeakMap<object, unknown>();

/**
 * MikroORM's entity manager with the scopes `skipSoftDelete`, `withDeleted` and `onlyDeleted`, and transactions that join.
 *
 * An entity manager belongs to the scope that it was made in, and refuses every call outside it: a shared one would
 * carry dead rows from the scope into normal code by its identity map, its batches and its caches.
 */
export class DataEntityManager<Driver extends PostgreSqlDriver = DataDriver> extends EntityManager<Driver> {
  static {
    callKnownVerbs(this.prototype, EntityManager.prototype);

    const { upsert, upsertMany } = EntityManager.prototype;
    this.prototype.upsert = async function (this: EntityManager, target, data, options) {
      const meta = this.getMetadata().get(classOf(target, data));
      const own = upsertOptions(meta, [data ?? (target as object)], options);
      return inUpsert(() => upsert.call(this, target, data, own)) as never;
    } as typeof upsert;
    this.prototype.upsertMany = async function (this: EntityManager, target, data, options) {
      const rows = (data ?? target) as object[];
      if (rows.length === 0) return [];
      const meta = this.getMetadata().get(classOf(data ? target : rows[0], data));
      const own = upsertOptions(meta, rows, options);
      return inUpsert(() => upsertMany.call(this, target as never, data as never, own)) as never;
    } as typeof upsertMany;

    const { addFilter } = EntityManager.prototype;
    this.prototype.addFilter = function (this: EntityManager, options) {
      (this.getDriver() as unknown as DataDriver).filtersAreAdded();
      addFilter.call(this, options as never);
    };

    const { getKysely } = EntityManager.prototype;
    this.prototype.getKysely = function (this: EntityManager, options) {
      const kysely = getKysely.call(this, options);
      const schema = this.schema ?? this.config.get('schema') ?? 'public';
      return kysely.withPlugin(new KyselyGuard(this.getMetadata(), this.getDriver(), schema));
    } as typeof getKysely;
  }

  #scope = currentScope();

  constructor(...args: ConstructorParameters<typeof EntityManager<Driver>>) {
    super(...args);
    for (const install of [keepReferences, keepStubs, flushQuickly, makeShortly]) install(this);
  }

  /**
   * Runs `work` with an entity manager that sees deleted rows and whose deletes are physical. It starts empty, joins
   * the transaction that is open here, flushes at the end, and refuses every call after that.
   */
  async skipSoftDelete<T>(work: (em: this) => Promise<T>): Promise<T> {
    return this.#inScope('skipSoftDelete', work);
  }

  /**
   * Runs `work` with an entity manager whose reads show live and deleted rows alike. Writes are those of normal code: a
   * delete marks, and a change to a deleted row throws. In everything else it is as `skipSoftDelete`.
   */
  async withDeleted<T>(work: (em: this) => Promise<T>): Promise<T> {
    return this.#inScope('withDeleted', work);
  }

  /**
   * Runs `work` with an entity manager whose reads show deleted rows only, also through relations: the live author of a
   * deleted book is not there. Writes are those of normal code. In everything else it is as `skipSoftDelete`.
   */
  async onlyDeleted<T>(work: (em: TrashReads & this) => Promise<T>): Promise<T> {
    return this.#inScope('onlyDeleted', work as (em: this) => Promise<T>);
  }

  /**
   * Joins the transaction that is open, if one is: only its owner commits or rolls back, and it rolls back when a joined
   * work failed, with a `RolledBackError` if the error was caught on the way. For work that may fail on its own, ask for
   * a savepoint: `propagation: TransactionPropagation.NESTED`.
   */
  override async transactional<T>(
    work: (em: this) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const joins = JOINING.has(options.propagation) && this.isInTransaction();
    if (joins) return this.#join(work);
    return super.transactional(async (em) => {
      const result = await work(em);
      const ctx: object | undefined = em.getTransactionContext();
      if (ctx && failures.has(ctx)) throw rolledBack(failures.get(ctx));
      return result;
    }, options);
  }

  /** @throws RolledBackError where work that joined has failed, as {@link transactional} does. */
  override async commit(): Promise<void> {
    const ctx: object | undefined = this.getContext(false).getTransactionContext();
    if (!ctx || !failures.has(ctx)) return super.commit();
    await this.rollback();
    throw rolledBack(failures.get(ctx));
  }

  override flush(): Promise<void> {
    return super.flush().catch((error: unknown) => {
      throw withoutEntity(error);
    });
  }

  override async lock<T extends object>(...args: Parameters<EntityManager<Driver>['lock']>): Promise<void> {
    await super
      .lock<T>(...(args as Parameters<typeof EntityManager.prototype.lock<T>>))
      .catch((error: unknown) => {
        throw withoutEntity(error);
      });
  }

  /** The entity's own repository class, or else a {@link DataRepository}. */
  override getRepository<
    Entity extends object,
    Repository extends EntityRepository<Entity> = DataRepository<Entity>,
  >(entityName: EntityName<Entity>): GetRepository<Entity, Repository> {
    return super.getRepository<Entity, Repository>(entityName);
  }

  /** @internal */
  override preparePopulate<Entity extends object>(
    entityName: EntityName<Entity>,
    options: Pick<
      FindOptions<Entity, never, never, never>,
      'populate' | 'strategy' | 'fields' | 'flags' | 'filters' | 'exclude' | 'populateHints'
    >,
    validate?: boolean,
  ): Promise<PopulateOptions<Entity>[]> {
    return super.preparePopulate<Entity>(entityName, options, validate).then((populate) => {
      if (populate.length > 0) keepOwners(this.metadata.get(entityName) as never, populate as never);
      return populate;
    });
  }

  /** @internal */
  override applyFilters<Entity extends object>(
    ...args: Parameters<typeof EntityManager.prototype.applyFilters<Entity>>
  ): Promise<FilterQuery<Entity> | undefined> {
    const [entityName, where, options, ...rest] = args;
    const filter = ownFilter(this.config, this.metadata.get(entityName) as never);
    if (!filter) return super.applyFilters<Entity>(...args);
    return super
      .applyFilters<Entity>(entityName, where, otherFilters(options), ...rest)
      .then((others) => withFilter(others, filter) as FilterQuery<Entity> | undefined);
  }

  /** @internal */
  override getContext(validate = true): this {
    const em = super.getContext(validate);
    // The core's constructor calls this before the fields of this class exist.
    if (#scope in em) em.#assertScope();
    return em;
  }

  /** @internal The core's loader of references answers with the reference itself where its row is not there. */
  override async getDataLoader(type: LoaderType): Promise<DataLoader> {
    const loader = await super.getDataLoader(type);
    return type === 'ref' ? loadedOrNull(loader) : loader;
  }

  /** @internal Neither a computed cache key nor a named one knows that a relation's filter was skipped. */
  override cacheKey<T extends object>(
    entityName: EntityName<T>,
    options: AnyFindOptions<T>,
    method: string,
    where: FilterQuery<T>,
  ): unknown[] {
    const key = super.cacheKey(entityName, options, method, where);
    const scope = currentScope();
    return scope ? [...key, scope.mode] : key;
  }

  override async clearCache(cacheKey: string): Promise<void> {
    await super.clearCache(cacheKey);
    for (const mode of CACHED_MODES) await super.clearCache(scopedKey(mode, cacheKey));
  }

  /** @internal */
  override tryCache<T extends object, R>(
    entityName: EntityName<T>,
    config: CacheOption,
    key: unknown,
    refresh?: boolean,
    merge?: boolean,
  ): Promise<{ data?: R | null; key: string } | undefined> {
    const scope = currentScope();
    const scoped: CacheOption =
      scope && Array.isArray(config) ? [scopedKey(scope.mode, config[0]), config[1]] : config;
    return super.tryCache<T, R>(entityName, scoped, key, refresh, merge);
  }

  #inScope<T>(mode: ScopeMode, work: (em: this) => Promise<T>): Promise<T> {
    // Forked on this side of the border, where the outer one may be asked for its filters, parameters and schema.
    const em = this.fork({ keepTransactionContext: true });
    return runInScope(mode, async (scope) => {
      em.#scope = scope;
      const run = async (own: this): Promise<T> => {
        const result = await work(own);
        await own.flush();
        return result;
      };
      // Where a transaction is open, its work joins it, so that a failure is the end of both.
      const needsTransaction = mode === 'skipSoftDelete' && hasBackstop(em.config);
      return TransactionContext.create(em, () => (needsTransaction ? em.transactional(run) : run(em)));
    });
  }

  /** A failure is the end of the whole transaction, also when the work outside catches it: half of a unit is not stored. */
  async #join<T>(work: (em: this) => T | Promise<T>): Promise<T> {
    const em = this.getContext(false);
    try {
      const result = await work(em);
      await em.flush();
      return result;
    } catch (error) {
      const ctx: object | undefined = em.getTransactionContext();
      if (ctx && !failures.has(ctx)) failures.set(ctx, error);
      throw error;
    }
  }

  #assertScope(): void {
    if (this.#scope !== currentScope() || this.#scope?.closed) {
      throw SoftDeleteError.wrongScope('This entity manager');
    }
  }
}

/** `em.upsert` takes an entity, or what names one and data. */
const classOf = (target: unknown, data: unknown): EntityName =>
  (data === undefined ? (target as object).constructor : target) as EntityName;

const CACHED_MODES: readonly ScopeMode[] = ['skipSoftDelete', 'withDeleted', 'onlyDeleted'];

/** The name under which a scope keeps the answer that normal code keeps under `cacheKey`. */
const scopedKey = (mode: ScopeMode, cacheKey: string) => `${mode}|${cacheKey}`;

function loadedOrNull(loader: DataLoader): DataLoader {
  const load = async (key: unknown): Promise<unknown> => {
    const entity = (await loader.load(key)) as object | null | undefined;
    return entity && helper(entity).__initialized ? entity : null;
  };
  return Object.assign(Object.create(loader), { load });
}
