import { MikroORM, ReferenceKind, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { withEarlyLimit } from '../../src/kit/orm/early-limit.ts';
import { listenToStatements } from '../../src/kit/orm/sent-statements.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { Parcel, parcelEntities, PARCELS, Sender } from './fixtures/parcel-model.ts';

// A page is chosen before its relations are joined, wherever that is the same page.

const targetMeta = { getPrimaryProps: () => [{ fieldNames: ['id'] }] };
const toOne = { prop: { kind: ReferenceKind.MANY_TO_ONE, targetMeta, referencedColumnNames: ['id'] } };
const builder = (...joins: object[]) => ({ state: { joins: Object.fromEntries(joins.entries()) } }) as never;
const JOIN = 'left join "u" as "u1" on "a0"."u_id" = "u1"."id" and "u1"."deleted_at" is null';
const END = 'order by "a0"."id" desc limit ? offset ?';

describe('the text of a page', () => {
  it('has the limit, and all that it depends on, before the joins', () => {
    const sql = `select "a0".*, "u1"."id" as "u1__id" from "s"."a" as "a0" ${JOIN} where ("a0"."x" = ? or exists (select 1 from "b" where "a0"."y" = ?)) ${END}`;
    expect(withEarlyLimit(sql, builder(toOne))).toBe(
      `select "a0".*, "u1"."id" as "u1__id" from (select "a0".* from "s"."a" as "a0" where ("a0"."x" = ? or exists (select 1 from "b" where "a0"."y" = ?)) ${END}) as "a0" ${JOIN} order by "a0"."id" desc`,
    );
  });

  it('reads of the first table only what was asked for, because a role may be allowed no more', () => {
    const sql = `select "a0"."id", "u1"."id" as "u1__id" from "a" as "a0" ${JOIN} order by "a0"."at" asc, "a0"."id" asc limit ?`;
    expect(withEarlyLimit(sql, builder(toOne))).toBe(
      `select "a0"."id", "u1"."id" as "u1__id" from (select "a0"."id", "a0"."u_id", "a0"."at" from "a" as "a0" order by "a0"."at" asc, "a0"."id" asc limit ?) as "a0" ${JOIN} order by "a0"."at" asc, "a0"."id" asc`,
    );
  });

  const head = 'select "a0".*, "u1"."id" as "u1__id" from "a" as "a0"';
  it.each([
    ['has no limit', `${head} ${JOIN} order by "a0"."id" desc`],
    ['has no order', `${head} ${JOIN} limit ?`],
    ['is ordered by a relation', `${head} ${JOIN} order by "u1"."name" asc, "a0"."id" asc limit ?`],
    ['is ordered by an expression', `${head} ${JOIN} order by random() limit ?`],
    ['is ordered by a column of unknown table', `${head} ${JOIN} order by "name" asc limit ?`],
    ['depends on a relation', `${head} ${JOIN} where "u1"."name" = ? ${END}`],
    ['depends on a relation inside', `${head} ${JOIN} where exists (select 1 where "u1"."x" = 1) ${END}`],
    ['leaves rows out by a join', `${head} ${JOIN.replace('left', 'inner')} ${END}`],
    ['has an inner join after', `${head} ${JOIN} inner join "v" as "v2" on "v2"."id" = "a0"."v_id" ${END}`],
    [
      'joins tables in parentheses',
      `${head} left join ("u" as "u1" inner join "v" as "v2" on true) on true ${END}`,
    ],
    ['joins a sub-select', `${head} left join lateral (select 1) as "u1" on true ${END}`],
    ['has a value in a join', `${head} ${JOIN} and "u1"."x" = ? ${END}`],
    ['is grouped', `${head} ${JOIN} where "a0"."x" = ? group by "a0"."id" ${END}`],
    ['is locked', `${head} ${JOIN} ${END} for update`],
    ['has distinct rows', `${head.replace('select', 'select distinct')} ${JOIN} ${END}`],
    ['counts', `select count(*) as "count" from "a" as "a0" ${JOIN} ${END}`],
    ["shows the system's columns", `${head.replace('.*', '.*, "a0"."xmin"')} ${JOIN} ${END}`],
    ['has a question mark of its own', String.raw`${head} ${JOIN} where "a0"."doc" \? ? ${END}`],
    ['reads no table', `select "a0".* from (select 1) as "a0" ${JOIN} ${END}`],
    ['is two', `${head} ${JOIN} ${END} union ${head} ${JOIN} ${END}`],
  ])('stays where it %s', (_, sql) => {
    expect(withEarlyLimit(sql, builder(toOne))).toBeUndefined();
  });

  it.each<[string, object]>([
    ['a collection', { kind: ReferenceKind.ONE_TO_MANY }],
    ['the other side of a one-to-one', { kind: ReferenceKind.ONE_TO_ONE, owner: false }],
    ['another key than the primary one', { targetKey: 'code' }],
    ['other columns than those of the key', { referencedColumnNames: ['code'] }],
    ['several tables', { polymorphic: true }],
    ['a view', { targetMeta: { ...targetMeta, view: true } }],
  ])('stays where a relation is one to %s', (_, prop) => {
    const sql = `${head} ${JOIN} ${END}`;
    expect(withEarlyLimit(sql, builder(toOne))).toBeDefined();
    const own = { prop: { ...toOne.prop, ...prop } };
    expect(withEarlyLimit(sql, builder(toOne, own))).toBeUndefined();
  });
});

type Orm = MikroORM<DataDriver, DataEntityManager>;
type Scope = 'live' | 'onlyDeleted' | 'skipSoftDelete' | 'withDeleted';
const parcels = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
let orm: Orm;
let texts: string[] = [];
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const options = defineDataConfig({ clientUrl, modules: [parcels], pool: { min: 0, max: 2 } });
  orm = (await MikroORM.init(options)) as Orm;
  await orm.schema.create();
  const em = orm.em.fork();
  await em.insertMany(
    Sender,
    ['Al', 'Bo', 'Cy', 'Do'].map((name, n) => ({ id: String(n + 1), name, rank: n })),
  );
  await em.insertMany(Parcel, PARCELS as never);
  await em.nativeDelete(Parcel, { id: { $in: ['6', '7', '20', '33'] } });
  await em.nativeDelete(Sender, { id: '2' });
  listenToStatements(orm.config, ({ text = '' }) => void texts.push(text));
});
afterAll(async () => orm.close());

// Made anew for each call, because the core writes into what it is given.
const LISTS = (): { where: object; options: object }[] => {
  const orders = [
    () => ({ id: 'desc' }),
    () => ({ kind: 'asc', id: 'asc' }),
    () => [{ note: 'desc nulls last' }, { id: 'asc' }],
  ];
  const wheres = [
    () => ({}),
    () => ({ flag: true }),
    () => ({ $or: [{ pieces: { $gt: 3 } }, { note: null }] }),
    () => ({ sender: { id: { $in: ['1', '2'] } } }),
  ];
  const selections = [
    () => ({ populate: ['sender', 'previous'] }),
    () => ({ fields: ['name', 'sender.name'] }),
    () => ({ populate: ['previous'], exclude: ['note'] }),
  ];
  return orders.flatMap((orderBy) =>
    wheres.flatMap((where) =>
      selections.map((selected) => ({
        where: where(),
        options: { ...selected(), orderBy: orderBy() },
      })),
    ),
  );
};
const PAGES = [
  [3, 0],
  [5, 2],
  [5, 7],
  [50, 20],
] as const;

/** Each page of each list in a scope, asked for until its call is known. */
async function pages(scope: Scope, isPaged: boolean): Promise<unknown[]> {
  const find = async (em: DataEntityManager, where: object, options: object): Promise<unknown[]> =>
    (await em.find(Parcel, where, options)).map((row) => wrap(row).toObject());
  const found: unknown[] = [];
  for (const time of [1, 2, 3])
    for (const [n] of LISTS().entries())
      for (const [limit, offset] of PAGES) {
        const { where, options } = LISTS()[n] as ReturnType<typeof LISTS>[number];
        const own = { ...options, ...(isPaged && { limit, offset }) };
        const em = orm.em.fork();
        const rows =
          scope === 'live'
            ? await find(em, where, own)
            : await em[scope]((scoped) => find(scoped as DataEntityManager, where, own));
        if (time === 3) found.push(isPaged ? rows : rows.slice(offset, offset + limit));
      }
  return found;
}

it.each<Scope>(['live', 'withDeleted', 'onlyDeleted', 'skipSoftDelete'])(
  'a page is a part of the whole list, with the same relations: %s',
  async (scope) => {
    const whole = await pages(scope, false);
    texts = [];
    expect(await pages(scope, true)).toEqual(whole);
    expect(texts.filter((text) => text.includes(' from (select ')).length).toBeGreaterThan(100);
    const dead = JSON.stringify(whole, (_, item: unknown) =>
      typeof item === 'bigint' ? String(item) : item,
    );
    // In these rows there is something that normal code must not see.
    expect(/"name":"Bo"/.test(dead)).toBe(scope !== 'live');
  },
);

it('only the rows of the page are joined', async () => {
  const [plain, early] = await Promise.all(
    [false, true].map(async (isEarly) => {
      const em = orm.em.fork();
      const sql = `select "a0".*, "u1"."name" from "parcel" as "a0" left join "sender" as "u1" on "a0"."sender_id" = "u1"."id" and "u1"."deleted_at" is null where "a0"."deleted_at" is null order by "a0"."amount" desc limit 3`;
      const text = isEarly ? withEarlyLimit(sql, builder(toOne)) : sql;
      return JSON.stringify(await em.execute(`explain (analyze, costs off, timing off) ${text}`));
    }),
  );
  expect(plain).toMatch(/Join.*actual rows=36/);
  expect(early).not.toMatch(/Join[^>]*actual rows=36/);
});
