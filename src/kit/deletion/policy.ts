import 'reflect-metadata';
import type { Collection, EntityMetadata } from '@mikro-orm/core';
import type { ToOneRelation } from '../soft-delete/index.ts';

/**
 * What becomes of the rows that refer to a row when it is deleted: they fall with it (`cascade`), forbid it while they are live
 * (`restrict`), lose the reference (`unlink`), stay as they are (`keep`). Rows of a table that has no deleted rows can also be
 * removed for good (`remove`), or removed and kept in the journal, from where a restore brings them back (`record`).
 */
export type DeletePolicy = 'cascade' | 'restrict' | 'unlink' | 'keep' | 'remove' | 'record';

/** The policies of a link table, whose rows have no life of their own. */
export type LinkPolicy = 'remove' | 'record' | 'restrict' | 'keep';

type Fate<Entity> = 'deletedAt' extends keyof Entity ? 'cascade' : 'remove' | 'record';
type Unlink<Value> = null extends Value ? 'unlink' : undefined extends Value ? 'unlink' : never;

type CollectionName<Entity> = {
  [Name in keyof Entity & string]-?: NonNullable<Entity[Name]> extends Collection<
    infer _Item extends object,
    infer _Owner extends object
  >
    ? Name
    : never;
}[keyof Entity & string];

/** The relations of an entity, each with the policies that it can have. */
export type RelationPolicies<Entity> = {
  readonly [Name in ToOneRelation<Entity>]?: Fate<Entity> | Unlink<Entity[Name]> | 'restrict' | 'keep';
} & { readonly [Name in CollectionName<Entity>]?: LinkPolicy };

const DECLARED = Symbol.for('tombstone:delete-policies');

/** Stores the declarations of a class; the classes that extend it inherit them. */
export function declarePolicies(
  target: object,
  policies: Readonly<Record<string, DeletePolicy | undefined>>,
): void {
  const before = Reflect.getOwnMetadata(DECLARED, target) as Record<string, DeletePolicy> | undefined;
  Reflect.defineMetadata(DECLARED, { ...before, ...policies }, target);
}

/** The declarations of a class and of the classes that it extends, by the name of the property. */
export function declaredPolicies({
  class: target,
}: Pick<EntityMetadata, 'class'>): Readonly<Record<string, DeletePolicy>> {
  let policies: Readonly<Record<string, DeletePolicy>> = {};
  for (let each = target as object | null; typeof each === 'function'; each = Object.getPrototypeOf(each)) {
    policies = { ...(Reflect.getOwnMetadata(DECLARED, each) as typeof policies | undefined), ...policies };
  }
  return policies;
}
