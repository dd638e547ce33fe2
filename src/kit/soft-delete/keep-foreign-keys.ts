import {
  type ChangeSet,
  ChangeSetType,
  type EntityMetadata,
  type EntityProperty,
  type EventSubscriber,
  type FlushEventArgs,
  helper,
  Reference,
  ReferenceKind,
  type UnitOfWork,
  Utils,
} from '@mikro-orm/core';
import { isSoftDeletable } from './marker.ts';
import { currentScope } from './scope.ts';

type Row = Record<string, unknown>;

/** Soft-removed entities of one class, by serialised primary key. */
type Removed = Map<EntityMetadata, Map<string, object>>;

interface Referrer {
  readonly entity: object;
  readonly property: string;
  readonly target: EntityMetadata;
  readonly key: unknown;
}

/**
 * Keeps the foreign keys of rows that refer to a soft-deleted one.
 *
 * `em.remove` clears the references that other loaded entities hold, and the flush then writes NULL (or fails on a NOT
 * NULL column): right for a row that is gone, a loss of data for a row that is only marked. So the emptied keys are
 * taken out of the change sets before they are written, and the references are put back after the flush.
 */
export class KeepForeignKeys implements EventSubscriber {
  readonly #referrers = new WeakMap<UnitOfWork, Referrer[]>();

  onFlush({ uow }: FlushEventArgs): void {
    if (currentScope()) return;
    const removed = softRemoved(uow);
    if (removed.size === 0) return;
    const referrers = referrersOf(uow, removed);
    this.#referrers.set(uow, referrers);
    const kept = new Map<object, Set<string>>();
    for (const { entity, property } of referrers) {
      kept.set(entity, (kept.get(entity) ?? new Set()).add(property));
    }
    for (const changeSet of uow.getChangeSets()) dropEmptiedKeys(changeSet, kept.get(changeSet.entity));
  }

  afterFlush({ uow, em }: FlushEventArgs): void {
    for (const { entity, property, target, key } of this.#referrers.get(uow) ?? []) {
      const holder = entity as Row;
      const wrapped = isWrapped(entity, property);
      if (holder[property] === undefined) {
        holder[property] = em.getReference(target.class, key as never, { wrapped });
      }
    }
    this.#referrers.delete(uow);
  }
}

function softRemoved(uow: UnitOfWork): Removed {
  const removed: Removed = new Map();
  for (const { type, entity, meta } of uow.getChangeSets()) {
    const isDelete = type === ChangeSetType.DELETE || type === ChangeSetType.DELETE_EARLY;
    if (!isDelete || !isSoftDeletable(meta)) continue;
    const ofClass = removed.get(meta.root) ?? new Map<string, object>();
    ofClass.set(helper(entity as object).getSerializedPrimaryKey(), entity as object);
    removed.set(meta.root, ofClass);
  }
  return removed;
}

/** One pass over the loaded entities per referencing property, however many rows are removed. */
function referrersOf(uow: UnitOfWork, removed: Removed): Referrer[] {
  const found: Referrer[] = [];
  for (const [target, entities] of removed) {
    for (const { meta, prop } of target.referencingProperties) {
      if (!ownsKey(prop)) continue;
      for (const entity of uow
        .getIdentityMap()
        .getStore<object>(meta as never)
        .values()) {
        const key = keyBefore(entity, prop.name);
        if (key != null && entities.has(serialise(key)) && !setByUser(entity, prop.name, entities)) {
          found.push({ entity, property: prop.name, target, key });
        }
      }
    }
  }
  return found;
}

function ownsKey(prop: EntityProperty): boolean {
  return (
    prop.kind === ReferenceKind.MANY_TO_ONE || (prop.kind === ReferenceKind.ONE_TO_ONE && prop.owner === true)
  );
}

/** The key as the database has it, whatever has happened to the reference in memory since. */
function keyBefore(entity: object, property: string): unknown {
  return (helper(entity).__originalEntityData as Row | undefined)?.[property];
}

/** An explicit `null` or another target is the caller's wish; `undefined` is what the removal leaves behind. */
function setByUser(entity: object, property: string, removed: ReadonlyMap<string, object>): boolean {
  const value = (entity as Row)[property];
  if (value === undefined) return false;
  if (value === null) return true;
  const target = Reference.unwrapReference(value as object);
  return !Utils.isEntity(target) || !removed.has(helper(target as object).getSerializedPrimaryKey());
}

function serialise(key: unknown): string {
  return Array.isArray(key) ? key.flat().join(Utils.PK_SEPARATOR) : String(key);
}

function isWrapped(entity: object, property: string): boolean {
  return helper(entity).__meta.properties[property as never]?.['ref' as never] === true;
}

function dropEmptiedKeys(changeSet: ChangeSet<object>, kept: ReadonlySet<string> | undefined): void {
  const isUpdate = changeSet.type === ChangeSetType.UPDATE || changeSet.type === ChangeSetType.UPDATE_EARLY;
  if (!isUpdate || !kept) return;
  const payload = changeSet.payload as Row;
  for (const property of kept) delete payload[property];
  const onUpdate = changeSet.meta.props.filter((prop) => prop.onUpdate).map((prop) => prop.name as string);
  if (Object.keys(payload).every((key) => onUpdate.includes(key))) withdraw(changeSet, onUpdate);
}

/** Nothing but the emptied keys had changed: leave no write, and undo what `onUpdate` set in memory. */
function withdraw(changeSet: ChangeSet<object>, onUpdate: readonly string[]): void {
  const before = (changeSet.originalEntity ?? {}) as Row;
  for (const property of onUpdate) (changeSet.entity as Row)[property] = before[property];
  for (const key of Object.keys(changeSet.payload)) delete (changeSet.payload as Row)[key];
}
