import {
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  EventType,
  helper,
  Reference,
  Utils,
  validateProperty,
} from '@mikro-orm/core';
import { arrayText } from './array-column.ts';
import { constantSql } from './constant-sql.ts';
import { type QuickPlan, quickPlan } from './quick-plan.ts';
import { isChanged, snapshotValue, UNKNOWN } from './tracked-property.ts';

type Row = Record<string, unknown>;

/** One loaded entity with changes, all of which fit into arrays. */
export interface QuickChange {
  readonly entity: object;
  readonly meta: EntityMetadata;
  readonly plan: QuickPlan;
  /** The entity as it was loaded or last flushed, as the database has it. */
  readonly before: Row;
  /** New values as the database takes them, by property. */
  readonly payload: Row;
  /** By property, the SQL of what the database itself sets: `now()`. */
  readonly constants: Readonly<Record<string, string>>;
  /** The whole snapshot, where the comparison has made one. */
  readonly snapshot: Row | undefined;
}

/** Says that a flush has something to do for which only the core knows how. */
export const LEAVE = Symbol('leave it to the core');

const HOOKS = [EventType.beforeUpdate, EventType.afterUpdate] as const;

/**
 * The changed entities of a unit of work, or {@link LEAVE} at the first sight of anything but changes of plain columns: a new
 * entity, a changed collection, a change of a key. Nothing is changed by looking.
 */
export function quickChanges(em: EntityManager): QuickChange[] | typeof LEAVE {
  const changes: QuickChange[] = [];
  const classes = new Map<unknown, ClassLook>();
  for (const entity of em.getUnitOfWork(false).getIdentityMap() as Iterable<object>) {
    let look = classes.get(entity.constructor);
    if (!look) classes.set(entity.constructor, (look = lookOf(em, entity)));
    const change = quickChange(em, entity, look);
    if (change === LEAVE) return LEAVE;
    if (change) changes.push(change);
  }
  return changes;
}

/** What is the same for all entities of a class in one flush. */
interface ClassLook {
  readonly meta: EntityMetadata;
  readonly plan: QuickPlan;
  readonly hasHooks: boolean;
}

function lookOf(em: EntityManager, entity: object): ClassLook {
  const meta: EntityMetadata = em.getMetadata().get(entity.constructor as never);
  const hasHooks = HOOKS.some((hook) => em.getEventManager().hasListeners(hook, meta as never));
  return { meta, plan: quickPlan(meta), hasHooks };
}

function quickChange(
  em: EntityManager,
  entity: object,
  look: ClassLook,
): QuickChange | undefined | typeof LEAVE {
  const wrapped = helper(entity);
  const { meta, plan } = look;
  const before = wrapped.__originalEntityData as Row | undefined;
  if (!before || !wrapped.__managed || wrapped.__processing) return LEAVE;
  for (const prop of plan.relations) if (!isSettled(em, entity, prop)) return LEAVE;
  if (meta.readonly) return undefined;
  if (!wrapped.__initialized) return isBareReference(em, entity, before) ? undefined : LEAVE;
  const found = plan.tracked ? trackedPayload(em, entity, plan, before) : wholePayload(em, entity, before);
  if (found === undefined || found === LEAVE) return found;
  const constants = constantsFor(em, entity, look, found.payload);
  if (constants === LEAVE) return LEAVE;
  return { entity, meta, plan, before, payload: found.payload, constants, snapshot: found.snapshot };
}

/** A relation with nothing new behind it: all that it leads to is known, and no collection has changed. */
function isSettled(em: EntityManager, entity: object, prop: EntityProperty): boolean {
  const value: unknown = prop.embedded ? UNKNOWN : (entity as Row)[prop.name];
  if (value === null || value === undefined) return true;
  if (prop.mapToPk) return true;
  if (prop.embedded || prop.targetKey) return false;
  if (Utils.isCollection(value)) return isSettledCollection(em, value);
  const target = Reference.unwrapReference(value);
  return Utils.isEntity(target) && isKnown(em, target);
}

function isSettledCollection(
  em: EntityManager,
  collection: { isDirty(): boolean; getItems(check: boolean): object[] },
): boolean {
  return !collection.isDirty() && collection.getItems(false).every((item) => isKnown(em, item));
}

/** One of another entity manager would be flushed along by the core. */
function isKnown(em: EntityManager, target: object): boolean {
  const { __managed: isManaged, __originalEntityData: before, __em: own } = helper(target);
  if (!isManaged || before === undefined) return false;
  return own === (em as unknown) || em.getUnitOfWork(false).getIdentityMap().getByEntity(target) === target;
}

function isBareReference(em: EntityManager, entity: object, before: Row): boolean {
  const data = em.getComparator().prepareEntity(entity) as Row;
  const { discriminatorColumn } = helper(entity).__meta.root as { discriminatorColumn?: string };
  if (discriminatorColumn !== undefined) delete data[discriminatorColumn];
  return Utils.equals(data, before);
}

type Found = Pick<QuickChange, 'payload' | 'snapshot'>;

function trackedPayload(
  em: EntityManager,
  entity: object,
  { tracked = [] }: QuickPlan,
  before: Row,
): Found | undefined | typeof LEAVE {
  let payload: Row | undefined;
  for (const property of tracked) {
    const value = snapshotValue(property, entity, em.getPlatform());
    if (value === UNKNOWN) return LEAVE;
    if (!isChanged(property, before[property.name], value)) continue;
    // The core clears a property that has become undefined in its own way.
    if (value === undefined) return LEAVE;
    payload ??= {};
    payload[property.name] = apart(value);
  }
  return payload && { payload, snapshot: undefined };
}

/** An instant and bytes can be changed in place, now while the statement runs and later. */
function apart(value: unknown): unknown {
  if (value instanceof Date) return new Date(value.getTime());
  return Buffer.isBuffer(value) ? Buffer.from(value) : value;
}

function wholePayload(em: EntityManager, entity: object, before: Row): Found | undefined | typeof LEAVE {
  const snapshot = em.getComparator().prepareEntity(entity) as Row;
  const payload = em.getComparator().diffEntities(entity.constructor as never, before, snapshot) as Row;
  const names = Object.keys(payload);
  if (names.length === 0) return undefined;
  return names.some((name) => payload[name] === undefined) ? LEAVE : { payload, snapshot };
}

/**
 * What the database sets, which is taken out of the payload. Only now, when it is known that the change can be written here:
 * `onUpdate` is a function of the program.
 */
function constantsFor(
  em: EntityManager,
  entity: object,
  { meta, plan, hasHooks }: ClassLook,
  payload: Row,
): Record<string, string> | typeof LEAVE {
  for (const name of Object.keys(payload)) {
    const isWritten =
      plan.columns.has(name) &&
      arrayText(payload[name], em.getPlatform(), meta.properties[name as never]) !== undefined;
    if (!isWritten && !plan.onUpdate.some((prop) => prop.name === name)) return LEAVE;
  }
  if (hasHooks) return LEAVE;
  validate(entity, plan);
  const constants: Record<string, string> = {};
  for (const prop of plan.onUpdate) {
    const sql = constantSql(prop.onUpdate?.(entity, em));
    // Any other value becomes one of the entity, and part of another comparison.
    if (sql === undefined || !plan.columns.has(prop.name)) return LEAVE;
    constants[prop.name] = sql;
    if (prop.name in payload) delete payload[prop.name];
  }
  return constants;
}

/** The core's check, without its way through each value that is what it should be. */
function validate(entity: object, { validated }: QuickPlan): void {
  for (const prop of validated) {
    const value: unknown = prop.embedded || prop.ref ? UNKNOWN : (entity as Row)[prop.name];
    if (value === null || value === undefined) continue;
    if (value !== UNKNOWN && !prop.enum && typeof value === prop.runtimeType) continue;
    if (prop.runtimeType === 'Date' && value instanceof Date) continue;
    validateProperty(prop, valueOf(entity, prop), entity);
  }
}

function valueOf(entity: object, prop: EntityProperty): unknown {
  const [outer, inner] = prop.embedded ?? [];
  if (outer !== undefined && outer in entity)
    return ((entity as Row)[outer] as Row | null)?.[inner as string];
  const value = (entity as Row)[prop.name];
  return prop.ref ? (value as { unwrap(): unknown } | undefined)?.unwrap() : value;
}
