import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';

type Row = Readonly<Record<string, unknown>>;

interface Kept {
  readonly __helper?: { readonly __data: Record<string, unknown> };
}

/** What the core derives of a class. */
interface Derived {
  readonly trackingProps: readonly EntityProperty[];
  readonly definedProperties: PropertyDescriptorMap;
}

/**
 * The accessors that the core gives to the to-one relations of an entity, without what makes V8 look up each of its properties in
 * a dictionary from then on: the core deletes properties before it defines them, and makes new functions for each entity.
 */
export class RelationAccessors {
  readonly #propagating: PropertyDescriptorMap | undefined;
  readonly #keeping: readonly (readonly [string, PropertyDescriptor])[];

  constructor(meta: EntityMetadata) {
    const { trackingProps, definedProperties } = meta as unknown as Derived;
    // A relation of the key has a value before the accessors are there, which the core takes out and puts back.
    const hasKey = trackingProps.some(({ primary }) => primary);
    const isAlone = Object.keys(definedProperties).every((name) => !(name in meta.properties));
    this.#propagating = !hasKey || isAlone ? definedProperties : undefined;
    this.#keeping = trackingProps.filter(keepsOnly).map(({ name }) => [name, descriptorOf(name)]);
  }

  /** In the place of the core's `ensurePropagation`, for an entity of which only the key is set. */
  propagate(entity: object): void {
    if (this.#propagating) Object.defineProperties(entity, this.#propagating);
  }

  /** Before an entity is filled: relations without another side, where the row has them. */
  keep(entity: object, row: Row): void {
    for (const [name, descriptor] of this.#keeping) {
      if (row[name] !== undefined) Object.defineProperty(entity, name, descriptor);
    }
  }
}

/** Whether the core's accessors of the relation keep its value and do nothing else. */
function keepsOnly({ kind, primary, persist, inversedBy, mappedBy }: EntityProperty): boolean {
  const isToOne = kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE;
  return isToOne && !primary && persist !== false && !inversedBy && !mappedBy;
}

/** Of the core's own making, but for one thing: all entities share it. */
const descriptorOf = (name: string): PropertyDescriptor => ({
  get(this: Kept): unknown {
    return this.__helper?.__data[name];
  },
  set(this: Required<Kept>, value: unknown): void {
    this.__helper.__data[name] = value;
  },
  enumerable: true,
  configurable: true,
});
