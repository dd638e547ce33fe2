import type { Configuration, Dictionary, EntityMetadata, PopulateOptions } from '@mikro-orm/core';
import { currentScope, SOFT_DELETE_FILTER } from '../soft-delete/index.ts';
import { planRead, type ReadPlan } from './read-plan.ts';
import { readShape } from './read-shape.ts';
import type { Dates } from './row-form.ts';
import { type RowMapper, rowMapper } from './row-mapper.ts';
import { isInUpsert } from './upsert-call.ts';

type Row = Dictionary;
type Hints = readonly PopulateOptions<object>[];

/** Options of `find` and `count` as the entity manager hands them to the driver. */
export interface ReadOptions {
  readonly ctx?: object;
  readonly em?: { readonly id: number; getTransactionSessionContext(): unknown };
  readonly populate?: Hints;
  readonly fields?: readonly string[];
  readonly logging?: object;
  readonly connectionType?: 'read' | 'write';
  readonly signal?: unknown;
  readonly inflightQueryAbortStrategy?: unknown;
}

/** Steps of the core's driver; it marks most of them as protected. */
export interface ReadingDriver {
  readonly config: Configuration;
  readonly metadata: { getAll(): ReadonlyMap<unknown, EntityMetadata> };
  resolveConnectionType(options: object): 'read' | 'write' | undefined;
  getConnection(type?: 'read' | 'write'): {
    read(sql: string, params: unknown[], ctx?: object, logging?: object, dates?: Dates): Promise<Row[]>;
  };
  rethrow<T>(promise: Promise<T>): Promise<T>;
  autoJoinOneToOneOwner(meta: EntityMetadata, populate: Hints, fields?: readonly string[]): Hints;
  joinedProps(meta: EntityMetadata, populate: Hints): Hints;
  mapResult(row: Row, meta: EntityMetadata, populate: Hints, builder: object, map: object): Row;
  mergeJoinedResult(rows: Row[], meta: EntityMetadata, joined: Hints): Row[];
}

/** A statement that is known, and the values of one call. */
export interface PlannedCall {
  readonly plan: ReadPlan;
  readonly leaves: readonly unknown[];
}

type Make = (where: unknown, options: Record<string, unknown>) => Promise<unknown>;

/** What a shape has come to: seen once, a plan, or a read that the core has to make each time. */
type Entry = ReadPlan | 'seen' | 'unfit';

const MAX_PLANS = 500;

/**
 * The statements of reads that were made before, by their shape. Two thirds of what the core does for a short read is to make its
 * statement; one of the same shape is the same statement with other values. Rows are never kept.
 */
export class PlannedReads {
  readonly #driver: ReadingDriver;
  readonly #plans = new Map<string, Entry>();
  readonly #numbers = new WeakMap<EntityMetadata, number>();
  readonly #mappers = new WeakMap<ReadPlan, RowMapper | undefined>();
  readonly #isFit = new WeakMap<EntityMetadata, boolean>();
  #hasFilters = false;
  /** How many entities {@link isFiltered} has looked at. */
  #seen = 0;
  #count = 0;

  constructor(driver: ReadingDriver) {
    this.#driver = driver;
  }

  /** From now on filters may reach the joins of a condition, whose values are not seen here. */
  filtersAreAdded(): void {
    this.#hasFilters = true;
  }

  /** The rows of the read, as the core's `find` would give them; undefined when it has to make the statement. */
  find(meta: EntityMetadata, where: unknown, options: ReadOptions, make: Make): Promise<Row[]> | undefined {
    return this.#run('find', meta, where, options, make)?.then((run) =>
      run.plan ? this.found(meta, options, run) : (run.made as Row[]),
    );
  }

  /** As {@link find}, for `count`. */
  count(meta: EntityMetadata, where: unknown, options: ReadOptions, make: Make): Promise<number> | undefined {
    return this.#run('count', meta, where, options, make)?.then((run) => {
      if (!run.plan) return run.made as number;
      return this.counted(options, run);
    });
  }

  #run(verb: string, meta: EntityMetadata, where: unknown, options: ReadOptions, make: Make) {
    const scope = currentScope();
    if (scope?.closed || isInUpsert() || !this.fits(meta) || options.em?.getTransactionSessionContext())
      return undefined;
    const shape = readShape(where, options as Record<string, unknown>);
    if (!shape) return undefined;
    const key = `${verb}${this.numberOf(meta)}${scope?.mode ?? ''}${options.em ? 'e' : ''}${this.isFiltered() ? 'f' : ''}${shape.key}`;
    const entry = this.#plans.get(key);
    if (entry === 'unfit') return undefined;
    if (!entry) {
      this.#keep(key, 'seen');
      return undefined;
    }
    const { leaves } = shape;
    if (entry !== 'seen') return Promise.resolve({ plan: entry, leaves, made: undefined });
    return planRead(make, where, options as Record<string, unknown>, shape).then(async (made) => {
      const plan = made && this.isSafe(made) ? made : undefined;
      this.#keep(key, plan ?? 'unfit');
      return plan
        ? { plan, leaves, made: undefined }
        : { plan, leaves, made: await make(where, { ...options }) };
    });
  }

  #keep(key: string, entry: Entry): void {
    this.#plans.delete(key);
    if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value as string);
    this.#plans.set(key, entry);
  }

  /** The rows of a statement with the values of one call, as PostgreSQL gives them. */
  sent(options: ReadOptions, { plan, leaves }: PlannedCall): Promise<Row[]> {
    const driver = this.#driver;
    const { ctx, connectionType, logging, em, signal, inflightQueryAbortStrategy } = options;
    const abort =
      signal == null && inflightQueryAbortStrategy == null
        ? undefined
        : { signal, inflightQueryAbortStrategy };
    const type = driver.resolveConnectionType({ ctx, connectionType }) ?? (ctx ? 'write' : undefined);
    const preferred = type ?? (driver.config.get('preferReadReplicas') ? 'read' : 'write');
    const context = { id: em?.id, ...logging, ...abort };
    return driver.rethrow(
      driver
        .getConnection(preferred)
        .read(plan.text(leaves), plan.values(leaves), ctx, context, this.#mappers.get(plan)?.dates),
    );
  }

  /** The answer of a `count`. */
  counted(options: ReadOptions, run: PlannedCall): Promise<number> {
    return this.sent(options, run).then(([row]) => (row ? Number(row['count']) : 0));
  }

  /** The rows of a `find`, as the core's driver gives them. */
  async found(meta: EntityMetadata, options: ReadOptions, run: PlannedCall): Promise<Row[]> {
    const rows = await this.sent(options, run);
    if (rows.length === 0) return [];
    const driver = this.#driver;
    const own = driver.autoJoinOneToOneOwner(meta, options.populate ?? [], options.fields);
    const { builder } = run.plan;
    // The builder has added the inverse one-to-ones that it joins by itself.
    const { populate: known } = (builder as { state: BuilderState }).state;
    const populate = known.length > own.length ? [...own, ...known.slice(own.length)] : own;
    const mapper = this.#mapperOf(run.plan, meta, populate, rows[0] as Row);
    if (mapper) return mapper.map(rows, populate);
    const joined = driver.joinedProps(meta, populate);
    const map = {};
    const mapped = rows.map((row) => driver.mapResult(row, meta, populate, builder, map));
    return joined.length > 0 ? driver.mergeJoinedResult(mapped, meta, joined) : mapped;
  }

  #mapperOf(plan: ReadPlan, meta: EntityMetadata, populate: Hints, row: Row): RowMapper | undefined {
    if (this.#mappers.has(plan)) return this.#mappers.get(plan);
    const mapper = rowMapper(this.#driver as never, meta, populate, plan.builder as never, Object.keys(row));
    this.#mappers.set(plan, mapper);
    return mapper;
  }

  /** A formula and a type with SQL of its own may make another text each time. */
  fits(meta: EntityMetadata): boolean {
    const known = this.#isFit.get(meta);
    if (known !== undefined) return known;
    const own = (prop: EntityMetadata['props'][number]): boolean =>
      prop.formula !== undefined || prop.hasConvertToJSValueSQL || prop.hasConvertToDatabaseValueSQL;
    const fits = !meta.virtual && meta.inheritanceType !== 'tpt' && !meta.tptParent && !meta.props.some(own);
    this.#isFit.set(meta, fits);
    return fits;
  }

  /** Whether the statement may be sent again without a look at its filters. */
  isSafe({ builder }: ReadPlan): boolean {
    const { aliases, autoJoinedPaths } = (builder as { state: BuilderState }).state;
    if (this.isFiltered() && [...autoJoinedPaths].length > 0) return false;
    return Object.values(aliases).every(({ meta }) => !meta || this.fits(meta));
  }

  /** Whether there are filters but the layer's own: a condition's joins are filtered where only the core looks. */
  isFiltered(): boolean {
    const { config, metadata } = this.#driver;
    // Entities may be discovered later.
    const metas = metadata.getAll();
    if (this.#hasFilters || this.#seen === metas.size) return this.#hasFilters;
    this.#seen = metas.size;
    const names = Object.keys(config.get('filters'));
    this.#hasFilters =
      names.some((name) => name !== SOFT_DELETE_FILTER) || [...metas.values()].some(hasFilters);
    return this.#hasFilters;
  }

  /** Stands for the class in a key. */
  numberOf(meta: EntityMetadata): number {
    const known = this.#numbers.get(meta);
    if (known !== undefined) return known;
    this.#count += 1;
    this.#numbers.set(meta, this.#count);
    return this.#count;
  }
}

/** Whether an entity has filters of its own. */
const hasFilters = (meta: EntityMetadata): boolean => Object.keys(meta.filters).length > 0;

interface BuilderState {
  readonly aliases: Readonly<Record<string, { readonly meta?: EntityMetadata }>>;
  readonly autoJoinedPaths: Iterable<string>;
  readonly populate: Hints;
}
