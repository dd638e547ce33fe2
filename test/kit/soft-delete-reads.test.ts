import { LockMode } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { collectionProbes, dataloaderProbes } from './fixtures/collection-probes.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Copy } from './fixtures/library-model.ts';
import { populateProbes } from './fixtures/populate-probes.ts';
import { titles } from './fixtures/probe.ts';
import { queryProbes } from './fixtures/query-probes.ts';
import { readProbes } from './fixtures/read-probes.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  await library.reset();
});
afterAll(() => library.close());

const suites = [
  ...Object.entries(readProbes),
  ['collections and references', collectionProbes] as const,
  ['populate, joined', populateProbes('joined')] as const,
  ['populate, select-in', populateProbes('select-in')] as const,
  ['populate, balanced', populateProbes('balanced')] as const,
  ['query builder', queryProbes] as const,
  ['dataloader', dataloaderProbes] as const,
];

describe.each(suites)('%s', (_, probes) => {
  it.each([...probes])(
    '$path: dead rows are there inside skipSoftDelete only',
    async ({ read, live, all }) => {
      expect(live).not.toEqual(all);
      expect(await library.em().skipSoftDelete(read)).toEqual(all);
      expect(await read(library.em())).toEqual(live);
    },
  );
});

describe('the guard and the filter', () => {
  it('the guard alone gives every answer but those read from a link without its target', async () => {
    const alone = await openLibrary({ url: library.url, withoutFilter: true });
    const wrong: string[] = [];
    for (const [suite, probes] of suites) {
      for (const { path, read, live } of probes) {
        const answer = await read(alone.em()).catch(String);
        if (JSON.stringify(answer) !== JSON.stringify(live)) wrong.push(`${suite}: ${path}`);
      }
    }
    await alone.close();
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.filter((path) => !/\bref\b/.test(path))).toEqual([]);
  });
});

describe('the owner of a dead target', () => {
  const owner = { id: '3' };

  it('stays, whatever is loaded, counted or projected', async () => {
    expect(await library.em().count(Book, owner)).toBe(1);
    expect(titles(await library.em().find(Book, owner))).toBe('Gamma');
    expect(titles(await library.em().find(Book, owner, { fields: ['title'] }))).toBe('Gamma');
    expect(titles(await library.em().find(Book, owner, { fields: ['title', 'author.name'] }))).toBe('Gamma');
    expect(await library.em().countBy(Book, 'author')).toEqual({ 1: 2, 2: 1 });
    for (const strategy of ['joined', 'select-in', 'balanced'] as const) {
      const populate = ['author', 'publisher', 'copies'] as const;
      const [books, count] = await library.em().findAndCount(Book, owner, { populate, strategy });
      expect([titles(books), count]).toEqual(['Gamma', 1]);
    }
  });

  it('keeps the key of its target where the target is not populated', async () => {
    const book = await library.em().findOneOrFail(Book, '3');
    expect([book.author.id, book.publisher?.id, book.editor?.id]).toEqual(['2', '2', '2']);
    expect(titles(await library.em().find(Book, { author: '2' }))).toBe('Gamma');
    expect(titles(await library.em().find(Book, { publisher: { id: '2' } }))).toBe('Gamma');
  });

  it('never has its key emptied by a flush after its target was loaded as null', async () => {
    for (const strategy of ['joined', 'select-in', 'balanced'] as const) {
      const em = library.em();
      const book = await em.findOneOrFail(Book, '3', {
        populate: ['author', 'publisher', 'editor'],
        strategy,
      });
      expect([book.author, book.publisher, book.editor?.unwrap()].map((one) => one ?? null)).toEqual([
        null,
        null,
        null,
      ]);
      book.summary = strategy;
      await em.flush();
    }
    const rows = await library.rows(
      'select author_id, publisher_id, editor_id, summary from book where id = 3',
    );
    expect(rows).toEqual([{ author_id: '2', publisher_id: '2', editor_id: '2', summary: 'balanced' }]);
  });
});

describe('findOne', () => {
  it.each([[undefined], [null], [{}]])(
    'refuses the condition %j instead of answering with some row',
    async (where) => {
      await expect(library.em().findOne(Book, where as never)).rejects.toThrow('findOne needs a condition');
      await expect(library.em().findOneOrFail(Book, where as never)).rejects.toThrow(
        'findOne needs a condition',
      );
    },
  );
});

describe('locks', () => {
  it('are taken on the rows asked for only, not on the rows that they refer to', async () => {
    const other = await openLibrary({ url: library.url });
    await library.em().transactional(async (em) => {
      await em.find(Book, { id: '1' }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      const lock = { lockMode: LockMode.PESSIMISTIC_PARTIAL_WRITE } as const;
      const free = await other.em().transactional(async (second) => ({
        authors: (await second.find(Author, { id: '1' }, lock)).length,
        books: titles(await second.find(Book, {}, lock)),
      }));
      expect(free).toEqual({ authors: 1, books: 'Delta Gamma' });
    });
    await other.close();
  });

  it('of a dead row by key are refused, of a live one are granted', async () => {
    const lockOf = (id: string) =>
      library.em().transactional((em) => em.lock(em.getReference(Book, id), LockMode.PESSIMISTIC_WRITE));
    await expect(lockOf('2')).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2'] });
    await expect(lockOf('77')).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW' });
    await expect(lockOf('1')).resolves.toBeUndefined();
  });
});

describe('an entity that was loaded before another session deleted its row', () => {
  it('is found by key until it is refreshed or locked, which asks the database', async () => {
    await library.reset();
    const em = library.em();
    const copy = await em.findOneOrFail(Copy, '1');
    await library.em().nativeDelete(Copy, '1');
    expect(await em.findOne(Copy, '1')).toBe(copy);
    expect(await em.findOne(Copy, { note: 'new' })).toBeNull();
    expect(await em.refresh(copy)).toBeNull();
    expect(await em.findOne(Copy, '1')).toBeNull();
    await library.reset();
  });
});
