import {
  type ChangeSet,
  ChangeSetType,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type EventSubscriber,
  type FlushEventArgs,
  helper,
  PolymorphicRef,
  Reference,
  type UnitOfWork,
} from '@mikro-orm/core';
import { rememberReferrers } from './keep-references.ts';
import { isSoftDeletable } from './marker.ts';
import { loadedOf, type Referrer, referencingTo, serialiseKey, tableOf } from './referrers.ts';
import { REMOVALS_ONLY } from './removals-only.ts';
import { currentScope, guardsWrites } from './scope.ts';

type Row = Record<string, unknown>;

/** Soft-removed entities of one table, by serialised primary key. */
type Removed = Map<EntityMetadata, Map<string, object>>;

/** The properties of loaded entities that a program has set to null itself. */
type Nulls = Map<object, Set<string>>;

/**
 * Keeps the foreign keys of rows that refer to a soft-deleted one.
 *
 * `em.remove` clears the references of the entities in the removed entity's collections, and the flush then writes NULL
 * (or fails on a NOT NULL column): right for a row that is gone, a loss of data for a row that is only marked. So the
 * emptied keys are taken out of the change sets, and the references are put back, before anything is written.
 */
export class KeepForeignKeys implements EventSubscriber {
  readonly [REMOVALS_ONLY] = true;
  readonly #nulls = new WeakMap<UnitOfWork, Nulls>();

  beforeFlush({ uow, em }: FlushEventArgs): void {
    const removes = uow.getRemoveStack().size > 0 || uow.getOrphanRemoveStack().size > 0;
    if (removes && guardsWrites(currentScope())) this.#nulls.set(uow, nullsSetByProgram(em, uow));
    else this.#nulls.delete(uow);
  }

  onFlush({ uow, em }: FlushEventArgs): void {
    if (!guardsWrites(currentScope())) return;
    const removed = softRemoved(em, uow);
    if (removed.size === 0) return;
    const nulls = this.#nulls.get(uow) ?? new Map<object, Set<string>>();
    const emptied = new Map<object, Set<string>>();
    for (const [target, referrers] of referrersByTarget(em, uow, removed, nulls)) {
      rememberReferrers(target, referrers);
      for (const { entity, prop } of referrers) {
        if ((entity as Row)[prop.name] !== undefined) continue;
        emptied.set(entity, (emptied.get(entity) ?? new Set()).add(prop.name));
        (entity as Row)[prop.name] = prop.ref ? Reference.create(target) : target;
      }
    }
    for (const changeSet of uow.getChangeSets()) dropEmptiedKeys(changeSet, emptied.get(changeSet.entity));
  }
}

/** Asked before the core computes the change sets: it clears the references of removed entities once more, nulls included. */
function nullsSetByProgram(em: EntityManager, uow: UnitOfWork): Nulls {
  const nulls: Nulls = new Map();
  const classes = new Set<EntityMetadata>();
  for (const entity of [...uow.getRemoveStack(), ...uow.getOrphanRemoveStack()]) {
    const meta = helper(entity).__meta as EntityMetadata;
    if (isSoftDeletable(meta)) classes.add(tableOf(em.getMetadata(), meta));
  }
  for (const { root, prop } of [...classes].flatMap((meta) => referencingTo(em.getMetadata(), meta))) {
    for (const entity of loadedOf(uow, root)) {
      if ((entity as Row)[prop.name] !== null) continue;
      nulls.set(entity, (nulls.get(entity) ?? new Set()).add(prop.name));
    }
  }
  return nulls;
}

function softRemoved(em: EntityManager, uow: UnitOfWork): Removed {
  const removed: Removed = new Map();
  for (const { type, entity, meta } of uow.getChangeSets()) {
    const isDelete = type === ChangeSetType.DELETE || type === ChangeSetType.DELETE_EARLY;
    if (!isDelete || !isSoftDeletable(meta)) continue;
    const table = tableOf(em.getMetadata(), meta);
    const ofTable = removed.get(table) ?? new Map<string, object>();
    ofTable.set(helper(entity as object).getSerializedPrimaryKey(), entity as object);
    removed.set(table, ofTable);
  }
  return removed;
}

/** One pass over the loaded entities per referencing property, however many rows are removed. */
function referrersByTarget(
  em: EntityManager,
  uow: UnitOfWork,
  removed: Removed,
  nulls: Nulls,
): Map<object, Referrer[]> {
  const found = new Map<object, Referrer[]>();
  const inserted = uow.getChangeSets().filter(({ type }) => type === ChangeSetType.CREATE);
  for (const [table, targets] of removed) {
    for (const target of targets.values()) found.set(target, []);
    for (const { root, prop } of referencingTo(em.getMetadata(), table)) {
      const created = inserted
        .filter(({ meta }) => meta.root.class === root.class)
        .map(({ entity }) => entity as object);
      for (const entity of [...loadedOf(uow, root), ...created]) {
        const target = nulls.get(entity)?.has(prop.name) ? undefined : removedTarget(entity, prop, targets);
        if (target) found.get(target)?.push({ entity, prop, key: (entity as Row)[prop.name] });
      }
    }
  }
  return found;
}

/** `undefined` is what a removal leaves behind: then the key counts that the database has. */
function removedTarget(
  entity: object,
  prop: EntityProperty,
  targets: ReadonlyMap<string, object>,
): object | undefined {
  const value = (entity as Row)[prop.name];
  if (value === null) return undefined;
  if (value === undefined) {
    const before = (helper(entity).__originalEntityData as Row | undefined)?.[prop.name];
    return before == null ? undefined : targetOfKey(before, prop, targets);
  }
  if (prop.mapToPk) return targets.get(serialiseKey(value));
  const referenced = Reference.unwrapReference(value);
  const key = helper(referenced).hasPrimaryKey() ? helper(referenced).getSerializedPrimaryKey() : '';
  const target = targets.get(key);
  return target === referenced ? target : undefined;
}

/**
 * The removed row that a key as it was loaded means. A polymorphic one says its class too, since rows of several tables have
 * the same keys; where its target was loaded by a join, the core keeps the whole row in the place of the key.
 */
function targetOfKey(
  before: unknown,
  prop: EntityProperty,
  targets: ReadonlyMap<string, object>,
): object | undefined {
  if (!prop.polymorphic) return targets.get(serialiseKey(before));
  const isKey = before instanceof PolymorphicRef;
  const targetClass = isKey ? prop.discriminatorMap?.[before.discriminator] : (before as object).constructor;
  const meta = prop.polymorphTargets?.find((one) => one.class === targetClass);
  if (!meta) return undefined;
  const key: unknown = isKey ? before.id : meta.primaryKeys.map((name) => (before as Row)[name]);
  const target = targets.get(serialiseKey(key));
  return target instanceof meta.class ? target : undefined;
}

function dropEmptiedKeys(changeSet: ChangeSet<object>, emptied: ReadonlySet<string> | undefined): void {
  const isUpdate = changeSet.type === ChangeSetType.UPDATE || changeSet.type === ChangeSetType.UPDATE_EARLY;
  if (!isUpdate || !emptied) return;
  const payload = changeSet.payload as Row;
  for (const property of emptied) delete payload[property];
  const onUpdate = changeSet.meta.props.filter((prop) => prop.onUpdate).map((prop) => prop.name as string);
  if (Object.keys(payload).every((key) => onUpdate.includes(key))) withdraw(changeSet, onUpdate);
}

/** Nothing but the emptied keys had changed: leave no write, and undo what `onUpdate` set in memory. */
function withdraw(changeSet: ChangeSet<object>, onUpdate: readonly string[]): void {
  const before = (changeSet.originalEntity ?? {}) as Row;
  for (const property of onUpdate) (changeSet.entity as Row)[property] = before[property];
  for (const key of Object.keys(changeSet.payload)) delete (changeSet.payload as Row)[key];
}
