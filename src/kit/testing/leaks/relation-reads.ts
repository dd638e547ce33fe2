import {
  type Collection,
  type EntityMetadata,
  type EntityProperty,
  Reference,
  ReferenceKind,
  wrap,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { DELETED_AT, isSoftDeletable } from '../../soft-delete/index.ts';
import { type Absence, absencesOf } from './absence.ts';
import { type Canary, columnOf, keyOf } from './canaries.ts';
import { classOf, contains, type Probe } from './probe.ts';
import { isToOne, isTraversable, labelOf, plantRelation, targetsOf } from './relations.ts';

/** The load strategies of the core. */
export const STRATEGIES = ['joined', 'select-in', 'balanced'] as const;

type Run = (em: SqlEntityManager, owner: Canary, dead: Canary, prop: EntityProperty) => Promise<boolean>;

/** Ways to a dead target over a to-one relation. The id of the target may stay visible, its row may not. */
const TO_ONE: Readonly<Record<string, Run>> = {
  ...forEachStrategy((strategy) => async (em, owner, _dead, prop) => {
    const options = { populate: [prop.name], strategy } as never;
    const found = await em.findOne(classOf(owner.meta), keyOf(owner), options);
    return isShown(found?.[prop.name]);
  }),
  'em.populate joined': populateLater((_em, found, _dead, prop) => isShown(found[prop.name])),
  'lazy load': async (em, owner, _dead, prop) => {
    const found = await em.findOne(classOf(owner.meta), keyOf(owner));
    const target = Reference.unwrapReference((found?.[prop.name] ?? undefined) as never) as
      object | undefined;
    if (!target) return false;
    await wrap(target).init();
    return isShown(target);
  },
  'condition on the relation': async (em, owner, dead, prop) =>
    (await em.count(classOf(owner.meta), { [prop.name]: deadCondition(dead) })) > 0,
  'join by hand': async (em, owner, _dead, prop) => {
    const builder = em.createQueryBuilder(classOf(owner.meta), 'o');
    const joined = builder.select('*').leftJoinAndSelect(`o.${prop.name}` as never, 't');
    const found = await joined.where(conditionOn('o', owner)).getResultList();
    return isShown((found[0] as Record<string, unknown> | undefined)?.[prop.name]);
  },
};

/** Ways to dead items over a to-many relation. */
const TO_MANY: Readonly<Record<string, Run>> = {
  ...forEachStrategy((strategy) => async (em, owner, dead, prop) => {
    const options = { populate: [prop.name], strategy } as never;
    const found = await em.findOne(classOf(owner.meta), keyOf(owner), options);
    return holds(em, found?.[prop.name], dead);
  }),
  'em.populate joined': populateLater((em, found, dead, prop) => holds(em, found[prop.name], dead)),
  'collection loadItems': async (em, owner, dead, prop) =>
    contains(em, await (await collectionOf(em, owner, prop)).loadItems(), dead),
  'collection init': async (em, owner, dead, prop) => {
    const collection = await collectionOf(em, owner, prop);
    await collection.init();
    return holds(em, collection, dead);
  },
  'collection loadCount': async (em, owner, _dead, prop) =>
    (await (await collectionOf(em, owner, prop)).loadCount()) > 0,
  'collection matching': async (em, owner, dead, prop) =>
    contains(em, await (await collectionOf(em, owner, prop)).matching({}), dead),
  $some: async (em, owner, _dead, prop) => (await countOwner(em, owner, { [prop.name]: { $some: {} } })) > 0,
  $none: async (em, owner, _dead, prop) =>
    (await countOwner(em, owner, { [prop.name]: { $none: {} } })) === 0,
  $every: async (em, owner, dead, prop) => {
    const key = dead.meta.primaryKeys[0] ?? '';
    const where = { [prop.name]: { $every: { [key]: { $ne: [keyOf(dead)].flat()[0] } } } };
    return (await countOwner(em, owner, where)) === 0;
  },
  $size: async (em, owner, _dead, prop) =>
    (await countOwner(em, owner, { [prop.name]: { $size: { $eq: 0 } } })) === 0,
  'join by hand': async (em, owner, dead, prop) => {
    const builder = em.createQueryBuilder(classOf(owner.meta), 'o');
    const joined = builder.select('*').leftJoinAndSelect(`o.${prop.name}` as never, 't');
    const found = await joined.where(conditionOn('o', owner)).getResultList();
    return holds(em, (found[0] as Record<string, unknown> | undefined)?.[prop.name], dead);
  },
};

/**
 * The probes of all relations of one entity that lead to rows which may be dead or hidden; a polymorphic one has a set per
 * target.
 */
export function relationReads(meta: EntityMetadata): Probe[] {
  return meta.relations
    .filter((prop) => isTraversable(prop))
    .flatMap((prop) => targetsOf(prop).map((target) => ({ prop, target })))
    .flatMap(({ prop, target }) =>
      absencesBehind(prop, target).flatMap((absence) => probesOf(meta, prop, target, absence)),
    );
}

/** Of the relations that hide a target one is enough here: the condition of all of them is one. */
function absencesBehind(prop: EntityProperty, target: EntityMetadata): Absence[] {
  const absences = absencesOf(target);
  const dead = absences.filter(({ hiddenBy }) => !hiddenBy);
  // One that leads back to where this relation starts would hide its target by a start that is dead itself.
  const hidden = absences.filter(({ hiddenBy }) => hiddenBy && hiddenBy.name !== prop.mappedBy);
  return [...dead, ...hidden.slice(0, 1)];
}

function probesOf(
  meta: EntityMetadata,
  prop: EntityProperty,
  target: EntityMetadata,
  absence: Absence,
): Probe[] {
  return verbsOf(prop, target).map(([verb, run]): Probe => ({
    name: `${meta.className}.${labelOf(prop, target)} ${verb}${absence.suffix}`,
    entity: meta.className,
    verb,
    kind: 'read',
    plant: (canaries) => plantRelation(canaries, meta, prop, target, absence),
    run: (em, { owner, dead }) => run(em, owner as Canary, dead, prop),
  }));
}

function verbsOf(prop: EntityProperty, target: EntityMetadata): [string, Run][] {
  return Object.entries(isToOne(prop) ? TO_ONE : TO_MANY).filter(([verb]) => {
    // The core cannot hydrate a joined row of one of several targets: it shows none.
    if (verb === 'join by hand') return !prop.polymorphic;
    // In a condition, the core joins the first target of a polymorphic relation and no other.
    return verb !== 'condition on the relation' || prop.targetMeta?.class === target.class;
  });
}

const isDead = ({ meta, row }: Canary): boolean =>
  isSoftDeletable(meta) && row[columnOf(meta, DELETED_AT)] !== null;

function forEachStrategy(run: (strategy: (typeof STRATEGIES)[number]) => Run): Record<string, Run> {
  return Object.fromEntries(STRATEGIES.map((strategy) => [`populate ${strategy}`, run(strategy)]));
}

/** Loads the owner first and the relation after it. */
function populateLater(
  shows: (
    em: SqlEntityManager,
    found: Record<string, unknown>,
    dead: Canary,
    prop: EntityProperty,
  ) => boolean,
): Run {
  return async (em, owner, dead, prop) => {
    const found = await em.findOneOrFail(classOf(owner.meta), keyOf(owner));
    await em.populate(found, [prop.name] as never, { strategy: 'joined' } as never);
    return shows(em, found, dead, prop);
  };
}

/**
 * A condition that no live row meets, and the dead one does. Of a row that is hidden its likeness is left to look for, and
 * where it has none only its key, which is no traversal, so that the owner says enough.
 */
export function deadCondition(dead: Canary): object {
  return { ...likeness(dead), ...(isDead(dead) ? { deletedAt: { $ne: null } } : {}) };
}

/** A value that the row has, by a column that is not its key; nothing where it has no such value. */
export function likeness({ meta, row }: Canary): object {
  const prop = meta.props.find((each) => each.kind === ReferenceKind.SCALAR && !each.primary);
  const value = prop && row[prop.fieldNames?.[0] ?? ''];
  return !prop || value === null || typeof value === 'object' ? {} : { [prop.name]: value };
}

/** A reference that is not loaded shows an id and no row. */
export function isShown(value: unknown): boolean {
  const target = Reference.unwrapReference((value ?? undefined) as never) as object | undefined;
  return target !== undefined && wrap(target).isInitialized();
}

function holds(em: SqlEntityManager, value: unknown, dead: Canary): boolean {
  return contains(em, (value ?? []) as Iterable<unknown>, dead);
}

async function collectionOf(
  em: SqlEntityManager,
  owner: Canary,
  prop: EntityProperty,
): Promise<Collection<object>> {
  const found = await em.findOneOrFail(classOf(owner.meta), keyOf(owner));
  return found[prop.name] as Collection<object>;
}

async function countOwner(em: SqlEntityManager, owner: Canary, where: object): Promise<number> {
  return em.count(classOf(owner.meta), { $and: [conditionOf(owner), where] });
}

/** A condition that only the planted row meets. */
export function conditionOf({ meta, ...canary }: Canary): object {
  const values = [keyOf({ meta, ...canary })].flat();
  return Object.fromEntries(meta.primaryKeys.map((name, index) => [name, values[index]]));
}

function conditionOn(alias: string, owner: Canary): never {
  return Object.fromEntries(
    Object.entries(conditionOf(owner)).map(([key, value]) => [`${alias}.${key}`, value]),
  ) as never;
}
