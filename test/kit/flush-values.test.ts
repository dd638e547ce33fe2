import { MikroORM } from '@mikro-orm/core';
import { defineEntity, p, raw, Type } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { bigintId, type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';

// Values that a parameter or an array could change on their way.

/** An instant as seconds, so that what the database answers has to be converted. */
class Seconds extends Type<number, string> {
  override convertToDatabaseValue(value: number): string {
    return typeof value === 'number' ? new Date(value * 1000).toISOString() : value;
  }

  override convertToJSValue(value: string): number {
    return Date.parse(value) / 1000;
  }

  override getColumnType(): string {
    return 'timestamptz';
  }
}

const GaugeSchema = defineEntity({
  name: 'Gauge',
  properties: {
    id: bigintId(),
    name: p.string(),
    note: p.string().nullable(),
    count: p.integer().nullable(),
    small: p.smallint().nullable(),
    low: p.double().nullable(),
    high: p.double().nullable(),
    single: p.float().nullable(),
    seen: p.type(Seconds).onUpdate(() => raw('now()')),
  },
});
class Gauge extends GaugeSchema.class {}
GaugeSchema.setClass(Gauge);

const MomentSchema = defineEntity({
  name: 'Moment',
  properties: { id: bigintId(), note: p.string(), at: p.datetime().columnType('timestamptz') },
});
class Moment extends MomentSchema.class {}
MomentSchema.setClass(Moment);

const model = defineModule({ name: 'gauges', migrations: '/nowhere', entities: [Gauge, Moment] });
let orm: MikroORM<DataDriver, DataEntityManager>;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  orm = (await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [model] }))) as typeof orm;
  await orm.schema.create();
});
afterAll(async () => orm.close());
beforeEach(async () => {
  await orm.em.fork().execute(`truncate gauge restart identity;
    insert into gauge (name, low, high, single, seen) select 'g' || n, n + 0.5, n + 0.5, n + 0.1, now() from generate_series(1, 5) n`);
});

const load = async () => {
  const em = orm.em.fork();
  const all = await em.find(Gauge, {}, { orderBy: { id: 'asc' } });
  return { em, all, first: all[0] as Gauge };
};
const stored = async (id = '1') =>
  (await orm.em.fork().execute<Record<string, unknown>[]>('select * from gauge where id = ?', [id]))[0];

describe('a flush', () => {
  it.each([1, 2])('rounds a fraction for a column of whole numbers, of %s rows', async (rows) => {
    const change = async (): Promise<void> => {
      const { em, all } = await load();
      for (const one of all.slice(0, rows))
        Object.assign(one, { count: 5.6, small: -2.5, low: 0.1, single: 0.3 });
      await em.flush();
    };
    await change();
    expect(await stored()).toMatchObject({ count: 6, small: -3, low: 0.1, single: 0.3 });
    await orm.em.fork().execute('update gauge set count = null, small = null');
    await orm.em.fork().transactional(change);
    expect(await stored()).toMatchObject({ count: 6, small: -3, low: 0.1, single: 0.3 });
  });

  it.each([1, 2])('sees the change of an instant in place afterwards, of %s rows', async (rows) => {
    await orm.em
      .fork()
      .execute(
        `truncate moment; insert into moment (note, at) select n, '2020-05-05Z' from generate_series(1, 3) n`,
      );
    const em = orm.em.fork();
    const all = await em.find(Moment, {});
    for (const one of all.slice(0, rows)) one.note = 'changed';
    await em.flush();
    all[0]?.at.setUTCFullYear(1991);
    await em.flush();
    expect(await em.fork().count(Moment, { at: new Date('1991-05-05Z') })).toBe(1);
  });

  it('leaves a change to the next one that was made while it ran, whatever the type of what the database sets', async () => {
    const { em, first } = await load();
    const holder = orm.em.fork();
    await holder.begin();
    await holder.execute('select 1 from gauge where id = ? for update', [first.id]);
    first.name = 'first';
    const flushed = em.flush();
    await waitsForLock();
    first.note = 'meanwhile';
    await holder.commit();
    await flushed;
    await em.flush();
    expect(await stored()).toMatchObject({ name: 'first', note: 'meanwhile' });
    expect(first.seen).toBeGreaterThan(Date.now() / 1000 - 60);
  });
});

async function waitsForLock(): Promise<void> {
  for (;;) {
    const sql = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    if ((await orm.em.fork().execute(sql)).length > 0) return;
  }
}

describe('a read of a known shape', () => {
  it('keeps fractions apart that were the same when its statement was made', async () => {
    const count = async (low: number, high: number) => {
      const where = { name: { $ne: 'x' }, low: { $gt: low }, high: { $gt: high } };
      return [(await orm.em.fork().find(Gauge, where)).length, await orm.em.fork().count(Gauge, where)];
    };
    for (let time = 0; time < 4; time += 1) expect(await count(1.5, 1.5)).toEqual([4, 4]);
    expect(await count(1.5, 4.5)).toEqual([1, 1]);
    expect(await count(4.5, 1.5)).toEqual([1, 1]);
  });

  it('finds single-precision numbers in a list', async () => {
    for (let time = 0; time < 8; time += 1) {
      expect(await orm.em.fork().count(Gauge, { single: { $in: [1.1, 2.1] } })).toBe(2);
      expect(await orm.em.fork().count(Gauge, { single: { $nin: [1.1, 2.1] } })).toBe(3);
    }
  });
});
