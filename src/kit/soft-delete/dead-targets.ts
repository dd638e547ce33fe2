import 'reflect-metadata';
import { type EntityMetadata, type EntityProperty, type PrimaryKeyProp } from '@mikro-orm/core';
import { isSoftDeletable } from './marker.ts';
import { ownsKey } from './referrers.ts';

/**
 * What a relation shows when its target is dead: `null`, the key of the dead row as an unloaded reference (`stub`), or
 * nothing at all, because the owner of such a target does not exist either (`hide`).
 */
export type DeadTarget = 'null' | 'stub' | 'hide';

type Policies = Readonly<Record<string, DeadTarget>>;

type IsEntity<Value> = typeof PrimaryKeyProp extends keyof Value
  ? Value extends { [PrimaryKeyProp]?: infer Key }
    ? [NonNullable<Key>] extends [never]
      ? false
      : true
    : false
  : 'id' extends keyof Value
    ? true
    : false;

/** The names of an entity's to-one relations, as far as its type tells them from other objects. */
export type ToOneRelation<Entity> = {
  [Name in keyof Entity & string]-?: true extends IsEntity<NonNullable<Entity[Name]>> ? Name : never;
}[keyof Entity & string];

type DeadTargets<Entity> = [ToOneRelation<Entity>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [Name in ToOneRelation<Entity>]?: DeadTarget };

const DECLARED = Symbol.for('tombstone:dead-targets');

type EntityClass<Entity> = abstract new (...args: never[]) => Entity;

/**
 * Declares what relations of `target` show when the row that they lead to is dead; the answer is the same in every load
 * strategy. `target` need not be soft-deletable itself, and the classes that extend it inherit the declaration.
 *
 * Without a declaration a nullable relation shows `null`. A NOT NULL relation has no answer that suits everybody, so that
 * the ORM does not start until it is declared.
 *
 * @example
 * ```ts
 * softDelete.deadTargets(Loan, { copy: 'stub' });
 * ```
 */
export function declareDeadTargets<Entity extends object>(
  target: EntityClass<Entity>,
  policies: DeadTargets<Entity>,
): void {
  const before = Reflect.getOwnMetadata(DECLARED, target) as Policies | undefined;
  Reflect.defineMetadata(DECLARED, { ...before, ...policies }, target);
}

/** The declarations of a class and of the classes that it extends, by the name of the property. */
export function declaredDeadTargets({ class: target }: Pick<EntityMetadata, 'class'>): Policies {
  let policies: Policies = {};
  for (let each = target as object | null; typeof each === 'function'; each = Object.getPrototypeOf(each)) {
    policies = { ...(Reflect.getOwnMetadata(DECLARED, each) as Policies | undefined), ...policies };
  }
  return policies;
}

/** Whether the property holds the key of a row that may be dead or hidden, and shows that row as an entity. */
export function mayLoseTarget(prop: EntityProperty): boolean {
  const targets = prop.polymorphTargets ?? [prop.targetMeta];
  return (
    ownsKey(prop) && !prop.mapToPk && targets.some((target) => target !== undefined && mayBeAbsent(target))
  );
}

/** Whether a row of the entity may exist in its table and not for the program: dead, or hidden by a dead target. */
export function mayBeAbsent(meta: EntityMetadata): boolean {
  return isSoftDeletable(meta) || hidingRelations(meta).length > 0;
}

const known = new WeakMap<EntityMetadata, Map<string, DeadTarget>>();

/**
 * What the relation shows of a dead target. The root of a single-table hierarchy has the relations of its children, and
 * takes their declarations for them.
 */
export function deadTargetOf(meta: EntityMetadata, prop: EntityProperty): DeadTarget {
  const ofMeta = known.get(meta) ?? new Map<string, DeadTarget>();
  known.set(meta, ofMeta);
  const before = ofMeta.get(prop.name);
  if (before) return before;
  const declared = [meta.class, ...childrenOf(meta)]
    .map((target) => declaredDeadTargets({ class: target as never })[prop.name])
    .find((policy) => policy !== undefined);
  ofMeta.set(prop.name, declared ?? 'null');
  return declared ?? 'null';
}

/** The concrete classes below `meta` in its single-table hierarchy. */
function childrenOf(meta: EntityMetadata): readonly (abstract new () => object)[] {
  const all = Object.values(meta.root?.discriminatorMap ?? {}) as unknown as (abstract new () => object)[];
  return all.filter((one) => (one.prototype as object) instanceof (meta.class as never));
}

const hiding = new WeakMap<EntityMetadata, readonly EntityProperty[]>();

/** The relations of an entity, or of the children of a single-table root, whose dead target hides its owner. */
export function hidingRelations(meta: EntityMetadata): readonly EntityProperty[] {
  const before = hiding.get(meta);
  if (before) return before;
  const found = meta.relations.filter((prop) => ownsKey(prop) && deadTargetOf(meta, prop) === 'hide');
  hiding.set(meta, found);
  return found;
}
