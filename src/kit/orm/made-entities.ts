import {
  EntityHelper,
  EventType,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  helper,
  type Hydrator,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import { type BareEntity, bareEntity } from './bare-entity.ts';
import { type KeyHash, keyHash } from './key-hash.ts';
import { type ReferenceFactory, ReferenceMaker, simpleKey } from './made-references.ts';
import { RelationAccessors } from './relation-accessors.ts';
import { isSharedPart } from './row-mapper.ts';

type Row = Record<string, unknown>;

/** What the core's loops hand to `create`. */
interface CreateOptions {
  initialized?: boolean;
  newEntity?: boolean;
  merge?: boolean;
  refresh?: boolean;
  recomputeSnapshot?: boolean;
  convertCustomTypes?: boolean;
  normalizeAccessors?: boolean;
  schema?: string;
  parentSchema?: string;
}

type Create = (entityName: unknown, data: Row, options?: CreateOptions) => object;

/** Steps of the core's factory, one of which it marks as private. */
interface Factory extends ReferenceFactory {
  create: Create;
  findEntity(data: Row, meta: EntityMetadata, options: CreateOptions): object | undefined;
}

interface Wrapped {
  __em?: object;
  __managed: boolean;
  __processing: boolean;
  __initialized: boolean;
  __schema: string | undefined;
  __originalEntityData?: Row;
  __loadedProperties: Set<string>;
}

/** How the entities of a class are made from rows; undefined for a class that the core has to make. */
interface Recipe {
  /** Makes an entity that has the properties {@link own}, all of them undefined. */
  readonly make: BareEntity;
  /** The scalars, in the core's order. */
  readonly own: readonly string[];
  /** The names that the last row had, which most rows have: a copy of a set is quicker than a new one. */
  names: ReadonlySet<string>;
  /** As {@link make}, for rows of some columns only, by the names that are there. */
  readonly partial: Map<string, BareEntity>;
  readonly relations: readonly OwnRelation[];
  readonly accessors: RelationAccessors;
  /** To-one relations of the primary key. */
  readonly keys: readonly EntityProperty[];
  /** By what the identity map can be asked for the entity of a row. */
  readonly hash: KeyHash | undefined;
}

/** A to-one relation; `key` is the target's, where it is one column whose value stands in the snapshot as it is. */
interface OwnRelation {
  readonly name: string;
  readonly targetMeta: EntityMetadata | undefined;
  readonly key: string | undefined;
}

/** By metadata, which belongs to one ORM. */
const recipes = new WeakMap<EntityMetadata, Recipe | null>();

/** The entity made of a row's part, which several rows of one answer share. */
const made = new WeakMap<Row, object>();

/**
 * Makes the factory of an entity manager create loaded entities by a shorter way. The core gives each scalar of each entity a pair
 * of accessors, which do nothing but keep a value; and it merges a joined row with the entity that the same row has just made.
 * Whatever is not a loaded entity of a plain class goes the core's way.
 */
export function makeShortly(em: EntityManager): void {
  const factory = em.getEntityFactory() as unknown as Factory;
  const create = factory.create.bind(factory);
  const createReference = factory.createReference.bind(factory);
  const maker = new Maker(em, factory);
  const references = new ReferenceMaker(em, (meta) => recipeOf(em, meta) !== null);
  Object.assign(factory, {
    createReference: (entityName: unknown, id: unknown, options: CreateOptions = {}) =>
      maker.known(id, options) ??
      references.create(factory, entityName, id, options) ??
      createReference(entityName, id, options),
    create: (entityName: unknown, data: Row, options: CreateOptions = {}) =>
      maker.create(entityName, data, options) ?? create(entityName, data, options),
  });
}

class Maker {
  readonly #em: EntityManager;
  readonly #factory: Factory;
  readonly #hydrator: Hydrator;

  constructor(em: EntityManager, factory: Factory) {
    this.#em = em;
    this.#factory = factory;
    this.#hydrator = em.config.getHydrator(em.getMetadata()) as unknown as Hydrator;
  }

  create(entityName: unknown, data: Row, options: CreateOptions): object | undefined {
    const { merge, convertCustomTypes, newEntity, refresh, recomputeSnapshot, normalizeAccessors } = options;
    if (!merge || !convertCustomTypes || newEntity || refresh || recomputeSnapshot || normalizeAccessors)
      return undefined;
    if (options.initialized === false || !Utils.isPlainObject(data)) return undefined;
    const known = this.known(data, options);
    if (known) return known;
    const meta = this.#em.getMetadata().get(entityName as never);
    const recipe = recipeOf(this.#em, meta);
    const make = recipe && makerOf(this.#em, meta, recipe, data);
    if (!recipe || !make) return undefined;
    for (const { name, targetMeta } of recipe.keys) {
      // Otherwise the core makes a reference of it first, and merges the row into that one.
      if (Utils.isPlainObject(data[name]))
        this.#factory.create(targetMeta?.class, data[name], nested(options));
    }
    if (this.#isThere(meta, recipe, data, options)) return undefined;
    const entity = this.#new(meta, recipe, make(), data, options);
    if (isSharedPart(data)) made.set(data, entity);
    return entity;
  }

  /** The entity that was made of this part of a row already. */
  known(part: unknown, { key }: CreateOptions & { readonly key?: string }): object | undefined {
    if (typeof part !== 'object' || part === null || key !== undefined) return undefined;
    const known = made.get(part as Row);
    return known && helper(known).__em === this.#em ? known : undefined;
  }

  #isThere(meta: EntityMetadata, { hash }: Recipe, data: Row, options: CreateOptions): boolean {
    const own = hash?.(data);
    if (own === undefined) return this.#factory.findEntity(data, meta, options) !== undefined;
    const em = this.#em;
    const schema = em.getDriver().getSchemaName(meta as never, options) ?? em.config.getSchema();
    const entities = em.getUnitOfWork(false).getIdentityMap();
    return entities.getByHash(meta as never, schema ? `${schema}:${own}` : own) !== undefined;
  }

  /** The core's own steps, in its order. */
  #new(meta: EntityMetadata, recipe: Recipe, entity: object, data: Row, options: CreateOptions): object {
    const em = this.#em;
    const uow = em.getUnitOfWork(false);
    const schema = em.getDriver().getSchemaName(meta as never, options);
    const wrapped = helper(entity) as unknown as Wrapped;
    wrapped.__managed = true;
    wrapped.__processing = true;
    wrapped.__schema = schema;
    const snapshot = { ...data };
    const rest = [options.convertCustomTypes, options.schema] as const;
    this.#hydrator.hydrateReference(entity, meta as never, snapshot, this.#factory as never, ...rest);
    recipe.accessors.propagate(entity);
    uow.register(entity);
    EntityHelper.ensurePropagation(entity);
    recipe.accessors.keep(entity, snapshot);
    wrapped.__initialized = true;
    this.#hydrator.hydrate(
      entity,
      meta as never,
      snapshot,
      this.#factory as never,
      'full',
      undefined,
      ...rest,
      schema,
    );
    for (const { name, targetMeta, key } of recipe.relations) {
      const value = snapshot[name];
      if (!Utils.isPlainObject(value)) continue;
      snapshot[name] = key ? value[key] : Utils.getPrimaryKeyValues(value, targetMeta as never, true);
    }
    wrapped.__loadedProperties = loadedNames(meta, recipe, snapshot);
    wrapped.__originalEntityData = snapshot;
    const events = em.getEventManager();
    // Only then the order in which entities are loaded is asked for.
    if (events.hasListeners(EventType.onLoad, meta as never))
      uow.register(entity, undefined, { loaded: true });
    if (events.hasListeners(EventType.onInit, meta as never)) {
      void events.dispatchEvent(EventType.onInit, { entity, meta: meta as never, em });
    }
    wrapped.__processing = false;
    return entity;
  }
}

const nested = ({ convertCustomTypes, schema }: CreateOptions): CreateOptions => ({
  initialized: true,
  merge: true,
  ...(convertCustomTypes !== undefined && { convertCustomTypes }),
  ...(schema !== undefined && { schema }),
});

function loadedNames(meta: EntityMetadata, recipe: Recipe, row: Row): Set<string> {
  const { names } = recipe;
  let count = 0;
  for (const key in row) {
    if (!(key in meta.properties)) continue;
    if (!names.has(key)) count = Infinity;
    count += 1;
  }
  if (count !== names.size) recipe.names = new Set(Object.keys(row).filter((key) => key in meta.properties));
  return new Set(recipe.names);
}

const MAX_PARTIAL = 100;

/** An entity has the properties of the columns that were read. Undefined for one more set of columns than are kept. */
function makerOf(em: EntityManager, meta: EntityMetadata, recipe: Recipe, data: Row): BareEntity | undefined {
  const { own, partial } = recipe;
  if (own.every((name) => data[name] !== undefined)) return recipe.make;
  const names = own.filter((name) => data[name] !== undefined);
  const key = names.join();
  const known = partial.get(key);
  if (known || partial.size >= MAX_PARTIAL) return known;
  const make = bareEntity(em, meta, names);
  partial.set(key, make);
  return make;
}

function recipeOf(em: EntityManager, meta: EntityMetadata): Recipe | null {
  const known = recipes.get(meta);
  if (known !== undefined) return known;
  const recipe = makeRecipe(em, meta);
  recipes.set(meta, recipe);
  return recipe;
}

const TO_ONE = new Set<ReferenceKind>([ReferenceKind.MANY_TO_ONE, ReferenceKind.ONE_TO_ONE]);

function makeRecipe(em: EntityManager, meta: EntityMetadata): Recipe | null {
  const { hydrateProps, root } = meta as unknown as {
    hydrateProps: EntityProperty[];
    root: EntityMetadata;
  };
  const isSpecial =
    em.config.get('forceEntityConstructor') || em.config.get('forceUndefined') || meta.forceConstructor;
  if (isSpecial || meta.virtual || meta.embeddable || root.inheritanceType || meta.serializedPrimaryKey)
    return null;
  if (meta.props.some(isUnusual)) return null;
  const own = hydrateProps
    .filter(({ kind, lazy }) => kind === ReferenceKind.SCALAR && !lazy)
    .map(({ name }) => name);
  const relations = meta.relations.filter(({ kind }) => TO_ONE.has(kind));
  return {
    make: bareEntity(em, meta, own),
    own,
    names: new Set(),
    partial: new Map(),
    relations: relations.map(({ name, targetMeta }) => ({
      name,
      targetMeta,
      key: targetMeta && simpleKey(targetMeta)?.name,
    })),
    accessors: new RelationAccessors(meta),
    keys: relations.filter(({ primary }) => primary),
    hash: keyHash(meta),
  };
}

/** Accessors, references to scalars, embeddables, polymorphic relations and columns that are not hydrated. */
function isUnusual(prop: EntityProperty): boolean {
  const isAccessor = prop.getter ?? prop.setter ?? prop.accessor ?? prop.formula;
  const isScalarReference = prop.kind === ReferenceKind.SCALAR && prop.ref;
  const isOwnPlace = prop.polymorphic ?? prop.mapToPk ?? prop.embedded ?? prop.inherited;
  return Boolean(
    isAccessor ||
    isScalarReference ||
    isOwnPlace ||
    prop.hydrate === false ||
    prop.kind === ReferenceKind.EMBEDDED ||
    (prop.kind === ReferenceKind.SCALAR && prop.persist === false),
  );
}
