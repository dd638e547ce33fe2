import { OptimisticLockError } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInputError, type RowChange, SoftDeletedRowError } from 'tombstone';
import { Cell, Odd, Sample, Versioned } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';

let flushes: Flushes;
beforeAll(async () => {
  flushes = await openFlushes({ pool: { min: 0, max: 8 } });
});
beforeEach(() => flushes.reset());
afterAll(() => flushes.orm.close());

const samples = (em = flushes.em()) => em.getRepository(Sample);
const titles = async (): Promise<string[]> =>
  (await flushes.rows<{ title: string }>('select title from sample order by id')).map(({ title }) => title);
const kill = (...ids: number[]) =>
  flushes.rows('update sample set deleted_at = now() where id = any (?::bigint[])', [`{${ids.join(',')}}`]);

describe('a value of its own for each row', () => {
  it('is written by one statement, prepared once for any number of rows', async () => {
    flushes.statements();
    const given = [
      { id: '3', title: 'three' },
      { id: '1', title: 'one' },
    ];
    expect(await samples().updateMany(given)).toEqual(given);
    await samples().updateMany([{ id: '2', title: 'two' }]);
    const [first, second, ...others] = flushes.statements();
    expect(others).toEqual([]);
    expect(second).toBe(first);
    expect(first).toMatch(
      /^with w as \(update "sample" as "t" set "title" = "u".c0, "updated_at" = now\(\) from unnest/,
    );
    expect(await titles()).toEqual(['one', 'two', 'three', 'title 4', 'title 5', 'title 6']);
    const text = 'select count(*)::int as n from pg_prepared_statements where statement = ?';
    expect(await flushes.rows(text, [first])).toEqual([{ n: 1 }]);
  });

  it('touches updated_at by the clock of the database, in the rows that are named', async () => {
    await samples().updateMany([{ id: '2', title: 'two' }]);
    const rows = await flushes.rows(
      `select id::int, updated_at > now() - interval '1 minute' as touched from sample order by id limit 3`,
    );
    expect(rows).toEqual([
      { id: 1, touched: false },
      { id: 2, touched: true },
      { id: 3, touched: false },
    ]);
  });

  it('may be of any plain type, and null', async () => {
    const at = new Date('2024-05-06T07:08:09.123Z');
    const change = {
      title: `it's "o", {r}\\`,
      remark: 'NULL',
      amount: '123456789012.12345678',
      big: '9223372036854775807',
      small: -5,
      ratio: 1.5e-7,
      flag: false,
      day: '2024-02-29',
      at,
      document: { list: [1, 'a"b'], text: 'null' },
      key: '00000000-0000-4000-8000-0000000000ff',
      mood: `it's "odd", {really}`,
      level: 7,
      parent: '6',
    };
    await samples().updateMany([
      { id: '1', ...change },
      { id: '2', ...change, remark: null, document: null, parent: null, at: null, mood: null },
    ]);
    const [first, second] = await flushes.em().find(Sample, {}, { orderBy: { id: 'asc' }, limit: 2 });
    expect(first).toMatchObject({ ...change, parent: { id: '6' } });
    expect(second).toMatchObject({
      remark: null,
      document: null,
      parent: null,
      at: null,
      mood: null,
      big: change.big,
    });
  });

  it('may be an entity or a reference, for a relation', async () => {
    const em = flushes.em();
    const target = await em.findOneOrFail(Sample, '5');
    await samples(em).updateMany([
      { id: '1', parent: target },
      { id: '2', parent: em.getReference(Sample, '4') },
    ]);
    const rows = await flushes.rows('select parent_id::int as parent from sample order by id limit 2');
    expect(rows).toEqual([{ parent: 5 }, { parent: 4 }]);
  });

  it('goes by a key of two columns, and by what a function of the class answers', async () => {
    const cells = flushes.em().getRepository(Cell);
    await cells.updateMany([
      { row: 'r2', place: 2, title: 'second', changes: 5 },
      { row: 'r1', place: 1, title: 'first', changes: 6 },
    ]);
    const found = await flushes.rows('select row, title, changes from cell order by row limit 2');
    expect(found).toEqual([
      { row: 'r1', title: 'first', changes: 6 },
      { row: 'r2', title: 'second', changes: 5 },
    ]);
    // It counts from what the row holds, which a change does not.
    await refused(cells.updateMany([{ row: 'r1', place: 1, title: 'x' }]), 'rows[0].changes');
  });
});

describe('a row that is not there', () => {
  it('is changed with the guard off, and keeps all from being changed with it', async () => {
    await kill(2);
    const rows = ['1', '2', '77'].map((id) => ({ id, title: `new ${id}` }));
    await flushes.em().skipSoftDelete((all) => all.getRepository(Sample).updateMany(rows.slice(0, 2)));
    expect(await titles()).toContain('new 2');
    await flushes.reset();
    await kill(2);

    flushes.statements();
    const error = await samples()
      .updateMany(rows)
      .catch((failure: unknown) => failure);
    // One that fails as a whole, and one that says which they are.
    expect(flushes.statements()).toHaveLength(2);
    expect(error).toBeInstanceOf(SoftDeletedRowError);
    expect(error).toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', entityName: 'Sample', keys: ['2', '77'] });
    expect(await titles()).toEqual(['title 1', 'title 2', 'title 3', 'title 4', 'title 5', 'title 6']);
  });

  it.each(['withDeleted', 'onlyDeleted'] as const)('is as much not there in %s', async (scope) => {
    await kill(2);
    const work = flushes.em()[scope]((em) => em.getRepository(Sample).updateMany([{ id: '2', title: 'no' }]));
    await expect(work).rejects.toThrow(SoftDeletedRowError);
    expect(await titles()).not.toContain('no');
  });

  it('may be skipped', async () => {
    await kill(2);
    const rows = ['5', '2', '77', '1'].map((id) => ({ id, title: `new ${id}` }));
    expect(await samples().updateMany(rows, { missing: 'skip' })).toEqual([rows[0], rows[3]]);
    expect(await titles()).toEqual(['new 1', 'title 2', 'title 3', 'title 4', 'new 5', 'title 6']);
    expect(await samples().updateMany([rows[1] as (typeof rows)[0]], { missing: 'skip' })).toEqual([]);
  });

  it('does not end the transaction, which goes back with everything else', async () => {
    await kill(2);
    const em = flushes.em();
    const rollback = new Error('rollback');
    const work = em.transactional(async (tx) => {
      await samples(tx).updateMany([{ id: '1', title: 'inside' }]);
      const rows = ['3', '2'].map((id) => ({ id, title: 'never' }));
      flushes.statements();
      await expect(samples(tx).updateMany(rows)).rejects.toThrow(SoftDeletedRowError);
      const [sent, ...others] = flushes.statements();
      expect(others).toEqual([]);
      expect(sent).toMatch(/order by "t"."id" for no key update of "t"/);
      expect(await tx.findOneOrFail(Sample, '3')).toMatchObject({ title: 'title 3' });
      expect(await tx.findOneOrFail(Sample, '1')).toMatchObject({ title: 'inside' });
      throw rollback;
    });
    await expect(work).rejects.toBe(rollback);
    expect(await titles()).not.toContain('inside');
  });

  it('is not one that a trigger passes over: then the statement fails as a whole', async () => {
    await flushes.rows(
      `create function pass() returns trigger language plpgsql as $$ begin return null; end $$`,
    );
    await flushes.rows(
      'create trigger pass before update on sample for each row when (old.id = 2) execute function pass()',
    );
    try {
      const rows = ['1', '2'].map((id) => ({ id, title: 'new' }));
      await expect(samples().updateMany(rows)).rejects.toMatchObject({ sqlState: '22P02' });
      expect(await titles()).not.toContain('new');
      expect(await samples().updateMany(rows, { missing: 'skip' })).toHaveLength(2);
    } finally {
      await flushes.rows('drop trigger pass on sample; drop function pass');
    }
  });
});

describe('a version', () => {
  it('is counted up, and compared where it is given', async () => {
    const versioned = flushes.em().getRepository(Versioned);
    await versioned.updateMany([
      { id: '1', title: 'a' },
      { id: '2', title: 'b' },
    ]);
    await versioned.updateMany([{ id: '1', title: 'c', version: 2 }]);
    const stale = versioned.updateMany([
      { id: '1', title: 'd', version: 2 },
      { id: '2', title: 'd', version: 2 },
    ]);
    const error = await stale.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(OptimisticLockError);
    expect(error).toMatchObject({ code: 'DATA.CONCURRENCY', retryable: true });
    const rows = await flushes.rows('select title, version from versioned order by id limit 2');
    expect(rows).toEqual([
      { title: 'c', version: 3 },
      { title: 'b', version: 2 },
    ]);
  });
});

async function refused(work: Promise<unknown>, field: string): Promise<void> {
  const error = await work.catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(InvalidInputError);
  expect((error as InvalidInputError).field).toBe(field);
}

describe('what cannot be stored', () => {
  const circle: Record<string, unknown> = {};
  circle['secret'] = circle;
  const cases: [string, unknown, string][] = [
    ['no list', {}, 'rows'],
    ['a hole', [, { id: '1', title: 'x' }], 'rows[0]'], // oxlint-disable-line no-sparse-arrays
    ['no object', [null], 'rows[0]'],
    ['no key', [{ title: 'x' }], 'rows[0].id'],
    ['a key that is null', [{ id: null, title: 'x' }], 'rows[0].id'],
    ['a key of another type', [{ id: 1, title: 'x' }], 'rows[0].id'],
    ['a key that is no number', [{ id: '01', title: 'x' }], 'rows[0].id'],
    [
      'one key twice',
      [
        { id: '1', title: 'x' },
        { id: '1', title: 'y' },
      ],
      'rows[1]',
    ],
    ['nothing to change', [{ id: '1' }], 'rows[0]'],
    ['undefined alone', [{ id: '1', title: undefined }], 'rows[0]'],
    [
      'other properties',
      [
        { id: '1', title: 'x' },
        { id: '2', remark: 'y' },
      ],
      'rows[1]',
    ],
    [
      'fewer properties',
      [
        { id: '1', title: 'x', remark: 'y' },
        { id: '2', title: 'x' },
      ],
      'rows[1]',
    ],
    ['an unknown property', [{ id: '1', name: 'x' }], 'rows[0].name'],
    [
      'an unknown property later',
      [
        { id: '1', title: 'x' },
        { id: '2', name: 'x' },
      ],
      'rows[1].name',
    ],
    ['an inherited name', [{ id: '1', constructor: 'x' }], 'rows[0].constructor'],
    ['the mark', [{ id: '1', deletedAt: new Date() }], 'rows[0].deletedAt'],
    ['null for NOT NULL', [{ id: '1', title: null }], 'rows[0].title'],
    ['another type', [{ id: '1', title: 5 }], 'rows[0].title'],
    ['a number for money', [{ id: '1', amount: 0.1 }], 'rows[0].amount'],
    ['a fraction', [{ id: '1', small: 1.5 }], 'rows[0].small'],
    ['NaN', [{ id: '1', ratio: Number.NaN }], 'rows[0].ratio'],
    ['an invalid Date', [{ id: '1', at: new Date(Number.NaN) }], 'rows[0].at'],
    ['NUL', [{ id: '1', title: 'a\0' }], 'rows[0].title'],
    ['half a character', [{ id: '1', title: '\ud800' }], 'rows[0].title'],
    ['a text that is too long', [{ id: '1', title: '😀'.repeat(21) }], 'rows[0].title'],
    ['an object for a key', [{ id: '1', parent: { id: '2' } }], 'rows[0].parent'],
    ['a bigint in a document', [{ id: '1', document: { n: 1n } }], 'rows[0].document'],
    ['a document that holds itself', [{ id: '1', document: circle }], 'rows[0].document'],
    ['a function for a document', [{ id: '1', document: () => 1 }], 'rows[0].document'],
  ];
  it.each(cases)('is refused before anything is sent: %s', async (_, rows, field) => {
    flushes.statements();
    await refused(samples().updateMany(rows as never), field);
    expect(flushes.statements()).toEqual([]);
  });

  it.each([null, 'skip'])('is no option: %j', async (options) => {
    await refused(samples().updateMany([{ id: '1', title: 'x' }], options as never), 'options');
  });

  it.each([
    ['an array', { tags: ['a'] }, 'tags'],
    ['a function around the value', { shout: 'a' }, 'shout'],
    ['several columns', { home: { city: 'x' } }, 'home'],
  ])('is refused: %s', async (_, change, name) => {
    const odds = flushes.em().getRepository(Odd);
    await refused(odds.updateMany([{ id: '1', ...change }] as never), `rows[0].${name}`);
  });

  it('is what the database refuses, and nothing is written', async () => {
    const rows = [
      { id: '1', level: 5 },
      { id: '2', level: -5 },
    ];
    await expect(samples().updateMany(rows)).rejects.toMatchObject({ sqlState: '23514' });
    expect(await flushes.rows('select count(*)::int as n from sample where level in (5, -5)')).toEqual([
      { n: 1 },
    ]);
  });

  it('is not an empty list, for which nothing is sent', async () => {
    flushes.statements();
    expect(await samples().updateMany([])).toEqual([]);
    expect(flushes.statements()).toEqual([]);
  });

  it('does not compile', () => {
    const cells = flushes.em().getRepository(Cell);
    const never = (): unknown => [
      // @ts-expect-error -- no key
      samples().updateMany([{ title: 'x' }]),
      // @ts-expect-error -- no such property
      samples().updateMany([{ id: '1', name: 'x' }]),
      // @ts-expect-error -- also where it comes out of a function
      samples().updateMany(['1'].map((id) => ({ id, title: 'x', nmae: 'x' }))),
      // @ts-expect-error -- another type
      samples().updateMany([{ id: '1', small: 'x' }]),
      // @ts-expect-error -- null for NOT NULL
      samples().updateMany([{ id: '1', title: null }]),
      // @ts-expect-error -- the mark
      samples().updateMany([{ id: '1', deletedAt: null }]),
      // @ts-expect-error -- half of a key
      cells.updateMany([{ row: 'r1', title: 'x' }]),
    ];
    const change: RowChange<Sample> = { id: '1', parent: '2', at: null, document: { any: 'thing' } };
    expect([never, change]).toHaveLength(2);
  });
});

describe('filters of the program', () => {
  it('keep the rows of others from being changed', async () => {
    const em = flushes.em();
    em.addFilter({ name: 'own', cond: { small: { $lt: 3 } }, entity: [Sample], default: true });
    const rows = ['1', '2', '3'].map((id) => ({ id, title: 'mine' }));
    await expect(samples(em).updateMany(rows)).rejects.toMatchObject({ keys: ['3'] });
    expect(await samples(em).updateMany(rows, { missing: 'skip' })).toEqual(rows.slice(0, 2));
    expect(await titles()).toEqual(['mine', 'mine', 'title 3', 'title 4', 'title 5', 'title 6']);
  });
});
