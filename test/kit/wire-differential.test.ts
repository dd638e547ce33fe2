import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  anything,
  array,
  assert,
  asyncProperty,
  bigInt,
  boolean,
  constantFrom,
  date,
  double,
  integer,
  json,
  oneof,
  string,
  uint8Array,
  uuid,
} from 'fast-check';
import { asShort } from '../../src/kit/orm/short-query.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { wireSession } from './fixtures/wire-session.ts';
import { inPieces, openSide, type Side } from './fixtures/wire-sides.ts';

// The same statements with the same values, by `pg` as it is and past it: what they answer must be the same, and what comes between
// the answers, too.

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let url: string;
beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
});

describe('a value', () => {
  let driver: Side;
  let layer: Side;
  beforeAll(async () => {
    driver = await openSide(url, false);
    layer = await openSide(url, true);
  });
  afterAll(async () => {
    await driver.end();
    await layer.end();
  });

  // prettier-ignore
  const TYPES = ['text', 'varchar(3)', 'char(5)', 'name', 'bytea', 'json', 'jsonb', 'xml', 'bool', 'int2', 'int4', 'int8', 'oid',
    'float4', 'float8', 'numeric', 'money', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid', 'inet', 'macaddr',
    'bit(3)', 'varbit', 'point', 'box', 'circle', 'int4range', 'tsvector', 'regclass', 'text[]', 'int4[]', 'int8[]', 'numeric[]', 'bool[]',
    'json[]', 'bytea[]', 'timestamptz[]', 'uuid[]', 'box[]', 'text[][]'];
  const texts = oneof(
    string({ unit: 'binary' }),
    constantFrom(
      '',
      '1',
      '-1.50',
      'NULL',
      'null',
      '{}',
      '{a,b}',
      '"',
      '\\',
      'é',
      '💩',
      '\ud800',
      '\0',
      '(1,2)',
      '[1,2)',
      '192.168.0.1',
    ),
    constantFrom(
      'infinity',
      '0001-01-01',
      '2024-02-29 23:59:59.999999+02',
      '0044-03-15 BC',
      '10000-01-01',
      '1 mon -2 days',
      '12:30',
    ),
    uuid(),
    json(),
  );
  const scalars = oneof(
    texts,
    integer(),
    double(),
    bigInt(),
    boolean(),
    date({ noInvalidDate: false }),
    constantFrom(null, undefined, -0, 1e21),
    uint8Array({ maxLength: 9 }),
    uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
    constantFrom(5, null, ['1'], Buffer.from('b'), 'pg').map((value) => ({ toPostgres: () => value })),
  );
  const values = oneof(
    { weight: 4, arbitrary: scalars },
    { weight: 2, arbitrary: array(texts, { maxLength: 4 }) },
    array(scalars, { maxLength: 4 }),
    array(array(scalars, { minLength: 1, maxLength: 2 }), { maxLength: 3 }),
    anything({ withNullPrototype: false }),
  );

  it('is sent and read as by the driver', async () => {
    const case_ = asyncProperty(
      constantFrom(...TYPES),
      array(values, { minLength: 2, maxLength: 4 }),
      async (type, given) => {
        const text = `select $1::${type} as v, $1::${type} as v, 1 as one, $2::${type} as w`;
        const name = type;
        // The first call of a connection is another one than those that follow.
        for (let n = 1; n < given.length; n += 1)
          for (const rowMode of [undefined, 'array'] as const) {
            const sent = [given[n - 1], given[n]];
            // The driver takes the name from the server where a value cannot be sent, but goes on to use it.
            const expected = await driver.ask(text, sent, { rowMode });
            expect(await layer.ask(text, sent, { name, rowMode })).toStrictEqual(expected);
          }
      },
    );
    await assert(case_, { numRuns: RUNS, seed: SEED });
  });
});

it.each([
  ['as they come', () => Infinity],
  ['byte by byte', () => 1],
  ['in pieces', () => 1 + Math.floor(Math.random() * 40)],
])('a session whose bytes come %s answers as that of the driver', async (_how, lengthOf) => {
  const [driver, layer] = [
    await openSide(url, false, { stream: inPieces(lengthOf) }),
    await openSide(url, true, { stream: inPieces(lengthOf) }),
  ];
  try {
    const [expected, seen] = [await wireSession(driver), await wireSession(layer)];
    expect(seen).toEqual(expected);
    expect(seen.length).toBeGreaterThan(100);
  } finally {
    await driver.end();
    await layer.end();
  }
});

it('a list of numbers in texts is the same text in each call, for a column that keeps it', async () => {
  const [driver, layer] = [await openSide(url, false), await openSide(url, true)];
  const text = 'select $1::text as v';
  for (const list of [
    ['1', '-2.50'],
    ['a"b\\c', null, ''],
  ]) {
    const expected = await driver.ask(text, [list]);
    for (let n = 0; n < 2; n += 1) expect(await layer.ask(text, [list], { name: 'list' })).toEqual(expected);
  }
  await driver.end();
  await layer.end();
});

it('parsers of the program are asked as by the driver, also those that throw', async () => {
  const asked: unknown[] = [];
  const types = {
    getTypeParser: (type: number) => (value: string | Buffer) => {
      asked.push([type, value]);
      if (value === '3') throw new Error('no three');
      return asked.length;
    },
  };
  const seen: unknown[] = [];
  for (const isLayer of [false, true]) {
    const { ask, end } = await openSide(url, isLayer, { types });
    const answers: unknown[] = [];
    for (const count of [2, 5, 1]) {
      const text = `select n, null as nothing, 'a long text of ' || n as text, 'é' as letter from generate_series(1, $1::int) n`;
      answers.push(await ask(text, [count], { name: 'parsed' }));
    }
    await end();
    seen.push([answers, asked.splice(0)]);
  }
  expect(seen[1]).toEqual(seen[0]);
});

it('a callback is called, with the values before it or in the query', async () => {
  const { client, end } = await openSide(url, true);
  type Ask = (query: object, ...rest: unknown[]) => unknown;
  const rowsBy = (...given: unknown[]): Promise<unknown> =>
    new Promise((resolve) => {
      const query = asShort({ name: 'called', text: 'select $1::int as n', values: [1] });
      (client.query as Ask)(query, ...given, (_: unknown, { rows }: { rows: unknown }) => resolve(rows));
    });
  expect(await rowsBy([2])).toEqual([{ n: 2 }]);
  expect(await rowsBy()).toEqual([{ n: 1 }]);
  await end();
});
