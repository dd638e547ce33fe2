import { MikroORM } from '@mikro-orm/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type DataDriver,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  retryTransaction,
} from 'tombstone';
import { MAX_NAMED } from '../../src/kit/orm/statement-names.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { hasPooler, startPooler } from '../support/pgbouncer.ts';
import { Parcel, parcelEntities, PARCELS, Sender } from './fixtures/parcel-model.ts';

type Orm = MikroORM<DataDriver, DataEntityManager>;

const parcels = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
let url: string;
const opened: Orm[] = [];
const open = async (more: object = {}): Promise<Orm> => {
  const options = { clientUrl: url, modules: [parcels], pool: { min: 0, max: 1 }, ...more };
  const orm = (await MikroORM.init(defineDataConfig(options))) as Orm;
  opened.push(orm);
  return orm;
};
const NAMES = `select name, statement, generic_plans + custom_plans as calls from pg_prepared_statements where name like 'ts_%'`;
const named = async (orm: Orm) =>
  orm.em
    .fork()
    .getConnection()
    .execute<{ name: string; statement: string; calls: string }[]>(`${NAMES} -- ${Math.random()}`);

beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
  const orm = await open();
  await orm.schema.create();
  const em = orm.em.fork();
  await em.insertMany(
    Sender,
    ['Al', 'Bo'].map((name, n) => ({ id: String(n + 1), name, rank: n })),
  );
  await em.insertMany(Parcel, PARCELS.map((row) => ({ ...row, sender: '1', previous: null })) as never);
});
afterEach(async () => {
  for (const orm of opened.splice(0)) await orm.close();
});
afterAll(() => undefined);

describe('statements of the ORM', () => {
  it('have a name from the second time on, whatever the values and the length of a list', async () => {
    const orm = await open();
    for (const ids of [
      ['1', '2'],
      ['3', '4', '5'],
      ['6', '7', '8', '9'],
      ['1', '3'],
      ['9', '8'],
    ]) {
      expect(await orm.em.fork().find(Parcel, { id: { $in: ids } })).toHaveLength(ids.length);
    }
    const statements = (await named(orm)).filter(({ statement }) => statement.includes('from "parcel"'));
    expect(statements).toEqual([expect.objectContaining({ calls: '3' })]);
    expect(statements[0]?.statement).toContain('"id" = any($1)');
  });

  it('have no name and no parameters where the configuration says so', async () => {
    const orm = await open({ preparedStatements: false });
    for (let n = 0; n < 4; n += 1) await orm.em.fork().findOne(Parcel, { name: 'plain', id: '1' });
    expect(await named(orm)).toEqual([]);
  });

  it('keep few names on a connection, and go on when one was taken from them', async () => {
    const orm = await open();
    const em = orm.em.fork();
    const count = MAX_NAMED + 5;
    const ask = (n: number) =>
      em.execute(`select ${n} as n from sender where deleted_at is null and id = ?`, ['1']);
    for (let n = 0; n < count; n += 1) for (let time = 0; time < 2; time += 1) await ask(n);
    expect((await named(orm)).length).toBe(MAX_NAMED);
    expect(await ask(0)).toEqual([{ n: 0 }]);
    // The name of one that is taken away in a failed transaction is free, too.
    await em
      .transactional(async (tx) => {
        await tx.execute('select 1 / 0').catch(() => undefined);
        await Promise.allSettled(
          [1, 2, 3].map((n) =>
            tx.execute(`select ${n} as n from sender where deleted_at is null and id = ?`, ['1']),
          ),
        );
      })
      .catch(() => undefined);
    for (const n of [1, 2, 3]) expect(await ask(n)).toEqual([{ n }]);
    expect((await named(orm)).length).toBe(MAX_NAMED);
  }, 60_000);

  it('go on after a migration has changed a column, and a transaction does so when it is repeated', async () => {
    const orm = await open();
    const em = orm.em.fork();
    await em.execute('create table shape as select 1::int as minutes');
    const read = (own: DataEntityManager) => own.execute('select minutes from shape where minutes = ?', [1]);
    for (let n = 0; n < 3; n += 1) expect(await read(em)).toEqual([{ minutes: 1 }]);
    await em.execute('alter table shape alter column minutes type bigint');
    expect(await read(em)).toEqual([{ minutes: '1' }]);
    await em.execute('alter table shape alter column minutes type numeric');
    const refusal = { code: 'DATA.CONCURRENCY', sqlState: '0A000' };
    await expect(em.transactional(read)).rejects.toMatchObject(refusal);
    expect(await em.transactional(read)).toEqual([{ minutes: '1' }]);
    await em.execute('alter table shape alter column minutes type float8');
    expect(await retryTransaction(em, read)).toEqual([{ minutes: 1 }]);
    // The same SQLSTATE for another reason is an answer, and makes nothing new.
    const before = (await named(orm)).length;
    const wrong = `select distinct id from sender where deleted_at is null and id = ? for update`;
    for (let n = 0; n < 3; n += 1) {
      await expect(em.execute(wrong, ['1'])).rejects.toMatchObject({ sqlState: '0A000' });
    }
    expect((await named(orm)).length).toBe(before);
  });

  it('do not fail a transaction when a column is added, whose reads name no columns', async () => {
    const orm = await open();
    const em = orm.em.fork();
    await em.execute('create table wider as select 1::int as minutes');
    const read = (own: DataEntityManager) =>
      own.execute('select * from wider where minutes = ?', [1]) as Promise<object[]>;
    for (let n = 0; n < 3; n += 1) await read(em);
    // What a name would have done.
    const [{ name } = { name: '' }] = await em.execute<{ name: string }[]>(
      `select name from pg_prepared_statements where statement like '%from wider%'`,
    );
    await em.execute('alter table wider add column note text');
    await expect(em.execute(`execute ${name}(1)`)).rejects.toMatchObject({ code: 'DATA.CONCURRENCY' });
    expect(await em.transactional(read)).toEqual([{ minutes: 1, note: null }]);
    expect(await read(em)).toEqual([{ minutes: 1, note: null }]);
  });

  it('read a temporary table that has taken the name of another one', async () => {
    const orm = await open();
    for (const make of [
      'create temp table sender (id bigint) on commit drop',
      `do $$ begin create temporary table sender (id bigint) on commit drop; end $$`,
    ]) {
      await orm.em.fork().transactional(async (em) => {
        await em.execute('create temp table other (id bigint) on commit drop');
        const count = async () =>
          (
            await em.execute<{ n: number }[]>(
              `select count(*)::int as n from sender where id > ? /* soft-delete: all rows */`,
              ['0'],
            )
          )[0]?.n;
        for (let n = 0; n < 3; n += 1) expect(await count()).toBe(2);
        await em.execute(make);
        for (let n = 0; n < 3; n += 1) expect(await count()).toBe(0);
      });
    }
  });

  it('are not those of another filter: one that is added later reaches the joins of a condition', async () => {
    const orm = await open();
    const find = (em: DataEntityManager) => em.count(Parcel, { sender: { name: 'Al' } });
    for (let n = 0; n < 3; n += 1) expect(await find(orm.em.fork())).toBe(PARCELS.length);
    const em = orm.em.fork();
    em.addFilter({ name: 'others', cond: { name: { $ne: 'Al' } }, entity: [Sender] } as never);
    for (let n = 0; n < 3; n += 1) expect(await find(em)).toBe(0);
    expect(await find(orm.em.fork())).toBe(PARCELS.length);
  });

  (hasPooler() ? it : it.skip)('are sent without names once a pooler has lost one', async () => {
    const pooler = await startPooler(url, 2);
    const warnings: string[] = [];
    try {
      const logger = (text: string) => warnings.push(text);
      const made = { clientUrl: pooler.url, pool: { min: 0, max: 6 }, colors: false, logger };
      const orms = [await open(made), await open(made)];
      const work = async (orm: Orm, n: number): Promise<number> => {
        const found = await orm.em
          .fork()
          .find(Parcel, { pieces: { $gte: n % 3 } }, { populate: ['sender'] as never });
        return found.length;
      };
      for (let round = 0; round < 20; round += 1) {
        const counts = await Promise.all(orms.flatMap((orm) => [0, 1, 2, 3, 4, 5].map((n) => work(orm, n))));
        const expected = [0, 1, 2].map((n) => PARCELS.filter(({ pieces }) => pieces >= n).length);
        expect(counts).toEqual([...expected, ...expected, ...expected, ...expected]);
      }
      expect(warnings.filter((text) => text.includes('preparedStatements: false'))).not.toEqual([]);
      expect(warnings.length).toBeLessThanOrEqual(2);
    } finally {
      for (const orm of opened.splice(0)) await orm.close();
      await pooler.stop();
    }
  });
});
