import 'reflect-metadata';
import type { EntityMetadata } from '@mikro-orm/core';
import { setUpsertPolicy, type UpsertPolicy } from './upsert-policy.ts';

const MARKER = Symbol.for('tombstone:soft-delete');

type EntityClass = abstract new (...args: never[]) => object;

/** What else a soft-deletable class may say about itself. */
export interface SoftDeleteOptions {
  /** Required before the first `em.upsert` of the entity: there is no answer that is right for all. */
  readonly upsert?: UpsertPolicy;
}

/** Marks a class as soft-deletable; read back from `meta.class`, so a property name alone decides nothing. */
export function markSoftDeletable(target: EntityClass, { upsert }: SoftDeleteOptions = {}): void {
  Reflect.defineMetadata(MARKER, true, target);
  if (upsert !== undefined) setUpsertPolicy(target, upsert);
}

/** Asked for every alias of every statement, and the look-up walks the prototypes. A class that is not marked yet may become so. */
const known = new WeakSet<object>();

/** Whether the entity's class, or a class that it extends, is soft-deletable. */
export function isSoftDeletable(meta: Pick<EntityMetadata, 'class'> | undefined): boolean {
  const target = meta?.class as object | undefined;
  if (target == null) return false;
  if (known.has(target)) return true;
  const isMarked = Reflect.getMetadata(MARKER, target) === true;
  if (isMarked) known.add(target);
  return isMarked;
}
