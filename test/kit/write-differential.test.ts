import { MikroORM, raw } from '@mikro-orm/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, nat, record } from 'fast-check';
import { type DataDriver, type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { KnownCalls } from '../../src/kit/orm/known-calls.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { Parcel, parcelEntities, PARCELS, Sender } from './fixtures/parcel-model.ts';
import { type ParcelWrite, parcelWrites } from './fixtures/parcel-writes.ts';

// Writes of one shape with other values, by the core with the values in the text, and past it with parameters: what they answer,
// what is in the table after them, and which entities are still found must be the same.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 40);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const model = defineModule({ name: 'parcels', migrations: '/nowhere', entities: parcelEntities });
let layer: Orm;
let core: Orm;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const open = (preparedStatements: boolean) =>
    MikroORM.init(
      defineDataConfig({ clientUrl, modules: [model], preparedStatements, pool: { min: 0, max: 2 } }),
    ) as Promise<Orm>;
  layer = await open(true);
  core = await open(false);
  Object.assign(core.driver, { knownReads: undefined, knownWrites: undefined });
  await core.schema.create();
  const em = core.em.fork();
  const senders = ['Al', 'Bo', 'Cy', 'Do'].map((name, n) => ({ id: String(n + 1), name, rank: n }));
  await em.insertMany(Sender, senders);
  await em.insertMany(Parcel, PARCELS as never);
  await em.nativeDelete(Parcel, { id: { $in: ['7', '8'] } });
});
afterAll(async () => {
  await layer.close();
  await core.close();
});

class Undo extends Error {}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)).replaceAll(
    /"(deleted|updated)_at":"[^"]*"/g,
    '"$1_at":1',
  );

function made(em: DataEntityManager, { verb, entity, where, data }: ParcelWrite): Promise<unknown> {
  if (verb === 'insert') return em.insert((entity === 'Parcel' ? Parcel : Sender) as never, data as never);
  if (verb === 'nativeDelete') return em.nativeDelete(Parcel, where as never);
  return em.nativeUpdate(Parcel, where as never, data);
}

/** What the write answers and leaves behind, without leaving it. */
async function outcome(orm: Orm, write: ParcelWrite): Promise<string> {
  let seen = '';
  const work = orm.em.fork().transactional(async (em) => {
    // So that both give a new row the same key, and the clock of the transaction the same instant.
    for (const table of ['parcel', 'sender'])
      await em.execute(`select setval(pg_get_serial_sequence('${table}', 'id'), 1000)`);
    const loaded = await em.find(Parcel, { id: { $in: ['1', '2', '3'] } });
    const answer = await made(em, write);
    const rows = await em.execute(
      'select *, at = now() as is_now from parcel /* soft-delete: all rows */ order by id',
    );
    const senders = await em.execute('select * from sender /* soft-delete: all rows */ order by id');
    const kept = loaded.map((one) => em.getUnitOfWork().getIdentityMap().getByEntity(one) === one);
    seen = shown([
      answer,
      typeof answer,
      kept,
      senders,
      rows.map((row: object) => ('is_now' in row && row.is_now ? { ...row, at: 0 } : row)),
    ]);
    throw new Undo();
  });
  await work.catch((error: unknown) => {
    const { name, code, sqlState, message } = error as Record<string, unknown>;
    if (!(error instanceof Undo)) seen = shown({ name, code, sqlState, message });
  });
  return seen;
}

/** A literal is fitted to its column when the statement is planned, a parameter when a row is written: no row, no refusal. */
const isForNoRow = (expected: string, seen: string): boolean =>
  expected.includes('"sqlState":"22001"') && seen.startsWith('[0,');

let [writes, refused, knownCalls] = [0, 0, 0];
const { known } = KnownCalls.prototype;
KnownCalls.prototype.known = function (this: KnownCalls, ...args: Parameters<typeof known>) {
  const call = known.apply(this, args);
  if (call && ['nativeUpdate', 'nativeDelete', 'insert'].includes(args[0].name)) knownCalls += 1;
  return call;
} as typeof known;

const property = asyncProperty(
  record({
    shape: array(nat(10_000), { minLength: 41, maxLength: 41 }),
    values: array(array(nat(10_000), { minLength: 20, maxLength: 20 }), { minLength: 2, maxLength: 4 }),
  }),
  async ({ shape, values }) => {
    const [first, ...others] = parcelWrites(shape, values) as [() => ParcelWrite, ...(() => ParcelWrite)[]];
    // Seen, made, sent without a name and with one, and at last by a plan of the server that may hold for all values.
    for (const make of [first, first, ...others, first, ...others, first, ...others]) {
      const expected = await outcome(core, make());
      writes += 1;
      if (expected.startsWith('{"name"')) refused += 1;
      const seen = await outcome(layer, make());
      if (isForNoRow(expected, seen)) continue;
      expect([make(), seen]).toEqual([make(), expected]);
    }
  },
);

it(
  `writes that are known do what the core does (${RUNS} shapes, seed ${SEED})`,
  async () => {
    await assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });
    if (RUNS > 50)
      process.stdout.write(`${writes} writes, ${refused} of them refused, ${knownCalls} of them known\n`);
    expect(refused / writes).toBeLessThan(0.7);
    expect(knownCalls / writes).toBeGreaterThan(0.2);
  },
  RUNS * 3000 + 30_000,
);

it.each<[string, (n: number) => ParcelWrite, unknown[]]>([
  [
    'nativeUpdate',
    (n) => ({
      verb: 'nativeUpdate',
      entity: 'Parcel',
      where: { id: '3' },
      data: { pieces: raw('pieces + ?', [n]) },
    }),
    [5, '3'],
  ],
  [
    'nativeDelete',
    (n) => ({ verb: 'nativeDelete', entity: 'Parcel', where: { id: String(n) }, data: {} }),
    ['5'],
  ],
  [
    'insert',
    (n) => ({ verb: 'insert', entity: 'Sender', where: {}, data: { name: `n ${n}`, rank: n } }),
    ['no', 5],
  ],
])('the comparison sees the values of another call: %s', async (verb, write, leaves) => {
  for (let n = 0; n < 3; n += 1) expect(await outcome(layer, write(1))).toBe(await outcome(core, write(1)));
  const { known: asked } = KnownCalls.prototype;
  KnownCalls.prototype.known = function (this: KnownCalls, ...args: Parameters<typeof known>) {
    const call = asked.apply(this, args);
    if (!call || call instanceof Promise || args[0].name !== verb) return call;
    return { ...call, leaves: call.leaves.map((leaf, n) => leaves[n] ?? leaf) };
  } as typeof known;
  const given = await outcome(layer, write(2));
  KnownCalls.prototype.known = asked;
  expect(given).not.toBe(await outcome(core, write(2)));
});

it('a piece of SQL is sent with parameters, under a name', async () => {
  const em = layer.em.fork();
  for (let n = 0; n < 5; n += 1)
    await em.nativeUpdate(Parcel, { id: '4711' }, { amount: raw('amount - ?::numeric', [`0.0${n}`]) });
  const prepared = await em.transactional(async (tx) => {
    await tx.nativeUpdate(Parcel, { id: '4711' }, { amount: raw('amount - ?::numeric', ['1']) });
    return tx.execute<object[]>(
      `select statement from pg_prepared_statements where statement like '%"amount" = amount - $1::numeric where%'`,
    );
  });
  expect(prepared).toHaveLength(1);
});
