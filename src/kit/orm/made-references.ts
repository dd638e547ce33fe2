import {
  BigIntType,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  EventType,
  helper,
  type Hydrator,
  ReferenceKind,
} from '@mikro-orm/core';

type Row = Record<string, unknown>;

/** What a hydrator hands to `createReference`. */
interface ReferenceOptions {
  key?: string;
  merge?: boolean;
  newEntity?: boolean;
  refresh?: boolean;
  recomputeSnapshot?: boolean;
  convertCustomTypes?: boolean;
  normalizeAccessors?: boolean;
  schema?: string;
  parentSchema?: string;
}

export interface ReferenceFactory {
  createReference(entityName: unknown, id: unknown, options?: ReferenceOptions): object;
}

interface Wrapped {
  __managed: boolean;
  __processing: boolean;
  __initialized: boolean;
  __schema: string | undefined;
}

/** A key of one column whose values are texts or numbers, in the database and in the program. */
export function simpleKey(meta: EntityMetadata): EntityProperty | undefined {
  const [key, ...others] = meta.getPrimaryProps();
  if (!key || others.length > 0 || key.kind !== ReferenceKind.SCALAR || meta.root.class !== meta.class)
    return undefined;
  return isKeptKey(key) ? key : undefined;
}

/** Whether the identity map finds the same entity by the column's values from a row and from the program. */
export const isKeptKey = ({ customType: type }: EntityProperty): boolean =>
  !type ||
  (type as { convertToDatabaseValue?: unknown }).convertToDatabaseValue ===
    BigIntType.prototype.convertToDatabaseValue ||
  'keepsTexts' in type;

/**
 * Makes the references to which the foreign keys of loaded rows point. The core looks for each of them three times in the identity
 * map, writes its key twice and registers it twice; of many rows this is more than what the rows themselves take.
 */
export class ReferenceMaker {
  readonly #em: EntityManager;
  readonly #hydrator: Hydrator;
  readonly #isPlain: (meta: EntityMetadata) => boolean;
  readonly #keys = new Map<EntityMetadata, EntityProperty | undefined>();

  constructor(em: EntityManager, isPlain: (meta: EntityMetadata) => boolean) {
    this.#em = em;
    this.#isPlain = isPlain;
    this.#hydrator = em.config.getHydrator(em.getMetadata()) as unknown as Hydrator;
  }

  /** Undefined for one that the core has to make. */
  create(
    factory: ReferenceFactory,
    entityName: unknown,
    id: unknown,
    options: ReferenceOptions,
  ): object | undefined {
    const { key, merge, newEntity, refresh, recomputeSnapshot, convertCustomTypes, normalizeAccessors } =
      options;
    if (key !== undefined || !merge || newEntity || refresh || recomputeSnapshot || normalizeAccessors)
      return undefined;
    if (!convertCustomTypes || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
    const em = this.#em;
    const meta = em.getMetadata().get(entityName as never);
    const own = this.#keyOf(meta);
    if (!own) return undefined;
    const uow = em.getUnitOfWork(false);
    const schema = em.getDriver().getSchemaName(meta as never, options);
    const known = uow.getById<object>(meta.class, id, schema, true);
    if (known) return known;
    const entity = Object.create(meta.class.prototype as object) as object;
    const wrapped = helper(entity) as unknown as Wrapped;
    wrapped.__managed = true;
    wrapped.__processing = true;
    wrapped.__initialized = false;
    wrapped.__schema = schema;
    const data: Row = { [own.name]: id };
    const rest = [true, options.schema] as const;
    this.#hydrator.hydrateReference(entity, meta as never, data, factory as never, ...rest);
    uow.register(entity, data);
    const events = em.getEventManager();
    if (events.hasListeners(EventType.onInit, meta as never)) {
      void events.dispatchEvent(EventType.onInit, { entity, meta: meta as never, em });
    }
    wrapped.__processing = false;
    return entity;
  }

  #keyOf(meta: EntityMetadata): EntityProperty | undefined {
    if (!this.#keys.has(meta)) this.#keys.set(meta, this.#isPlain(meta) ? simpleKey(meta) : undefined);
    return this.#keys.get(meta);
  }
}
