import { helper, MikroORM, Utils } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import {
  Bell,
  Clock,
  CLOCK_ROWS,
  clockEntities,
  ClockView,
  Gong,
  Tick,
  Timer,
  Tock,
  Twin,
} from './fixtures/clock-model.ts';

// Instants as the core reads them, of every kind of column and property, by a statement that is not known yet, and by one that is.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const model = defineModule({ name: 'clocks', migrations: '/nowhere', entities: clockEntities });
let orm: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  orm = (await MikroORM.init(
    defineDataConfig({
      clientUrl,
      modules: [model],
      pool: { min: 0, max: 3 },
      discovery: { checkDuplicateFieldNames: false },
    }),
  )) as Orm;
  await orm.schema.create();
  await orm.em.fork().execute(CLOCK_ROWS);
});
afterAll(async () => orm.close());

type Way = 'core' | 'layer';

/** One ORM for both ways, because the accessors of a class belong to the ORM that was started last. */
function take(way: Way): void {
  const isCore = way === 'core';
  Object.assign(orm.config.get('tombstone' as never), { preparedStatements: !isCore });
  const { find, count } = PostgreSqlDriver.prototype;
  if (isCore) Object.assign(orm.driver, { find, count });
  else for (const step of ['find', 'count']) Reflect.deleteProperty(orm.driver, step);
}

function shown(value: unknown, seen = new Set<object>()): unknown {
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (typeof value === 'bigint' || typeof value === 'number') return `${typeof value} ${String(value)}`;
  if (typeof value !== 'object' || value === null) return value;
  if (Utils.isCollection<object>(value))
    return value.isInitialized() ? value.getItems(false).map((item) => shown(item, seen)) : 'not loaded';
  if (seen.has(value)) return 'again';
  if (Array.isArray(value)) return value.map((item) => shown(item, seen));
  seen.add(value);
  const snapshot = Utils.isEntity(value) ? { snapshot: shown(helper(value).__originalEntityData, seen) } : {};
  return {
    ...Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shown(item, seen)])),
    ...snapshot,
  };
}

type Read = (em: DataEntityManager) => Promise<unknown>;
const READS: Record<string, Read> = {
  find: (em) => em.find(Clock, {}, { orderBy: { id: 1 } }),
  findOne: (em) => em.findOne(Clock, { id: '1' }),
  withLazy: (em) => em.find(Clock, {}, { orderBy: { id: 1 }, populate: ['lazy'] }),
  fields: (em) =>
    em.find(Clock, {}, { orderBy: { id: 1 }, fields: ['at', 'text', 'outer.at', 'outer.dated'] }),
  joined: (em) =>
    em.find(Clock, {}, { orderBy: { id: 1 }, populate: ['outer', 'outer.outer'], strategy: 'joined' }),
  selectIn: (em) =>
    em.find(Clock, {}, { orderBy: { id: 1 }, populate: ['outer', 'inner'], strategy: 'select-in' }),
  many: (em) => em.find(Clock, {}, { orderBy: { id: 1 }, populate: ['inner'], strategy: 'joined' }),
  tick: (em) => em.find(Tock, {}, { orderBy: { id: 1 }, populate: ['tick'], strategy: 'joined' }),
  tickIn: (em) => em.find(Tock, {}, { orderBy: { id: 1 }, populate: ['tick'], strategy: 'select-in' }),
  keyed: (em) => em.find(Tick, {}, { orderBy: { name: 1 } }),
  embedded: (em) => em.find(Timer, {}, { orderBy: { id: 1 }, populate: ['clock.outer'], strategy: 'joined' }),
  view: (em) => em.find(ClockView, {}, { orderBy: { id: 1 } }),
  inherited: (em) => em.find(Gong, {}, { orderBy: { id: 1 } }),
  bells: (em) => em.find(Bell, {}, { orderBy: { id: 1 } }),
  count: (em) => em.findAndCount(Clock, {}, { orderBy: { id: 1 }, limit: 30 }),
  execute: (em) => em.execute('select * from clock order by id'),
  builder: (em) => em.createQueryBuilder(Clock, 'c').select('*').orderBy({ id: 1 }).getResult(),
  rows: (em) => em.createQueryBuilder(Clock, 'c').select('*').orderBy({ id: 1 }).execute('all'),
};

function tried(work: () => void): unknown {
  try {
    return work();
  } catch (error) {
    return String(error);
  }
}

/** Without its own maker of entities, the core makes them. */
function unmade(em: DataEntityManager): void {
  if (Object.hasOwn(orm.driver, 'find')) Reflect.deleteProperty(em.getEntityFactory(), 'create');
}

async function found(em: DataEntityManager, read: Read): Promise<unknown> {
  unmade(em);
  const rows = await read(em).then(
    (result) => shown(result),
    (error: unknown) => String(error),
  );
  const failure = tried(() => em.getUnitOfWork().computeChangeSets());
  const changes = em.getUnitOfWork().getChangeSets();
  em.clear();
  return [rows, failure, changes.map(({ payload }) => shown(payload))];
}

/** Alone in the zone of the session; in a transaction the columns of a star are described each time, and come as texts. */
async function answer(read: Read, zone?: string): Promise<unknown> {
  if (zone === undefined) return found(orm.em.fork(), read);
  return orm.em.fork().transactional(async (em) => {
    await em.execute(`set local time zone '${zone}'`);
    return found(em, read);
  });
}

const ZONES = [undefined, 'UTC', 'Asia/Kolkata'];

it.each(Object.keys(READS))('reads instants as the core does: %s', async (name) => {
  const read = READS[name] as Read;
  for (const zone of ZONES) {
    take('core');
    const expected = await answer(read, zone);
    take('layer');
    for (let n = 0; n < 4; n += 1) expect([zone, n, await answer(read, zone)]).toEqual([zone, n, expected]);
  }
});

async function changedInPlace(): Promise<unknown> {
  const em = orm.em.fork();
  unmade(em);
  const hints = { populate: ['outer'], strategy: 'joined', orderBy: { id: 1 } } as const;
  const [second, , fourth] = await em.find(Clock, { id: ['2', '3', '4'] }, hints);
  second?.at?.setUTCFullYear(1999);
  fourth?.outer?.at?.setUTCFullYear(1998);
  if (second) second.at3 = new Date(0);
  em.getUnitOfWork().computeChangeSets();
  const changes = em.getUnitOfWork().getChangeSets();
  return changes.map(({ entity, payload }) => [helper(entity).getPrimaryKey(), shown(payload)]);
}

// What the core loads is its own snapshot, until a flush has made another one.
it('an instant that is changed in place is as little of a change as with the core', async () => {
  take('core');
  const expected = await changedInPlace();
  expect(expected).toEqual([['2', { at3: 'date 0' }]]);
  take('layer');
  for (let n = 0; n < 4; n += 1) expect([n, await changedInPlace()]).toEqual([n, expected]);
});

it('two properties of one column have an instant each', async () => {
  take('layer');
  for (let n = 0; n < 4; n += 1) {
    const { at, twin } = await orm.em.fork().findOneOrFail(Twin, { id: '1' });
    expect([at, twin]).toEqual([new Date(0), new Date(0)]);
    expect(at).not.toBe(twin);
  }
});
