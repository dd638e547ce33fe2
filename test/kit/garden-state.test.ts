import { MikroORM } from '@mikro-orm/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { GARDEN_ROWS, gardenEntities, Tag } from './fixtures/garden-model.ts';
import { type GardenRead, gardenReads } from './fixtures/garden-reads.ts';
import { keyOf, read } from './fixtures/garden-state.ts';
import { shown } from './fixtures/settled-text.ts';

// What the comparisons of reads at random look at must not depend on the plan, which the server changes whenever it has new
// statistics: between one way to read and the other, too.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const model = defineModule({ name: 'garden', migrations: '/nowhere', entities: gardenEntities });
let orm: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const options = defineDataConfig({ clientUrl, modules: [model], pool: { min: 0, max: 1 } });
  orm = (await MikroORM.init(options)) as Orm;
  await orm.schema.create();
  await orm.em.fork().execute(GARDEN_ROWS);
});
afterAll(async () => orm.close());

/** By nested loops through indexes where there are some, and by hashes of whole tables. */
const PLANS = [
  'set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off',
  'set local enable_nestloop = off; set local enable_mergejoin = off; set local enable_indexscan = off',
];

const byEachPlan = <T>(work: (em: DataEntityManager) => Promise<T>): Promise<[T, T]> =>
  Promise.all(
    PLANS.map((plan) =>
      orm.em.fork().transactional(async (em) => {
        await em.execute(plan);
        const answer = await work(em);
        em.clear();
        return answer;
      }),
    ),
  ) as Promise<[T, T]>;

const plants = (options: GardenRead['options'], verb: GardenRead['verb'] = 'find'): GardenRead => ({
  verb,
  scope: 'live',
  name: 'Plant',
  where: { id: { $in: ['3', '4', '9'] } },
  options: { populate: ['tags.plants'], strategy: 'joined', orderBy: [{ id: 'asc' }], ...options },
});

const text = async (em: DataEntityManager, own: GardenRead): Promise<string> => shown(await read(em, own));

it('another plan gives the items of collections in another order, and the comparison sees none', async () => {
  const [loops, hashes] = await byEachPlan(async (em) =>
    (await em.find(Tag, {}, { populate: ['plants'], strategy: 'joined', orderBy: { id: 'asc' } })).map(
      (tag) => tag.plants.getItems().map(keyOf),
    ),
  );
  expect(hashes).not.toEqual(loops);
  expect(hashes.map((keys) => keys.toSorted())).toEqual(loops.map((keys) => keys.toSorted()));
  for (const own of [plants({}), plants({ limit: 2 }), plants({}, 'findOne')]) {
    const texts = await byEachPlan((em) => text(em, own));
    expect(texts[1] === texts[0]).toBe(true);
  }
});

it('the comparison sees an item of a collection that is missing, and rows that are not in the order that was asked for', async () => {
  const expected = await text(orm.em.fork(), plants({}));
  const em = orm.em.fork();
  await em.transactional(async (inside) => {
    await inside.execute(`delete from plant_tags where plant_id = 9 and tag_id = 5`);
    expect((await text(inside, plants({}))) === expected).toBe(false);
    inside.clear();
    await inside.execute(`insert into plant_tags (plant_id, tag_id) values (9, 5)`);
    expect((await text(inside, plants({}))) === expected).toBe(true);
    inside.clear();
  });
  expect((await text(orm.em.fork(), plants({ orderBy: [{ id: 'desc' }] }))) === expected).toBe(false);
});

it('no findOne has a limit, by which the plan would decide which items a collection has', async () => {
  const [loops, hashes] = await byEachPlan((em) => text(em, plants({ limit: 3 }, 'findOne')));
  expect(hashes === loops).toBe(false);
  const made = Array.from({ length: 2000 }, (_, seed) => {
    const tape = Array.from({ length: 60 }, (__, n) => (seed * 7919 + n * n * 104_729) % 10_007);
    return gardenReads(tape, [tape.toReversed()])[0]?.();
  });
  const ones = made.filter((own) => own?.verb === 'findOne');
  expect(ones.length).toBeGreaterThan(100);
  expect(ones.filter((own) => own && 'limit' in own.options)).toEqual([]);
  expect(made.filter((own) => own?.verb === 'find' && 'limit' in own.options).length).toBeGreaterThan(100);
});
