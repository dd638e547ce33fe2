import { MikroORM, raw } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, boolean, nat, record } from 'fast-check';
import {
  bigintId,
  type DataDriver,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  softDelete,
} from 'tombstone';
import { money } from '../../src/kit/columns/index.ts';
import { listenToStatements } from '../../src/kit/orm/sent-statements.ts';
import { emptyTestDatabase } from '../support/database.ts';

// Many new rows, by the core with the values in the text, and by arrays: what is answered, what the entities hold and what is in the table
// must be the same.

type Orm = MikroORM<DataDriver, DataEntityManager>;

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 40);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const HarbourSchema = defineEntity({
  name: 'Harbour',
  properties: { id: bigintId(), name: p.string(), ...softDelete.properties() },
});
class Harbour extends HarbourSchema.class {}
HarbourSchema.setClass(Harbour);
softDelete.register(Harbour);

const ShipSchema = defineEntity({
  name: 'Ship',
  properties: {
    id: bigintId(),
    name: p.string().length(12),
    note: p.text().nullable(),
    masts: p.integer(),
    small: p.smallint().nullable(),
    big: p.bigint('bigint').nullable(),
    ratio: p.double().nullable(),
    amount: money(12, 4),
    flag: p.boolean().default(true),
    at: p.datetime().columnType('timestamptz').nullable(),
    local: p.datetime().columnType('timestamp').nullable(),
    day: p.date().nullable(),
    doc: p.json<unknown>().nullable(),
    uid: p.uuid().nullable(),
    kind: p.enum(['brig', 'yawl']).nullable(),
    bytes: p.blob().nullable(),
    words: p.array().columnType('text[]').nullable(),
    built: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    port: () => p.manyToOne(HarbourSchema),
    next: () => p.manyToOne(HarbourSchema).nullable(),
    ...softDelete.properties(),
  },
});
class Ship extends ShipSchema.class {}
ShipSchema.setClass(Ship);
softDelete.register(Ship);
softDelete.deadTargets(Ship, { port: 'null' });

const model = defineModule({ name: 'ships', migrations: '/nowhere', entities: [Harbour, Ship] });
let layer: Orm;
let core: Orm;
let byArrays = 0;
beforeAll(async () => {
  const { url: clientUrl } = await emptyTestDatabase();
  const open = (preparedStatements: boolean) =>
    MikroORM.init(
      defineDataConfig({ clientUrl, modules: [model], preparedStatements, pool: { min: 0, max: 2 } }),
    ) as Promise<Orm>;
  layer = await open(true);
  core = await open(false);
  listenToStatements(layer.config, ({ text }) => {
    if (/^insert into "ship" .* select .*unnest\(/.test(text ?? '')) byArrays += 1;
  });
  listenToStatements(core.config, ({ text }) => expect(text).not.toContain('unnest('));
  await core.schema.create();
  const names = ['Al', 'Bo', 'Cy'];
  await core.em.fork().insertMany(
    Harbour,
    names.map((name, n) => ({ id: String(n + 1), name })),
  );
});
afterAll(async () => {
  await layer.close();
  await core.close();
});

const TEXTS = [
  'plain',
  `it's`,
  'what?',
  '??',
  String.raw`back\slash`,
  '{a,b}',
  '"q"',
  'NULL',
  '',
  'ä😀',
  '1',
];
const text = (n: number): string => TEXTS[n % TEXTS.length] ?? '';
const or = <T>(n: number, make: (n: number) => T): T | null => (n % 4 === 0 ? null : make(n));
const NUMBERS = [0, 1, -7, 2.5, -0.125, 3_000_000_000, 1e-9];
const number = (n: number): number => NUMBERS[n % NUMBERS.length] ?? 1;
const instant = (n: number): Date =>
  new Date(Date.UTC(2026, n % 12, 1 + (n % 28), n % 24, n % 60, 15, n % 1000));

/** A value of each column, by a number; those that a row must have come first. */
const VALUES: readonly (readonly [name: string, (n: number) => unknown])[] = [
  ['name', text],
  ['masts', (n) => n % 50],
  ['amount', (n) => (n / 8).toFixed(n % 5)],
  ['port', (n) => String(1 + (n % 3))],
  ['note', (n) => or(n, text)],
  ['small', (n) => or(n, (m) => m % 300)],
  ['big', (n) => or(n, (m) => 9_007_199_254_740_993n + BigInt(m))],
  ['ratio', (n) => or(n, number)],
  ['flag', (n) => n % 2 === 0],
  ['at', (n) => or(n, instant)],
  ['local', (n) => or(n, instant)],
  ['day', (n) => or(n, (m) => `2026-0${1 + (m % 9)}-11`)],
  ['doc', (n) => or(n, (m) => [{ n: m, t: text(m) }, [m, text(m)], text(m), m, false][m % 5])],
  ['uid', (n) => or(n, (m) => `00000000-0000-4000-8000-${String(m).padStart(12, '0')}`)],
  ['kind', (n) => or(n, (m) => (m % 2 ? 'brig' : 'yawl'))],
  ['bytes', (n) => or(n, (m) => Buffer.from([0, 255, 92, m % 256]))],
  ['built', (n) => (n % 3 ? instant(n) : raw('now()'))],
  ['next', (n) => or(n, (m) => String(1 + (m % 3)))],
  ['id', (n) => String(500 + n)],
  ['words', (n) => or(n, (m) => [text(m), 'w'])],
];
const NEEDED = 4;

interface Insert {
  readonly columns: readonly number[];
  readonly values: readonly number[];
  readonly count: number;
  /** Leaves a column out in some rows, or spoils a value. */
  readonly odd: number;
  readonly isFlush: boolean;
}

function rowsOf({ columns, values, count, odd, isFlush }: Insert): Record<string, unknown>[] {
  const chosen = VALUES.filter(([name], n) => n < NEEDED || (columns[n] ?? 0) > (name === 'words' ? 95 : 50));
  return Array.from({ length: count }, (_, index) => {
    const row: Record<string, unknown> = {};
    for (const [n, [name, make]] of chosen.entries()) {
      if (odd === n + 10 && n >= NEEDED && index % 3 === 1) continue;
      const seed = name === 'id' ? index : (values[(index * 7 + n) % values.length] ?? 0);
      // Pieces of SQL are for insertMany.
      row[name] = make(name === 'built' ? (isFlush ? 1 : odd) : seed);
    }
    if (odd === 5 && index === count - 1) row['masts'] = 2.5;
    if (odd === 6 && index === 1) row['name'] = 'x'.repeat(13);
    if (odd === 7 && index === 1) row['port'] = '77';
    return row;
  });
}

class Undo extends Error {}
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item));

/** What the insert answers and leaves behind, without leaving it. */
async function outcome(orm: Orm, insert: Insert): Promise<string> {
  let seen = '';
  const work = orm.em.fork().transactional(async (em) => {
    await em.execute(`select setval(pg_get_serial_sequence('ship', 'id'), 1000)`);
    const rows = rowsOf(insert);
    let answer: unknown;
    if (insert.isFlush) {
      const ships = rows.map((row) => em.create(Ship, row as never));
      await em.flush();
      answer = ships.map((ship) => [
        ship.id,
        ship.built instanceof Date,
        ship.flag,
        ship.amount,
        ship.at,
        ship.doc,
      ]);
    } else answer = await em.insertMany(Ship, rows as never);
    seen = shown([
      answer,
      await em.execute(
        'select *, built = now() as is_now, case when built = now() then null else built end as built from ship /* soft-delete: all rows */ order by id',
      ),
    ]);
    throw new Undo();
  });
  await work.catch((error: unknown) => {
    const { name, code, sqlState, message } = error as Record<string, unknown>;
    if (!(error instanceof Undo)) seen = shown({ name, code, sqlState, message });
  });
  return seen;
}

const inserts = record({
  columns: array(nat(100), { minLength: VALUES.length, maxLength: VALUES.length }),
  values: array(nat(10_000), { minLength: 60, maxLength: 60 }),
  count: nat(60),
  odd: nat(60),
  isFlush: boolean(),
});

it(
  `many rows are inserted as the core does (${RUNS} inserts, seed ${SEED})`,
  async () => {
    let [all, refused] = [0, 0];
    const property = asyncProperty(inserts, async (insert) => {
      if (insert.count === 0) return;
      const expected = await outcome(core, insert);
      all += 1;
      if (expected.startsWith('{"name"')) refused += 1;
      expect([rowsOf(insert), await outcome(layer, insert)]).toEqual([rowsOf(insert), expected]);
    });
    await assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });
    if (RUNS > 50) process.stdout.write(`${all} inserts, ${refused} refused, ${byArrays} by arrays\n`);
    expect(refused / all).toBeLessThan(0.5);
    expect(byArrays / all).toBeGreaterThan(0.3);
  },
  RUNS * 2000 + 30_000,
);
