import { EntityManager, defineEntity, MikroORM, p, raw, Type, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataDriver, type DataEntityManager, bigintId, defineDataConfig, defineModule } from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { Parcel, parcelEntities, PARCELS, Sender } from './fixtures/parcel-model.ts';

// A call that was made before goes past the core, and has to do what the core does.

type Orm = MikroORM<DataDriver, DataEntityManager>;

/** Finds what was written in any case. */
class UpperType extends Type<string, string> {
  override convertToDatabaseValue(value: string): string {
    return value.toUpperCase();
  }

  override getColumnType(): string {
    return 'text';
  }
}
const TicketSchema = defineEntity({
  name: 'Ticket',
  properties: { id: bigintId(), code: p.type(UpperType).$type<string>() },
});
class Ticket extends TicketSchema.class {}
TicketSchema.setClass(Ticket);

const CrateSchema = defineEntity({
  name: 'Crate',
  properties: { id: bigintId(), size: p.integer() },
  filters: {
    small: {
      name: 'small',
      cond: ({ most }: { most: number }) => ({ size: { $lte: most } }),
      default: true,
    },
  },
});
class Crate extends CrateSchema.class {}
CrateSchema.setClass(Crate);

const entities = [...parcelEntities, Ticket];
const parcels = defineModule({ name: 'parcels', migrations: '/nowhere', entities });
let known: Orm;
let plain: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const open = () =>
    MikroORM.init(
      defineDataConfig({ clientUrl, modules: [parcels], pool: { min: 0, max: 2 } }),
    ) as Promise<Orm>;
  known = await open();
  plain = await open();
  Object.assign(plain.driver, { knownReads: undefined, knownWrites: undefined });
  await known.schema.create();
  const em = plain.em.fork();
  await em.insertMany(
    Sender,
    ['Al', 'Bo', 'Cy', 'Do'].map((name, n) => ({ id: String(n + 1), name, rank: n })),
  );
  await em.insertMany(Parcel, PARCELS as never);
  await em.insertMany(Ticket, [{ id: '1', code: 'abc' }] as never);
  await em.nativeDelete(Parcel, { id: { $in: ['7', '8'] } });
});
afterAll(async () => {
  await known.close();
  await plain.close();
});

/** A step of the core that it marks as protected. */
const steps = EntityManager.prototype as unknown as { processWhere(...args: unknown[]): Promise<unknown> };

/** How often the core reads a condition while `work` runs. */
async function conditionsRead(work: () => Promise<unknown>): Promise<number> {
  const { processWhere } = steps;
  let count = 0;
  steps.processWhere = function (this: typeof steps, ...args) {
    count += 1;
    return processWhere.apply(this, args);
  };
  try {
    await work();
    return count;
  } finally {
    steps.processWhere = processWhere;
  }
}

class Undo extends Error {}

/** What a write answers and leaves behind, without leaving it. */
async function written(orm: Orm, write: (em: DataEntityManager) => Promise<unknown>): Promise<string> {
  let seen = '';
  const work = orm.em.fork().transactional(async (em) => {
    const loaded = await em.find(Parcel, { id: { $in: ['1', '2'] } });
    const answer = await write(em);
    const rows = await em.execute(
      'select *, updated_at = now() as is_now from parcel where deleted_at is null or true order by id',
    );
    const kept = loaded.map((one) => em.getUnitOfWork().getIdentityMap().getByEntity(one) === one);
    const shown = (_: string, item: unknown) => (typeof item === 'bigint' ? String(item) : item);
    // Each transaction has a clock of its own.
    seen = JSON.stringify([answer, kept, rows], shown).replaceAll(
      /"(deleted|updated)_at":"[^"]*"/g,
      '"$1_at":1',
    );
    throw new Undo();
  });
  await work.catch((error: unknown) => {
    if (!(error instanceof Undo)) seen = (error as Error).message;
  });
  return seen;
}

describe('a call that was made before', () => {
  it.each<[string, (em: DataEntityManager, n: number) => Promise<unknown>]>([
    ['find', (em, n) => em.find(Parcel, { id: String(n) }, { populate: ['sender'] })],
    ['find with a long list', (em, n) => em.find(Parcel, { id: { $in: ids(9 + n) } })],
    ['findOne', (em, n) => em.findOne(Parcel, { name: `name ${n}` })],
    ['findOne by its key', (em, n) => em.findOne(Parcel, String(n))],
    ['count', (em, n) => em.count(Parcel, { pieces: n })],
    ['nativeUpdate', (em, n) => em.nativeUpdate(Parcel, { id: `${n}00` }, { note: `n ${n}` })],
    [
      'nativeUpdate with SQL',
      (em, n) => em.nativeUpdate(Parcel, { id: `${n}00` }, { note: raw('note || ?', [`n ${n}`]) }),
    ],
    ['nativeDelete', (em, n) => em.nativeDelete(Parcel, { id: `${n}00` })],
  ])('does not go through its condition again: %s', async (_, call) => {
    for (const n of [1, 2]) await call(known.em.fork(), n);
    expect(await conditionsRead(() => call(known.em.fork(), 3))).toBe(0);
    for (const n of [1, 2]) await call(plain.em.fork(), n);
    expect(await conditionsRead(() => call(plain.em.fork(), 3))).toBeGreaterThan(0);
  });

  it.each<[string, (em: DataEntityManager, n: number) => Promise<unknown>]>([
    ['by key', (em, n) => em.nativeUpdate(Parcel, { id: String(n) }, { name: `it's ${n}`, note: null })],
    ['of a bare key', (em, n) => em.nativeUpdate(Parcel, String(n), { pieces: n, flag: true })],
    [
      'of many',
      (em, n) => em.nativeUpdate(Parcel, { pieces: { $gt: n } }, { sender: String(n), at: new Date(n) }),
    ],
    ['by a relation', (em, n) => em.nativeUpdate(Parcel, { sender: { rank: n } }, { ratio: n / 3 })],
    [
      'of JSON and lists',
      (em, n) => em.nativeUpdate(Parcel, { id: String(n) }, { doc: { n }, words: ['a'] }),
    ],
    ['of nothing', (em, n) => em.nativeUpdate(Parcel, { id: String(n) }, {})],
    ['a delete', (em, n) => em.nativeDelete(Parcel, { id: String(n) })],
    ['a delete of a bare key', (em, n) => em.nativeDelete(Parcel, String(n))],
    ['a delete of many', (em, n) => em.nativeDelete(Parcel, { pieces: n, flag: true })],
    ['a delete by a long list', (em, n) => em.nativeDelete(Parcel, { id: { $in: ids(9 + n) } })],
    ['a delete by a relation', (em, n) => em.nativeDelete(Parcel, { sender: { rank: n } })],
    ['a wrong value', (em, n) => em.nativeUpdate(Parcel, { id: `no ${n}` }, { name: 'x' })],
  ])('writes what the core writes: %s', async (_, write) => {
    for (const n of [1, 2, 3, 4, 2, 7]) {
      const expected = await written(plain, (em) => write(em, n));
      expect(expected).not.toBe('');
      expect(await written(known, (em) => write(em, n))).toBe(expected);
    }
  });

  it('finds by lists of any length', async () => {
    for (const length of [9, 10, 40, 250, 12]) {
      const rows = await known.em.fork().find(Parcel, { id: { $in: ids(length) }, flag: true });
      const others = await plain.em.fork().find(Parcel, { id: { $in: ids(length) }, flag: true });
      expect(rows.map((row) => wrap(row).toObject())).toEqual(others.map((row) => wrap(row).toObject()));
    }
  });

  it('is not known where a type of the program may change the value', async () => {
    const find = (code: string) => known.em.fork().count(Ticket, { code });
    for (const code of ['ABC', 'ABC', 'ABC', 'abc']) expect(await find(code)).toBe(1);
    // Without the guard. The text of the trial has small letters, so that another type would get past it, which changes nothing there.
    const { convertToDatabaseValue } = UpperType.prototype;
    UpperType.prototype.convertToDatabaseValue = (value) =>
      value.includes('tombstone') ? value : value.toUpperCase();
    Object.defineProperty(UpperType.prototype, 'keepsTexts', { value: true, configurable: true });
    const other = (code: string) => known.em.fork().count(Ticket, { code, id: '1' });
    const found: number[] = [];
    for (const code of ['ABC', 'ABC', 'abc']) found.push(await other(code));
    UpperType.prototype.convertToDatabaseValue = convertToDatabaseValue;
    Reflect.deleteProperty(UpperType.prototype, 'keepsTexts');
    expect(found).toEqual([1, 1, 0]);
  });

  it('is not known of a class with filters that was discovered when other calls were known', async () => {
    const orm = await MikroORM.init(
      defineDataConfig({
        clientUrl: known.config.get('clientUrl'),
        modules: [parcels],
        pool: { min: 0, max: 2 },
      }),
    );
    for (let n = 0; n < 4; n += 1) await orm.em.fork().count(Sender, { rank: n });
    await orm.em.fork().execute('create table crate (id bigint primary key, size int)');
    await orm.em.fork().execute('insert into crate values (1, 1), (2, 2), (3, 3)');
    orm.discoverEntity(Crate);
    const found: number[] = [];
    for (const most of [1, 1, 1, 2, 3]) {
      const em = orm.em.fork();
      em.setFilterParams('small', { most });
      found.push((await em.find(Crate, { size: { $gt: 0 } })).length, await em.count(Crate));
    }
    expect(found).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
    await orm.close();
  });

  it.each([
    ['the core', () => plain, '3'],
    ['a known call', () => known, '4'],
  ])('saves first what it may ask for, and keeps what is not saved: %s', async (_, orm, id) => {
    const find = (em: DataEntityManager, flushMode?: 'commit') =>
      em.find(Parcel, { note: `unsaved ${id}` }, flushMode && { flushMode });
    for (let n = 0; n < 3; n += 1) await find(orm().em.fork());
    const em = orm().em.fork();
    const parcel = await em.findOneOrFail(Parcel, id);
    const added = em.create(Parcel, { ...PARCELS[0], id: `9${id}`, note: `unsaved ${id}` } as never);
    parcel.note = `unsaved ${id}`;
    expect(await find(em, 'commit')).toEqual([]);
    em.persist(added);
    expect((await find(em)).toSorted((a, b) => Number(a.id) - Number(b.id))).toEqual([parcel, added]);
    parcel.note = 'later';
    expect(await find(em, 'commit')).toContain(parcel);
    expect(parcel.note).toBe('later');
    expect(await find(em.fork(), 'commit')).toHaveLength(2);
  });
});

const ids = (length: number): string[] => Array.from({ length }, (_, n) => String(n + 1));
