import 'reflect-metadata';
import type { EntityMetadata } from '@mikro-orm/core';

const MARKER = Symbol.for('tombstone:soft-delete');

type EntityClass = abstract new (...args: never[]) => object;

/** Marks a class as soft-deletable; read back from `meta.class`, so a property name alone decides nothing. */
export function markSoftDeletable(target: EntityClass): void {
  Reflect.defineMetadata(MARKER, true, target);
}

/** Whether the entity's class, or a class that it extends, is soft-deletable. */
export function isSoftDeletable(meta: Pick<EntityMetadata, 'class'> | undefined): boolean {
  return meta?.class != null && Reflect.getMetadata(MARKER, meta.class) === true;
}
