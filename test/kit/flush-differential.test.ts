import { wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { array, assert, asyncProperty, boolean, constantFrom, nat, option, record } from 'fast-check';
import type { DataEntityManager } from 'tombstone';
import { Cell, Odd, Sample, Versioned } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';

// The same changes are flushed by MikroORM's own flush, by its change sets with the layer's statement, and by the layer
// alone. Rows, entities, errors and what a second flush finds to do must be the same.

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 60);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

type Way = 'core' | 'arrays' | 'quick';
const WAYS: readonly Way[] = ['core', 'arrays', 'quick'];

const opened = new Map<Way, Flushes>();
beforeAll(async () => {
  for (const way of WAYS) opened.set(way, await openFlushes({ quickFlush: way !== 'core' }));
});
afterAll(async () => {
  for (const { orm } of opened.values()) await orm.close();
});

/** Values that each property may be set to, wrong ones among them. */
const VALUES: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  Sample: {
    title: ['', 'plain', `it's "q" \\ {a,b} ? $1`, 'NULL', 'ü€🙂', 'x'.repeat(20), 'x'.repeat(21)],
    remark: [null, '', 'null', '\\x41', 'line\nline', ' a '],
    amount: ['0.00000001', '123456789012.12345678', '-1.5', '1e3', '9'.repeat(13)],
    big: [null, '9223372036854775807', '-1', '9223372036854775808'],
    small: [null, 0, -32768, 40000],
    ratio: [null, 0.1, 1e300, -0.5],
    flag: [null, true, false],
    day: [null, '2024-02-29', '0044-03-15'],
    at: [null, new Date('2024-02-29T12:34:56.789Z'), new Date(0)],
    naive: [null, new Date('2024-02-29T12:34:56.789Z')],
    document: [null, { a: [1, { b: 'x"y' }], c: null }, [1, 2], 'text', 5, {}],
    key: [null, '00000000-0000-4000-8000-0000000000ff', 'no key'],
    mood: [null, 'glad', `it's "odd", {really}`, 'no mood'],
    level: [null, 7, -1],
    parent: [null, 1, 2, 99],
  },
  Odd: {
    title: ['a', 'b'],
    tags: [null, [], ['x', 'y,z', '"']],
    blob: [null, Buffer.from([0, 255, 92])],
    shout: [null, 'quiet'],
    home: [null, { city: 'Oslo', zip: null }, { city: 'Rome', zip: '9' }],
    store: [null, { city: 'Oslo', zip: null }],
    code: [null, 'c1', 'c9'],
  },
  Versioned: { title: ['a', 'b', 'c'] },
  Cell: { title: ['a', 'b', `"c",{}`] },
};
const CLASSES = { Sample, Odd, Versioned, Cell } as const;
type Name = keyof typeof CLASSES;
const TABLES: Record<Name, string> = { Sample: 'sample', Odd: 'odd', Versioned: 'versioned', Cell: 'cell' };
const KEYS: Record<Name, string> = { Sample: 'id', Odd: 'id', Versioned: 'id', Cell: 'row' };

interface Change {
  readonly name: Name;
  readonly place: number;
  readonly property: number;
  readonly value: number;
}
interface Run {
  readonly changes: readonly Change[];
  readonly again: readonly Change[];
  readonly inTransaction: boolean;
  /** A row that another session deletes between the load and the flush. */
  readonly gone: number | null;
}

type Row = Record<string, unknown>;

const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

function apply(em: DataEntityManager, loaded: Record<Name, object[]>, changes: readonly Change[]): void {
  for (const { name, place, property, value } of changes) {
    const [key, values] = pick(Object.entries(VALUES[name] ?? {}), property);
    const given = pick(values, value);
    const entity = pick(loaded[name], place) as Row;
    if (key === 'parent') entity[key] = given === null ? null : em.getReference(Sample, `${given as number}`);
    else entity[key] = structuredClone(given);
    if (Buffer.isBuffer(given)) entity[key] = Buffer.from(given);
  }
}

const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    ({ name, code, sqlState, message, constraint, keys }: Record<string, unknown>) => ({
      name,
      code,
      sqlState,
      message,
      constraint,
      keys,
    }),
  );

/** All rows as text; of an instant that the database sets, whether it was set. */
async function stored({ rows }: Flushes): Promise<unknown> {
  const all: Row = {};
  for (const [name, table] of Object.entries(TABLES)) {
    const found = await rows<{ row: Row }>(
      `select to_jsonb(t.*) as row from ${table} t order by 1 /* soft-delete: all rows, because the test compares them */`,
    );
    all[name] = found.map(({ row }) => ({
      ...row,
      created_at: null,
      updated_at: !String(row['updated_at']).startsWith('2000'),
      deleted_at: row['deleted_at'] != null,
    }));
  }
  return all;
}

function shown(entities: readonly object[]): unknown {
  const texts = entities.map((entity) => JSON.stringify(wrap(entity).toPOJO(), withoutInstants));
  return texts.map((text) => JSON.parse(text) as unknown);
}

function withoutInstants(key: string, value: unknown): unknown {
  if (key === 'createdAt') return undefined;
  if (key === 'updatedAt') return typeof value === 'string' ? value.slice(0, 4) > '2000' : ['not set', value];
  return value;
}

/** Of several things that are refused, a row that is gone among them, any may be what the database finds first. */
function settled({ gone, changes, again }: Run, answer: Answer): Answer {
  const isOne = gone === null && changes.length + again.length < 2;
  return isOne || answer.outcome === 'done' ? answer : { ...answer, outcome: 'refused' };
}

interface Answer {
  readonly outcome: unknown;
  readonly result: unknown;
  readonly stored: unknown;
}

async function runOn(way: Way, { changes, again, inTransaction, gone }: Run): Promise<Answer> {
  const flushes = opened.get(way) as Flushes;
  await flushes.reset();
  const work = async (em: DataEntityManager): Promise<unknown> => {
    if (way === 'arrays') Reflect.deleteProperty(em.getUnitOfWork(), 'doCommit');
    const loaded = {} as Record<Name, object[]>;
    for (const name of Object.keys(CLASSES) as Name[]) {
      loaded[name] = await em.find<object>(CLASSES[name], {}, { orderBy: { [KEYS[name]]: 'asc' } as never });
    }
    if (gone !== null) {
      const sql = `update sample set deleted_at = now() where id = ? and deleted_at is null`;
      // By the same session, since another one would wait for a lock that the transaction may have.
      await em.execute(sql, [1 + (gone % 6)]);
    }
    apply(em, loaded, changes);
    await em.flush();
    const first = shown(Object.values(loaded).flat());
    flushes.statements();
    await em.flush();
    const idle = flushes.statements();
    apply(em, loaded, again);
    await em.flush();
    const second = shown(Object.values(loaded).flat());
    const instants = await em.execute<Row[]>(
      'select id, updated_at from sample where deleted_at is null order by id',
    );
    const same = instants.every(({ id, updated_at: at }) => {
      const entity = loaded.Sample.find((one) => (one as Sample).id === id) as Sample;
      return new Date(at as string).getTime() === entity.updatedAt.getTime();
    });
    return { first, idle, second, same };
  };
  let result: unknown;
  const outcome = await outcomeOf(
    (inTransaction ? flushes.em().transactional(work) : work(flushes.em())).then(
      (answer) => (result = answer),
    ),
  );
  return { outcome, result, stored: await stored(flushes) };
}

const change = record({
  name: constantFrom<Name>('Sample', 'Sample', 'Sample', 'Odd', 'Versioned', 'Cell'),
  place: nat(5),
  property: nat(20),
  value: nat(20),
});

const LONG = 240_000;

describe('a flush', () => {
  it(
    `has the same effect in every way (seed ${SEED})`,
    async () => {
      await assert(
        asyncProperty(
          record({
            changes: array(change, { maxLength: 12 }),
            again: array(change, { maxLength: 6 }),
            inTransaction: boolean(),
            gone: option(nat(5), { freq: 5 }),
          }),
          async (run) => {
            const core = settled(run, await runOn('core', run));
            for (const way of ['arrays', 'quick'] as const) {
              expect(settled(run, await runOn(way, run))).toEqual(core);
            }
          },
        ),
        { numRuns: RUNS, seed: SEED },
      );
    },
    LONG,
  );

  it(
    'has it for each value of each property alone, and for two rows at once',
    async () => {
      for (const name of Object.keys(VALUES) as Name[]) {
        for (const [property, values] of Object.values(VALUES[name] ?? {}).entries()) {
          for (const value of values.keys()) {
            const changes = [0, 2].map((place) => ({ name, place, property, value }));
            const run = { changes, again: [], inTransaction: false, gone: null };
            const core = await runOn('core', run);
            for (const way of ['arrays', 'quick'] as const) {
              expect([name, property, value, await runOn(way, run)]).toEqual([name, property, value, core]);
            }
          }
        }
      }
    },
    LONG,
  );
});
