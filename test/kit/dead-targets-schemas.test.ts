import { MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { expect, it } from '@jest/globals';
import { bigintId, defineDataConfig, defineModule, softDelete } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';

const WareSchema = defineEntity({
  name: 'Ware',
  tableName: 'of the store',
  schema: 'stock',
  properties: { id: bigintId().fieldName('ware key'), ...softDelete.properties() },
});
class Ware extends WareSchema.class {}
WareSchema.setClass(Ware);
softDelete.register(Ware);

const OfferSchema = defineEntity({
  name: 'Offer',
  tableName: 'select',
  schema: 'Shop',
  properties: {
    id: bigintId(),
    text: p.string().fieldName('ware key'),
    ware: () => p.manyToOne(Ware).fieldName('Ware'),
    next: () => p.manyToOne(OfferSchema).nullable(),
  },
});
class Offer extends OfferSchema.class {}
OfferSchema.setClass(Offer);
softDelete.deadTargets(Offer, { ware: 'hide' });

it('a row is hidden across schemas, with names that need quotes and columns that both tables have', async () => {
  const { url } = await emptyTestDatabase();
  const shop = defineModule({ name: 'shop', migrations: '/nowhere', entities: [Ware, Offer] });
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [shop] }));
  await orm.schema.create();
  const em = orm.em.fork();
  await em.execute(`insert into stock."of the store" ("ware key", deleted_at) values (1, null), (2, now());
    insert into "Shop"."select" (id, "ware key", "Ware", next_id) values (1, 'a', 1, 2), (2, 'b', 2, null)`);
  const found = await em.find(Offer, {}, { populate: ['ware', 'next'] });
  expect(found.map(({ id, next }) => [id, next])).toEqual([['1', null]]);
  expect(await em.nativeUpdate(Offer, {}, { text: 'x' })).toBe(1);
  expect(await em.nativeDelete(Offer, { id: '2' })).toBe(0);
  const other = orm.em.fork();
  for (const id of ['1', '2']) other.getReference(Offer, id).text = 'y';
  await expect(other.flush()).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2'] });
  const row = { id: '2', text: 'z', ware: '1' } as never;
  await expect(orm.em.fork().upsert(Offer, row)).rejects.toMatchObject({ keys: ['2'] });
  const rows = await em.execute<{ text: string }[]>(
    'select "ware key" as text from "Shop"."select" order by id',
  );
  expect(rows.map(({ text }) => text)).toEqual(['x', 'b']);
  await orm.close();
});
