import { helper, Reference, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type Museum, openMuseum } from './fixtures/museum.ts';
import { Exhibit, Frame, Painting, Permit, Person, Sculpture } from './fixtures/museum-model.ts';

type Owner = Record<string, unknown>;
type OwnerClass = new () => object;
type Load = (em: DataEntityManager, one: Case) => Promise<unknown>;

interface Case {
  readonly owner: OwnerClass;
  readonly prop: string;
  /** A column of the target's row, besides its key. */
  readonly text: string;
  /** Inserts the owner with the key that `where` names. */
  readonly plant: string;
  readonly where: Record<string, unknown>;
  /** What the relation shows when it is populated: a text of the target, its key after a `#`, null, or no owner. */
  readonly shown: string | null;
  /** What an explicit load of the reference answers; null where there is no target. */
  readonly loaded: string | null;
}

const HIDDEN = 'no owner';
const EXHIBIT = { artwork: '4', critic: '1', curator: '1', owner: '1', place: `'A', 1` };
const COLUMNS: Record<string, string> = {
  artwork: 'artwork_id',
  critic: 'critic_id',
  donor: 'donor_id',
  curator: 'curator_id',
  guide: 'guide_id',
  owner: 'owner_id',
  sponsor: 'sponsor_id',
  place: 'place_wing, place_number',
  store: 'store_wing, store_number',
};

function exhibit(prop: string, value: string): string {
  const given: Record<string, string> = { ...EXHIBIT, [prop]: value };
  const names = Object.keys(given).map((name) => COLUMNS[name]);
  return `insert into exhibit (id, ${names.join(', ')}) values (9, ${Object.values(given).join(', ')})`;
}

const LIVE = { person: ['1', 'Ada'], place: [`'A', 1`, 'hall'] } as const;
const DEAD = { person: ['2', '#2'], place: [`'B', 2`, '#B,2'] } as const;

/** The rows of the table for one relation of an exhibit: its target is NULL, live, dead. */
function rowsOf(
  prop: string,
  target: 'person' | 'place',
  policy: string,
  nullable: boolean,
): [string, Case][] {
  const base = { owner: Exhibit, prop, text: target === 'person' ? 'name' : 'label', where: { id: '9' } };
  const kind = `${policy}, ${nullable ? 'nullable' : 'NOT NULL'}: Exhibit.${prop}`;
  const [liveKey, text] = LIVE[target];
  const [deadKey, stub] = DEAD[target];
  const shown = { null: null, stub, hide: HIDDEN }[policy] ?? null;
  const none = target === 'person' ? 'null' : 'null, null';
  const ofNull: [string, Case] = [
    `${kind} is NULL`,
    { ...base, plant: exhibit(prop, none), shown: null, loaded: null },
  ];
  return [
    ...(nullable ? [ofNull] : []),
    [`${kind} is live`, { ...base, plant: exhibit(prop, liveKey), shown: text, loaded: text }],
    [
      `${kind} is dead`,
      { ...base, plant: exhibit(prop, deadKey), shown, loaded: policy === 'hide' ? HIDDEN : null },
    ],
  ];
}

const single = (name: string, one: Omit<Case, 'plant'> & { plant?: string }): [string, Case] => [
  name,
  { plant: 'select 1', ...one },
];

const cases: [string, Case][] = [
  ...rowsOf('critic', 'person', 'null', false),
  ...rowsOf('donor', 'person', 'null', true),
  ...rowsOf('curator', 'person', 'stub', false),
  ...rowsOf('guide', 'person', 'stub', true),
  ...rowsOf('owner', 'person', 'hide', false),
  ...rowsOf('sponsor', 'person', 'hide', true),
  ...rowsOf('place', 'place', 'stub', false),
  ...rowsOf('store', 'place', 'hide', true),
  single('hide, one-to-one: Frame.maker is dead', {
    owner: Frame,
    prop: 'artwork',
    text: 'title',
    where: { id: '3' },
    shown: HIDDEN,
    loaded: HIDDEN,
  }),
  single('stub, one-to-one: Frame.artwork is dead', {
    owner: Frame,
    prop: 'artwork',
    text: 'title',
    where: { id: '2' },
    shown: '#2',
    loaded: null,
  }),
  single('stub, one-to-one: Frame.artwork is live', {
    owner: Frame,
    prop: 'artwork',
    text: 'title',
    where: { id: '1' },
    shown: 'Sea',
    loaded: 'Sea',
  }),
  single('stub, self reference: Person.teacher is dead', {
    owner: Person,
    prop: 'teacher',
    text: 'name',
    where: { id: '4' },
    shown: '#2',
    loaded: null,
  }),
  single('stub, self reference: Person.teacher is live', {
    owner: Person,
    prop: 'teacher',
    text: 'name',
    where: { id: '3' },
    shown: 'Ada',
    loaded: 'Ada',
  }),
  single('hide, single-table child: Painting.painter is dead', {
    owner: Painting,
    prop: 'painter',
    text: 'name',
    where: { id: '3' },
    shown: HIDDEN,
    loaded: HIDDEN,
  }),
  single('hide, single-table child: Painting.painter is live', {
    owner: Painting,
    prop: 'painter',
    text: 'name',
    where: { id: '1' },
    shown: 'Ada',
    loaded: 'Ada',
  }),
  single('stub, single-table child, composite: Sculpture.quarry is NULL', {
    owner: Sculpture,
    prop: 'quarry',
    text: 'label',
    where: { id: '4' },
    shown: null,
    loaded: null,
  }),
  single('stub, single-table child, composite: Sculpture.quarry is live', {
    owner: Sculpture,
    prop: 'quarry',
    text: 'label',
    where: { id: '5' },
    shown: 'hall',
    loaded: 'hall',
  }),
  single('stub, single-table child, composite: Sculpture.quarry is dead', {
    owner: Sculpture,
    prop: 'quarry',
    text: 'label',
    where: { id: '6' },
    shown: '#B,2',
    loaded: null,
  }),
  single('hide, in two steps: the painter of Exhibit.artwork is dead', {
    owner: Exhibit,
    prop: 'artwork',
    text: 'title',
    where: { id: '9' },
    plant: exhibit('artwork', '3'),
    shown: HIDDEN,
    loaded: HIDDEN,
  }),
  single('stub, part of the key: Permit.guard is dead', {
    owner: Permit,
    prop: 'guard',
    text: 'name',
    where: { exhibit: '9', guard: '2' },
    plant: `${exhibit('critic', '1')}; insert into permit (exhibit_id, guard_id) values (9, 2)`,
    shown: '#2',
    loaded: null,
  }),
  single('hide, part of the key: the owner of Permit.exhibit is dead', {
    owner: Permit,
    prop: 'guard',
    text: 'name',
    where: { exhibit: '9', guard: '1' },
    plant: `${exhibit('owner', '2')}; insert into permit (exhibit_id, guard_id) values (9, 1)`,
    shown: HIDDEN,
    loaded: HIDDEN,
  }),
];

function show(owner: object | null | undefined, { prop, text }: Case): string | null {
  if (!owner) return HIDDEN;
  return textOf((owner as Owner)[prop] as object | null, text);
}

function textOf(value: object | null | undefined, text: string): string | null {
  if (value == null) return null;
  const target = Reference.unwrapReference(value as never) as object;
  if (wrap(target).isInitialized()) return String((target as Owner)[text]);
  return `#${helper(target).getPrimaryKeys()?.join(',')}`;
}

const strategies = ['joined', 'select-in', 'balanced'] as const;
const options = (one: Case, strategy: string) => ({ populate: [one.prop], strategy }) as never;

/** Ways to populate the relation. */
const populating: Record<string, Load> = {
  ...Object.fromEntries(
    strategies.flatMap((strategy): [string, Load][] => [
      [
        `find ${strategy}`,
        async (em, one) => {
          const [found] = await em.find(one.owner, one.where, options(one, strategy));
          return show(found, one);
        },
      ],
      [
        `findOne ${strategy}`,
        async (em, one) => show(await em.findOne(one.owner, one.where, options(one, strategy)), one),
      ],
      [
        `fields ${strategy}`,
        async (em, one) => {
          const fields = [Object.keys(one.where)[0], `${one.prop}.${one.text}`];
          const [found] = await em.find(one.owner, one.where, { fields, strategy } as never);
          return show(found, one);
        },
      ],
      [
        `em.populate ${strategy}`,
        async (em, one) => {
          const found = await em.find(one.owner, one.where);
          await em.populate(found, [one.prop] as never, { strategy } as never);
          return show(found[0], one);
        },
      ],
      [
        `once more ${strategy}`,
        async (em, one) => {
          await em.find(one.owner, one.where, options(one, strategy));
          const [found] = await em.find(one.owner, one.where, options(one, strategy));
          return show(found, one);
        },
      ],
      [
        `refresh ${strategy}`,
        async (em, one) => {
          await em.find(one.owner, one.where, options(one, strategy));
          const again = { ...(options(one, strategy) as object), refresh: true } as never;
          const [found] = await em.find(one.owner, one.where, again);
          return show(found, one);
        },
      ],
    ]),
  ),
  findAndCount: async (em, one) => {
    const [[found], total] = await em.findAndCount(one.owner, one.where, options(one, 'joined'));
    expect(total).toBe(one.shown === HIDDEN ? 0 : 1);
    return show(found, one);
  },
  findByCursor: async (em, one) => {
    const orderBy = Object.fromEntries(Object.keys(one.where).map((key) => [key, 'asc']));
    const page = await em.findByCursor(one.owner, {
      where: one.where,
      populate: [one.prop],
      first: 5,
      orderBy,
    } as never);
    expect(page.totalCount).toBe(one.shown === HIDDEN ? 0 : 1);
    return show(page.items[0] as object | undefined, one);
  },
  stream: async (em, one) => {
    const found: object[] = [];
    const rows = em.stream(one.owner, { where: one.where, populate: [one.prop] } as never);
    for await (const row of rows) found.push(row as object);
    return show(found[0], one);
  },
  'qb.leftJoinAndSelect': async (em, one) => {
    const where = Object.fromEntries(Object.entries(one.where).map(([key, value]) => [`o.${key}`, value]));
    const builder = em.createQueryBuilder(one.owner, 'o').select('*');
    const found = await builder
      .leftJoinAndSelect(`o.${one.prop}` as never, 't')
      .where(where as never)
      .getResultList();
    return show(found[0], one);
  },
};

/** Ways to load the target by its reference. */
const loading: Record<string, Load> = {
  init: (em, one) => viaReference(em, one, (target) => wrap(target).init()),
  'ref.load': (em, one) => viaReference(em, one, (target) => Reference.create(target).load()),
  'ref.loadOrFail': (em, one) =>
    viaReference(em, one, (target) =>
      (Reference.create(target).loadOrFail() as Promise<object>).catch((error: Error & { code?: string }) => {
        expect(error.code).toBe('DATA.NOT_FOUND');
        return null;
      }),
    ),
  dataloader: (em, one) =>
    viaReference(em, one, (target) => Reference.create(target).load({ dataloader: true })),
};

async function viaReference(
  em: DataEntityManager,
  one: Case,
  load: (target: object) => Promise<object | null>,
): Promise<string | null> {
  const found = await em.findOne(one.owner, one.where);
  if (!found) return HIDDEN;
  const value = (found as Owner)[one.prop] as object | null;
  if (value == null) return null;
  const target = await load(Reference.unwrapReference(value as never));
  // The owner keeps its key, whatever the load has answered.
  expect(textOf((found as Owner)[one.prop] as object, one.text)).not.toBeNull();
  expect(target).not.toBe(undefined);
  return textOf(target, one.text);
}

let museum: Museum;
beforeAll(async () => {
  museum = await openMuseum();
});
beforeEach(() => museum.reset());
afterAll(() => museum.close());

async function answers(one: Case, ways: Record<string, Load>, em: () => DataEntityManager) {
  const found: Record<string, unknown> = {};
  for (const [way, load] of Object.entries(ways)) {
    found[way] = await load(em(), one).catch((error: Error) => error.message);
  }
  return found;
}
const everyWay = (ways: Record<string, Load>, answer: unknown) =>
  Object.fromEntries(Object.keys(ways).map((way) => [way, answer]));

describe.each(cases)('%s', (_name, one) => {
  beforeEach(() => museum.rows(one.plant));

  it('shows the same in every way of loading', async () => {
    expect(await answers(one, populating, () => museum.em())).toEqual(everyWay(populating, one.shown));
  });

  it('answers the same to every load of its reference', async () => {
    expect(await answers(one, loading, () => museum.em())).toEqual(everyWay(loading, one.loaded));
  });

  it('is counted as it is found', async () => {
    const em = museum.em();
    const expected = one.shown === HIDDEN ? 0 : 1;
    expect(await em.count(one.owner, one.where as never)).toBe(expected);
    expect(await em.find(one.owner, one.where as never)).toHaveLength(expected);
    expect(
      await em
        .createQueryBuilder(one.owner)
        .where(one.where as never)
        .getCount(),
    ).toBe(expected);
  });

  it('has its row in the database, which withDeleted shows', async () => {
    expect(await museum.em().withDeleted((em) => em.count(one.owner, one.where as never))).toBe(1);
  });
});
