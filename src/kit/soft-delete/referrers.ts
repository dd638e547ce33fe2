import {
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  helper,
  type MetadataStorage,
  Reference,
  ReferenceKind,
  type UnitOfWork,
  Utils,
} from '@mikro-orm/core';

type Row = Record<string, unknown>;

/** A loaded entity, and the property by which it refers to another one. */
export interface Referrer {
  readonly entity: object;
  readonly prop: EntityProperty;
  /** The primary key of the target as the property holds it when it is mapped to a key; else undefined. */
  readonly key?: unknown;
}

interface Referencing {
  readonly root: EntityMetadata;
  readonly prop: EntityProperty;
}

const indexes = new WeakMap<MetadataStorage, Map<EntityMetadata, readonly Referencing[]>>();

/**
 * The properties that hold a foreign key to the table of `target`. The core's own list (`referencingProperties`) goes by
 * the name of the class, and so misses a relation to the root of an STI hierarchy when a child of it is removed.
 */
export function referencingTo(metadata: MetadataStorage, target: EntityMetadata): readonly Referencing[] {
  const table = tableOf(metadata, target);
  const index = indexes.get(metadata) ?? new Map<EntityMetadata, readonly Referencing[]>();
  indexes.set(metadata, index);
  const known = index.get(table);
  if (known) return known;
  const found = new Map<string, Referencing>();
  for (const meta of metadata as unknown as Iterable<EntityMetadata>) {
    for (const prop of meta.relations) {
      if (ownsKey(prop) && targetsOf(prop).some((one) => tableOf(metadata, one) === table)) {
        found.set(`${meta.root.className}.${prop.name}`, { root: meta.root, prop });
      }
    }
  }
  index.set(table, [...found.values()]);
  return [...found.values()];
}

/**
 * The metadata that stands for the table of `meta`. An entity carries the metadata of whichever ORM was initialised last in
 * the process, so that only the class tells that two of them mean the same.
 */
export function tableOf(metadata: MetadataStorage, meta: EntityMetadata): EntityMetadata {
  return metadata.get(meta.root.class);
}

/** The loaded entities that refer to `target` at this moment. */
export function referrersTo(em: EntityManager, uow: UnitOfWork, target: object): Referrer[] {
  const found: Referrer[] = [];
  for (const { root, prop } of referencingTo(em.getMetadata(), helper(target).__meta as EntityMetadata)) {
    for (const entity of loadedOf(uow, root)) {
      const value = (entity as Row)[prop.name];
      if (value != null && isReferenceTo(value, prop, target)) found.push(referrer(entity, prop, value));
    }
  }
  return found;
}

/** Loaded entities of one table; the identity map keeps a hierarchy under its root. */
export function loadedOf(uow: UnitOfWork, root: EntityMetadata): Iterable<object> {
  return uow
    .getIdentityMap()
    .getStore<object>(root as never)
    .values();
}

/** Points `referrer` at an unloaded reference to the row of `target`, whose entity has left the identity map. */
export function pointAtRow(em: EntityManager, { entity, prop, key }: Referrer, target: object): void {
  const { class: targetClass } = helper(target).__meta;
  (entity as Row)[prop.name] = prop.mapToPk
    ? key
    : em.getReference<object>(targetClass as never, helper(target).getPrimaryKey() as never, {
        wrapped: prop.ref === true,
      });
}

/** The key of a referenced row in the form that `getSerializedPrimaryKey` has. */
export function serialiseKey(key: unknown): string {
  return Array.isArray(key) ? key.flat().join(Utils.PK_SEPARATOR) : String(key);
}

function referrer(entity: object, prop: EntityProperty, value: unknown): Referrer {
  return prop.mapToPk ? { entity, prop, key: value } : { entity, prop };
}

function isReferenceTo(value: unknown, prop: EntityProperty, target: object): boolean {
  if (prop.mapToPk) return serialiseKey(value) === helper(target).getSerializedPrimaryKey();
  return Reference.unwrapReference(value as object) === target;
}

function targetsOf(prop: EntityProperty): readonly EntityMetadata[] {
  return prop.polymorphTargets ?? (prop.targetMeta ? [prop.targetMeta] : []);
}

/** Whether the property is a to-one relation whose key stands in the row of its owner. */
export function ownsKey(prop: EntityProperty): boolean {
  const isToOne = prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
  return isToOne && (prop.kind === ReferenceKind.MANY_TO_ONE || prop.owner);
}
