import {
  type Dictionary,
  EntityLoader,
  EntityManager as CoreEntityManager,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  helper,
  type PopulateOptions,
  Reference,
} from '@mikro-orm/core';
import { deadTargetOf, mayLoseTarget } from '../soft-delete/index.ts';

type Row = Record<string, unknown>;
type Hint = PopulateOptions<object>;

interface LoaderOptions {
  visited?: object;
}

/** The steps of the core's loader that are changed; it marks them as private. */
interface Loader {
  populate(entityName: unknown, entities: object[], populate: unknown, options: LoaderOptions): Promise<void>;
  findChildren(
    entities: object[],
    prop: EntityProperty,
    populate: Hint,
    options: LoaderOptions,
    ref: boolean,
  ): Promise<unknown>;
}

/** By one run of `populate`, whose visited entities stand for it: the references that were found to be stubs. */
const found = new WeakMap<object, Set<object>>();

/** By hint of a joined query: the keys whose target was not there, so that they are not asked for once more. */
const missing = new WeakMap<Hint, Set<string>>();

const keyText = (key: unknown): string => JSON.stringify([key].flat(9).map(String));

/** Whether a relation of `meta` shows a stub where its target is not there. */
export function isStub(meta: EntityMetadata, prop: EntityProperty): boolean {
  return mayLoseTarget(prop) && deadTargetOf(meta, prop) === 'stub';
}

/**
 * Runs the mapping of joined columns to relations, which makes null of a target that is not there, and gives the relations
 * that show a stub the key back that the owner's own row holds.
 */
export function mapKeepingStubs(
  result: Dictionary,
  meta: EntityMetadata,
  populate: readonly Hint[],
  map: () => void,
): void {
  const stubs = populate.flatMap((hint) => {
    const prop = meta.properties[hint.field] as EntityProperty | undefined;
    if (!prop || !isStub(meta, prop)) return [];
    const key: unknown = result[prop.name];
    const isWhole = [key].flat(9).every((part) => part !== null && part !== undefined);
    return isWhole ? [{ hint, prop, key }] : [];
  });
  map();
  for (const { hint, prop, key } of stubs) {
    if (result[prop.name] !== null) continue;
    result[prop.name] = key;
    showStub(hint, key);
  }
}

/** Keeps for the loader that the target of `key` was not there in a joined query. */
export function showStub(hint: Hint, key: unknown): void {
  missing.set(hint, (missing.get(hint) ?? new Set()).add(keyText(key)));
}

/**
 * Makes the loader of an entity manager leave the relations alone that show a stub. The core takes a target that it does
 * not find for an orphan, and sets the reference to null.
 */
export function keepStubs(em: EntityManager): void {
  Object.assign(ownLoader(em), OWN_STEPS);
}

/** One pair of functions for all loaders: an entity manager is made for every request. */
const CORE_STEPS = EntityLoader.prototype as unknown as Loader;
const OWN_STEPS: Loader = {
  async populate(entityName, entities, hints, options) {
    const stubs = options.visited && found.get(options.visited);
    // Nothing can be loaded below a row that is not there.
    const rest = stubs ? entities.filter((entity) => !stubs.has(entity)) : entities;
    await CORE_STEPS.populate.call(this, entityName, rest, hints, options);
  },

  async findChildren(entities, prop, hint, options, ref) {
    const owners = entities.filter((entity) => showsStub(entity, prop));
    if (owners.length === 0) return CORE_STEPS.findChildren.call(this, entities, prop, hint, options, ref);
    const visited = options.visited ?? {};
    const stubs = found.get(visited) ?? new Set<object>();
    found.set(visited, stubs);
    const known = missing.get(hint);
    const before = owners.map((owner) => snapshot(owner, prop));
    for (const { target } of before) {
      if (known?.has(keyText(helper(target).getPrimaryKeys(true)))) stubs.add(target);
    }
    const settled = new Set(before.flatMap(({ owner, target }) => (stubs.has(target) ? [owner] : [])));
    const asked = entities.filter((entity) => !settled.has(entity));
    const result = await CORE_STEPS.findChildren.call(this, asked, prop, hint, options, ref);
    for (const { owner, value, target, original } of before) {
      if ((owner as Row)[prop.name] !== null) continue;
      (owner as Row)[prop.name] = value;
      originalOf(owner)[prop.name] = original;
      stubs.add(target);
    }
    return result;
  },
};

/** A loaded target is looked at too: a refresh may find that it has died. */
function showsStub(owner: object, prop: EntityProperty): boolean {
  return isStub(helper(owner).__meta as EntityMetadata, prop) && (owner as Row)[prop.name] != null;
}

interface Shown {
  readonly owner: object;
  readonly value: object;
  readonly target: object;
  readonly original: unknown;
}

function snapshot(owner: object, prop: EntityProperty): Shown {
  const value = (owner as Row)[prop.name] as object;
  const target = Reference.unwrapReference(value as never) as object;
  return { owner, value, target, original: originalOf(owner)[prop.name] };
}

const originalOf = (owner: object): Row => helper(owner).__originalEntityData ?? {};

/** The core hands out the loader of the context, which may be another entity manager's. */
function ownLoader(em: EntityManager): EntityLoader {
  return CoreEntityManager.prototype.getEntityLoader.call({ getContext: () => em } as EntityManager);
}
