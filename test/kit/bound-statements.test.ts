import { type FilterQuery, type FindOptions, helper, MikroORM, raw, wrap } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { Parcel, parcelEntities, PARCELS, Sender, Stamp } from './fixtures/parcel-model.ts';
import { conditions, LOCKS, rawConditions, READ_OPTIONS } from './fixtures/parcel-reads.ts';

// What is sent with parameters under a name has to mean what the same statement means with its values in the text.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const parcels = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
const open = (clientUrl: string, preparedStatements: boolean): Promise<Orm> =>
  MikroORM.init(
    defineDataConfig({ clientUrl, modules: [parcels], preparedStatements, pool: { min: 0, max: 1 } }),
  ) as Promise<Orm>;

let bound: Orm;
let plain: Orm;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  bound = await open(url, true);
  plain = await open(url, false);
  // Nor does it know the shapes of reads: each goes the core's way.
  const { find, count } = PostgreSqlDriver.prototype;
  Object.assign(plain.driver, { find, count, knownReads: undefined, knownWrites: undefined });
  await plain.schema.create();
  const em = plain.em.fork();
  await em.insertMany(
    Sender,
    ['Al', 'Bo', 'Cy', 'Do'].map((name, n) => ({ id: String(n + 1), name, rank: n })),
  );
  await em.insertMany(Parcel, PARCELS as never);
  await em.insertMany(
    Stamp,
    PARCELS.slice(0, 12).map(({ id, sender }, n) => ({ parcel: id, sender, price: n })),
  );
  await em.nativeDelete(Parcel, { id: { $in: ['7', '8'] } });
  await em.nativeDelete(Sender, '4');
});
afterAll(async () => {
  await bound.close();
  await plain.close();
});

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item));
/** The answer as text, or what the refusal is. */
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(shown, (error: Error & { code?: string; sqlState?: string }) => {
    return `${error.name} ${error.code ?? ''} ${error.sqlState ?? ''}`;
  });

interface Read {
  readonly where: () => FilterQuery<Parcel>;
  readonly options: FindOptions<Parcel, never>;
}

async function found(orm: Orm, { where, options }: Read): Promise<unknown> {
  const em = orm.em.fork();
  // Without it, the core makes the entities.
  if (orm === plain) expect(Reflect.deleteProperty(em.getEntityFactory(), 'create')).toBe(true);
  const rows = await em.find(Parcel, where(), { orderBy: { id: 'asc' } as never, ...options });
  const data = rows.map((row) => [wrap(row).toObject(), Object.keys(row).toSorted()]);
  // What is loaded must not look changed.
  em.getUnitOfWork().computeChangeSets();
  const loaded = [...em.getUnitOfWork().getIdentityMap()].map((entity) => {
    const {
      __originalEntityData: original,
      __loadedProperties: names,
      __initialized: isLoaded,
    } = helper(entity);
    return [original, [...names].toSorted(), isLoaded];
  });
  return [data, loaded.map(shown).toSorted(), em.getUnitOfWork().getChangeSets().length];
}

/** Sent first without a name, then under one, then by a plan of the server that may hold for any values. */
async function agree(read: (orm: Orm) => Promise<unknown>, times = 3): Promise<void> {
  const expected = await outcome(read(plain));
  for (let n = 0; n < times; n += 1) expect(await outcome(read(bound))).toBe(expected);
}

const copy =
  (where: FilterQuery<Parcel>): (() => FilterQuery<Parcel>) =>
  () =>
    structuredClone(where);

describe('a statement with parameters means what it means with its values in the text', () => {
  it.each(READ_OPTIONS.map((options) => [JSON.stringify(options), options] as const))(
    'in find with %s',
    async (_, options) => {
      const step = options === READ_OPTIONS[0] ? 1 : 11;
      for (const [n, where] of conditions().entries()) {
        if (n % step === 0) {
          await agree((orm) => found(orm, { where: copy(where), options: structuredClone(options) }));
        }
      }
    },
    300_000,
  );

  it('in count, findOne and findAndCount', async () => {
    for (const [n, where] of conditions().entries()) {
      if (n % 5 !== 0) continue;
      const own = copy(where);
      await agree((orm) => orm.em.fork().count(Parcel, own()));
      await agree(async (orm) => {
        const options = { orderBy: { id: 'desc' }, populate: ['sender'] } as never;
        const row = await orm.em.fork().findOne(Parcel, { $and: [{ id: { $gt: '0' } }, own()] }, options);
        return row && wrap(row).toObject();
      });
    }
    await agree(async (orm) => {
      const options = { orderBy: { id: 'asc' }, limit: 4, offset: 4 } as never;
      const [rows, total] = await orm.em.fork().findAndCount(Parcel, { flag: true }, options);
      return [rows.map(({ id }) => id), total];
    });
  }, 300_000);

  it('in pieces of SQL by hand', async () => {
    for (const where of rawConditions) {
      await agree((orm) => found(orm, { where, options: {} }), 7);
      await agree((orm) => orm.em.fork().count(Parcel, where()), 3);
    }
  });

  it('in a query builder', async () => {
    const builds: ((em: DataEntityManager) => Promise<unknown>)[] = [
      (em) =>
        em
          .createQueryBuilder(Parcel, 'p')
          .select('*')
          .where({ name: `it's` })
          .orderBy({ id: 1 })
          .execute('all'),
      (em) =>
        em
          .createQueryBuilder(Parcel, 'p')
          .select(['p.kind', raw('count(*)::int as total')])
          .where({ pieces: { $lt: 5 } })
          .groupBy('p.kind')
          .having({ [raw('count(*)')]: { $gt: 2 } })
          .orderBy({ kind: 1 })
          .execute('all', false),
      (em) =>
        em
          .createQueryBuilder(Parcel, 'p')
          .select(['p.id', raw('? as what, p.pieces + ? as more', ['x', 2])])
          .orderBy([{ [raw('p.pieces + ?', [2])]: 'desc' }, { id: 'asc' }])
          .limit(3)
          .execute('all', false),
      (em) =>
        em
          .createQueryBuilder(Parcel, 'p')
          .select('p.id')
          .where({
            sender: { $in: em.createQueryBuilder(Sender, 's').select('s.id').where({ rank: 1 }) },
          } as never)
          .execute('all'),
      (em) =>
        em
          .createQueryBuilder(Stamp, 's')
          .select('*')
          .where({ parcel: ['1', '2'], price: { $gte: 0 } })
          .execute('all'),
      (em) =>
        em.find(
          Stamp,
          [
            ['1', '1'],
            ['2', '2'],
          ] as never,
          { populate: ['parcel', 'sender'] as never },
        ),
      (em) =>
        em.find(
          Stamp,
          { price: { $lt: 9 } },
          { populate: ['parcel', 'sender'] as never, orderBy: { price: 1 } as never },
        ),
      (em) =>
        em.execute(
          'select id, name from parcel where deleted_at is null and name = ? and pieces >= ? order by id',
          ['what?', 1],
        ),
      (em) => em.execute('select ?::text as a, ? as b, ?::int + 1 as c', ['a', 'b', 3]),
      (em) =>
        em.execute(
          `select count(*)::int as n from parcel where deleted_at is null and note is not distinct from ?`,
          ['x'],
        ),
      (em) => em.execute(String.raw`select 'a\?b' as q, ? as v`, ['w']),
    ];
    for (const build of builds) await agree((orm) => build(orm.em.fork()), 7);
  });

  it.each(LOCKS)('under lock %s', async (lockMode) => {
    await agree((orm) =>
      orm.em.fork().transactional(async (em) => {
        const rows = await em.find(Parcel, { kind: 'box' }, { lockMode, orderBy: { id: 'asc' } as never });
        return rows.map(({ id }) => id);
      }),
    );
  });

  it('in writes, of values of each type', async () => {
    const write = async (orm: Orm, data: object): Promise<unknown> => {
      const em = orm.em.fork();
      await em.begin();
      try {
        const count = await em.nativeUpdate(Parcel, { id: { $in: ['1', '2', '5'] } }, data);
        const rows = await em.execute('select * from parcel where deleted_at is null order by id');
        const { id: _, ...sample } = PARCELS[3] as object as Record<string, unknown>;
        await em.insert(Parcel, { ...sample, id: '1000', ...data } as never);
        const added = await em.execute('select * from parcel where id = 1000 and deleted_at is null');
        return [count, rows, added];
      } finally {
        await em.rollback();
      }
    };
    for (const row of PARCELS.slice(0, 12)) {
      const { id: _, ...data } = row;
      await agree((orm) => write(orm, data));
      for (const [name, value] of Object.entries(data))
        await agree((orm) => write(orm, { [name]: value }), 1);
    }
    await agree((orm) => write(orm, { pieces: raw('pieces + ?', [2]) }));
    await agree((orm) => write(orm, { name: 'x'.repeat(41) }));
    await agree((orm) => write(orm, { pieces: 'three' }));
    await agree((orm) => write(orm, { amount: '12.34567' }));
  }, 120_000);
});
