import v8 from 'node:v8';
import { runInThisContext } from 'node:vm';
import { helper, MikroORM, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { keyHash } from '../../src/kit/orm/key-hash.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { Parcel, parcelEntities, PARCELS, Sender, Stamp } from './fixtures/parcel-model.ts';

// Relations of entities that the layer makes are those of the core: with another side, without one, and as a key.

type Orm = MikroORM<DataDriver, DataEntityManager>;
const parcels = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
let orm: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const options = defineDataConfig({ clientUrl, modules: [parcels], pool: { min: 0, max: 2 } });
  orm = (await MikroORM.init(options)) as Orm;
  await orm.schema.create();
  const em = orm.em.fork();
  const senders = ['Al', 'Bo', 'Cy', 'Do'].map((name, n) => ({ id: String(n + 1), name, rank: n }));
  await em.insertMany(Sender, senders);
  await em.insertMany(Parcel, PARCELS as never);
  await em.insertMany(Stamp, [
    { parcel: '1', sender: '1', price: 5 },
    { parcel: '1', sender: '2', price: 6 },
    { parcel: '12', sender: '1', price: 7 },
    { parcel: '2', sender: '3', price: 8 },
  ] as never);
  await em.nativeDelete(Sender, { id: '3' });
});
afterAll(async () => orm.close());

/** An entity manager that makes entities by the core alone, or as the layer does. */
function manager(way: 'core' | 'layer'): DataEntityManager {
  const em = orm.em.fork();
  if (way === 'layer') return em;
  for (const name of ['create', 'createReference']) Reflect.deleteProperty(em.getEntityFactory(), name);
  return em;
}

/** Everything that an entity says of itself, with its relations by their keys. */
function told(entity: object): unknown {
  const own = helper(entity);
  const row = entity as Record<string, unknown>;
  return {
    json: JSON.stringify(wrap(entity).toObject(), (_, item: unknown) =>
      typeof item === 'bigint' ? String(item) : item,
    ),
    keys: Object.keys(entity).toSorted(),
    relations: own.__meta.relations.map(({ name }) => {
      const target = row[name] as object | null | undefined;
      const isEntity = target && '__helper' in target;
      return [
        name,
        isEntity ? [helper(target).getPrimaryKey(), helper(target).__initialized] : target === null,
      ];
    }),
    kept: Object.keys((own as unknown as { __data: object }).__data).filter((name) =>
      own.__meta.relations.some((prop) => prop.name === name && !prop.primary),
    ),
    loaded: [...own.__loadedProperties].toSorted(),
    snapshot: own.__originalEntityData,
  };
}

const READS: [string, (em: DataEntityManager) => Promise<object[]>][] = [
  ['relations of both kinds, not loaded', (em) => em.find(Parcel, {}, { orderBy: { id: 'asc' } })],
  [
    'relations of both kinds',
    (em) => em.find(Parcel, {}, { populate: ['sender', 'previous'], orderBy: { id: 'asc' } }),
  ],
  ['some columns', (em) => em.find(Parcel, {}, { fields: ['name', 'previous'], orderBy: { id: 'asc' } })],
  ['a key of two relations', (em) => em.find(Stamp, {}, { orderBy: { price: 'asc' } })],
  [
    'a key of two loaded relations',
    (em) => em.find(Stamp, {}, { populate: ['parcel.previous', 'sender'], orderBy: { price: 'asc' } }),
  ],
];

describe.each(READS)('%s', (_, read) => {
  it('are as the core makes them', async () => {
    const layer = (await read(manager('layer'))).map(told);
    expect(layer).toEqual((await read(manager('core'))).map(told));
    expect(layer.length).toBeGreaterThan(3);
  });

  it('are found again where they are known', async () => {
    const em = manager('layer');
    const first = await read(em);
    expect(new Set(first).size).toBe(first.length);
    const again = await read(em);
    expect(again.every((entity, n) => entity === first[n])).toBe(true);
    const uow = em.getUnitOfWork();
    uow.computeChangeSets();
    expect(uow.getChangeSets()).toEqual([]);
  });
});

it('an entity that is taken out is referred to as the core has it', async () => {
  const after = async (way: 'core' | 'layer'): Promise<unknown> => {
    const em = manager(way);
    const [parcel] = await em.find(Parcel, { id: '4' }, { populate: ['sender', 'previous'] });
    const owner = parcel as Parcel;
    const before = told(owner);
    em.getUnitOfWork().unsetIdentity(owner.previous as object);
    const between = told(owner);
    em.remove(owner.sender);
    em.getUnitOfWork().computeChangeSets();
    return [before, between, told(owner)];
  };
  const given = await after('layer');
  expect(given).toEqual(await after('core'));
  expect(JSON.stringify(given)).toContain('previous');
});

it.each(['core', 'layer'] as const)(
  'a reference by two keys is the entity that is loaded later: %s',
  async (way) => {
    const em = manager(way);
    const reference = em.getReference(Stamp, ['12', '1'] as never);
    const [found] = await em.find(Stamp, { price: 7 }, { populate: ['parcel'] });
    expect(found).toBe(reference);
    expect(helper(reference).__initialized).toBe(true);
  },
);

it('a relation that is changed is written', async () => {
  for (const way of ['core', 'layer'] as const) {
    const em = manager(way);
    const [parcel] = await em.find(Parcel, { id: '4' }, { populate: ['previous'] });
    if (parcel) parcel.previous = em.getReference(Sender, way === 'core' ? '1' : '4');
    await em.flush();
    const [row] = await em.execute<{ previous_id: string }[]>(
      'select previous_id from parcel where id = 4 and deleted_at is null',
    );
    expect(row?.previous_id).toBe(way === 'core' ? '1' : '4');
  }
});

it('entities have one layout, and none is a dictionary', async () => {
  v8.setFlagsFromString('--allow-natives-syntax');
  const isFast = runInThisContext('(entity) => %HasFastProperties(entity)') as (entity: object) => boolean;
  for (const [, read] of READS.slice(0, 2).concat(READS.slice(3))) {
    const entities = await read(manager('layer'));
    expect(entities.filter((entity) => !isFast(entity))).toEqual([]);
  }
  // What the core makes of the same rows: the deletion of a property is what this is about.
  const [, read] = READS[0] as (typeof READS)[number];
  expect((await read(manager('core'))).some((entity) => isFast(entity))).toBe(false);
});

it('the identity map is asked by the hash that it keeps', async () => {
  const em = manager('layer');
  const stamps = await em.find(Stamp, {});
  const map = em.getUnitOfWork().getIdentityMap();
  const hash = keyHash(orm.getMetadata().get(Stamp) as never);
  expect(hash?.({ parcel: '1', sender: { id: '2' } })).toBe('1~~~2');
  expect(hash?.({ parcel: { id: '1' }, sender: null })).toBeUndefined();
  expect(map.keys().filter((key) => key.startsWith('Stamp'))).toHaveLength(stamps.length);
  for (const stamp of stamps) {
    const row = { parcel: stamp.parcel.id, sender: { id: stamp.sender.id } };
    expect(map.getByHash(orm.getMetadata().get(Stamp) as never, `public:${hash?.(row)}`)).toBe(stamp);
  }
});
