import 'reflect-metadata';
import type { EntityMetadata } from '@mikro-orm/core';

const POLICY = Symbol.for('tombstone:upsert');
const POLICIES = ['revive', 'refuse', 'beside'] as const;

/**
 * What `em.upsert` does when a deleted row, and no live one, holds the key of the conflict: `revive` makes it live with the
 * given data, `refuse` throws, `beside` inserts a new live row.
 */
export type UpsertPolicy = (typeof POLICIES)[number];

/**
 * Stores the policy of a class; its subclasses inherit it.
 *
 * @throws TypeError when the policy is none of the three, which only untyped code can write.
 */
export function setUpsertPolicy(target: object, policy: UpsertPolicy): void {
  if (!POLICIES.includes(policy)) {
    throw new TypeError(`There is no such upsert policy. Write one of ${POLICIES.join(', ')}.`);
  }
  Reflect.defineMetadata(POLICY, policy, target);
}

/** The policy of the entity's class or of the nearest class that it extends; `undefined` where none was registered. */
export function upsertPolicyOf(meta: Pick<EntityMetadata, 'class'>): UpsertPolicy | undefined {
  return Reflect.getMetadata(POLICY, meta.class) as UpsertPolicy | undefined;
}
