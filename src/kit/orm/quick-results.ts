import { type EntityManager, type EntityProperty, helper, type EntityMetadata } from '@mikro-orm/core';
import type { QuickChange } from './quick-changes.ts';
import type { QuickAnswer, QuickUpdate } from './quick-update.ts';

type Row = Record<string, unknown>;

/** Gives the entities what the database has set, and makes what was written the state that later changes are compared with. */
export function keepChanges(em: EntityManager, update: QuickUpdate, answer: QuickAnswer): void {
  const { meta, changes, constants } = update;
  const props = constants.map((name) => meta.properties[name as never] as EntityProperty);
  const isPlain = props.every(({ runtimeType, customType }) => runtimeType === 'Date' && !customType);
  const differs = constants.some((_, n) => answer[`a${n}`] != null);
  const common = differs ? undefined : mapped(em, meta, props, (n) => answer[`v${n}`]);
  const indexes = differs ? indexesOf(answer) : undefined;
  for (const [place, change] of changes.entries()) {
    const index = indexes?.get(place + 1);
    const own =
      common ?? (index === undefined ? {} : mapped(em, meta, props, (n) => listed(answer, n, index)));
    keepChange(em, change, own, isPlain);
  }
}

/** Where the values of each given row stand in the lists. */
function indexesOf({ places }: QuickAnswer): Map<number, number> {
  return new Map((places ?? []).map((place, index) => [Number(place), index]));
}

function listed(answer: QuickAnswer, n: number, index: number): unknown {
  const list = answer[`a${n}`] as unknown[] | null;
  return list ? list[index] : answer[`v${n}`];
}

function mapped(
  em: EntityManager,
  meta: EntityMetadata,
  props: readonly EntityProperty[],
  valueOf: (n: number) => unknown,
): Row {
  const row: Row = {};
  for (const [n, prop] of props.entries()) {
    const value = valueOf(n);
    // No row was there.
    if (value !== null && value !== undefined) row[prop.fieldNames[0] ?? ''] = value;
  }
  return em.getComparator().mapResult(meta as never, row as never);
}

function keepChange(em: EntityManager, change: QuickChange, values: Row, isPlain: boolean): void {
  const { entity, meta, plan, payload, before, snapshot } = change;
  const names = Object.keys(values);
  if (plan.version) (entity as Row)[plan.version.name] = Number((entity as Row)[plan.version.name]) + 1;
  // A copy: the row as it was loaded may be kept by a cache.
  const state = Object.assign(snapshot ?? { ...before }, payload);
  // The row that was loaded shares its instants with the entity, and a change in place would be one of both.
  for (const { name, kind } of plan.tracked ?? []) if (kind === 'date') state[name] = held(state[name]);
  if (!isPlain && names.length > 0) {
    const own = { ...values };
    em.config
      .getHydrator(em.getMetadata())
      .hydrate(entity, meta as never, own, em.getEntityFactory(), 'full', false, true);
    const now = em.getComparator().prepareEntity(entity) as Row;
    // Of the rest, what has changed meanwhile is for the next flush.
    for (const name of names) state[name] = now[name];
    helper(entity).__originalEntityData = state as never;
    return;
  }
  // Each entity and each snapshot has an instant of its own, since an instant can be changed in place.
  for (const name of names) {
    (entity as Row)[name] = held(values[name]);
    state[name] = held(values[name]);
  }
  helper(entity).__originalEntityData = state as never;
}

const held = (value: unknown): unknown => (value instanceof Date ? new Date(value.getTime()) : value);
