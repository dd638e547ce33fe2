import { defineEntity, MikroORM, p, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, bigintId, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';

// Relations that name other columns than the key of their target, of which several rows may have the same value.

const LandSchema = defineEntity({
  name: 'Land',
  properties: { id: bigintId(), code: p.string(), name: p.string() },
});
class Land extends LandSchema.class {}
LandSchema.setClass(Land);

const PairSchema = defineEntity({
  name: 'Pair',
  properties: { a: p.integer().primary(), b: p.integer().primary(), name: p.string() },
});
class Pair extends PairSchema.class {}
PairSchema.setClass(Pair);

const TownSchema = defineEntity({
  name: 'Town',
  properties: {
    id: bigintId(),
    land: () => p.manyToOne(LandSchema).joinColumn('land_code').referenceColumnName('code').nullable(),
    pair: () => p.manyToOne(PairSchema).joinColumns('pair_a').referencedColumnNames('a').nullable(),
  },
});
class Town extends TownSchema.class {}
TownSchema.setClass(Town);

type Orm = MikroORM<DataDriver, DataEntityManager>;
let orm: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const towns = defineModule({ name: 'towns', migrations: '/nowhere', entities: [Land, Pair, Town] });
  const options = defineDataConfig({ clientUrl, modules: [towns], pool: { min: 0, max: 2 } });
  orm = (await MikroORM.init(options)) as Orm;
  await orm.em.fork().execute(`
    create table land (id bigserial primary key, code text not null, name text not null);
    create table pair (a int, b int, name text not null, primary key (a, b));
    create table town (id bigserial primary key, land_code text, pair_a int);
    insert into land (code, name) select 'c' || n % 2, 'l' || n from generate_series(1, 4) n;
    insert into pair values (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z');
    insert into town (land_code, pair_a) select 'c' || n % 3, n % 3 from generate_series(1, 9) n`);
});
afterAll(async () => orm.close());

it.each([
  ['land', 4],
  ['pair', 4],
  ['land', undefined],
  ['pair', undefined],
] as const)('a call that is known finds what the first one found: %s, limit %s', async (name, limit) => {
  const found: unknown[] = [];
  for (let n = 0; n < 4; n += 1) {
    const options = { populate: [name], orderBy: { id: 'asc' }, ...(limit && { limit }) } as const;
    const towns = await orm.em.fork().find(Town, {}, options);
    found.push(towns.map((town) => wrap(town).toObject()));
  }
  expect(found[0]).not.toHaveLength(limit ?? 0);
  expect(found).toEqual([found[0], found[0], found[0], found[0]]);
});
