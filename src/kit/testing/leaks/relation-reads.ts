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
import { type Absence, absencesOf, plantAbsent } from './absence.ts';
import { type Canaries, type Canary, columnOf, keyOf } from './canaries.ts';
import { classOf, contains, type Probe, type Scene } from './probe.ts';

const STRATEGIES = ['joined', 'select-in', 'balanced'] as const;

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
  'condition on the relation': async (em, owner, dead, prop) => {
    const target = prop.targetMeta?.props.find((each) => each.kind === ReferenceKind.SCALAR && !each.primary);
    const value = target && dead.row[target.fieldNames?.[0] ?? ''];
    // Of a row that is hidden only the key is left to look for, which is no traversal, so that the owner says enough.
    const mark = isDead(dead) ? { deletedAt: { $ne: null } } : {};
    const isUsable = target && value !== null && typeof value !== 'object';
    const where = { [prop.name]: { ...(isUsable ? { [target.name]: value } : {}), ...mark } };
    return (await em.count(classOf(owner.meta), where)) > 0;
  },
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
    const key = prop.targetMeta?.primaryKeys[0] ?? '';
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

/** The probes of all relations of one entity that lead to rows which may be dead or hidden. */
export function relationReads(meta: EntityMetadata): Probe[] {
  return meta.relations
    .filter(isTraversable)
    .flatMap((prop) => absencesBehind(prop).flatMap((absence) => probesOf(meta, prop, absence)));
}

/** Of the relations that hide a target one is enough here: the condition of all of them is one. */
function absencesBehind(prop: EntityProperty): Absence[] {
  const absences = absencesOf(prop.targetMeta as unknown as EntityMetadata);
  const dead = absences.filter(({ hiddenBy }) => !hiddenBy);
  // One that leads back to where this relation starts would hide its target by a start that is dead itself.
  const hidden = absences.filter(({ hiddenBy }) => hiddenBy && hiddenBy.name !== prop.mappedBy);
  return [...dead, ...hidden.slice(0, 1)];
}

function probesOf(meta: EntityMetadata, prop: EntityProperty, absence: Absence): Probe[] {
  const isToOne = prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
  return Object.entries(isToOne ? TO_ONE : TO_MANY).map(([verb, run]): Probe => ({
    name: `${meta.className}.${prop.name} ${verb}${absence.suffix}`,
    entity: meta.className,
    verb,
    kind: 'read',
    plant: (canaries) => plantRelation(canaries, meta, prop, absence),
    run: (em, { owner, dead }) => run(em, owner as Canary, dead, prop),
  }));
}

/** Not the key-only properties, nor the inverse sides that the core adds for itself. */
function isTraversable(prop: EntityProperty): boolean {
  const isOwn = prop.userDefined !== false && !prop.name.endsWith('__inverse');
  return isOwn && !prop.polymorphic && !prop.mapToPk && prop.targetMeta !== undefined;
}

async function plantRelation(
  canaries: Canaries,
  meta: EntityMetadata,
  prop: EntityProperty,
  absence: Absence,
): Promise<Scene> {
  const target = prop.targetMeta as unknown as EntityMetadata;
  if (prop.kind === ReferenceKind.MANY_TO_MANY) {
    const owner = await canaries.plant(meta);
    const dead = await plantAbsent(canaries, target, absence);
    await canaries.link(prop, owner, dead);
    return { dead, owner };
  }
  if (prop.owner || prop.kind === ReferenceKind.MANY_TO_ONE) {
    const dead = await plantAbsent(canaries, target, absence);
    return { dead, owner: await canaries.plant(meta, { references: { [prop.name]: dead } }) };
  }
  const owner = await canaries.plant(meta);
  return { dead: await plantAbsent(canaries, target, absence, { [prop.mappedBy]: owner }), owner };
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

/** A reference that is not loaded shows an id and no row. */
function isShown(value: unknown): boolean {
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

function conditionOf({ meta, ...canary }: Canary): object {
  const values = [keyOf({ meta, ...canary })].flat();
  return Object.fromEntries(meta.primaryKeys.map((name, index) => [name, values[index]]));
}

function conditionOn(alias: string, owner: Canary): never {
  return Object.fromEntries(
    Object.entries(conditionOf(owner)).map(([key, value]) => [`${alias}.${key}`, value]),
  ) as never;
}
