import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Copy, Publisher, Tag, Volume } from './fixtures/library-model.ts';
import { openStockLibrary, type StockLibrary } from './fixtures/stock-library.ts';

// The layer adds a predicate, and nothing else: every verb sends as many statements, with as many joins, as stock
// MikroORM does that is given the same conditions by hand.

/** What stock MikroORM is given by hand and the layer is not: the condition of the entity, and those of relations. */
interface ByHand {
  readonly own: object;
  readonly relation: object;
  readonly populated: (...names: string[]) => object;
}

// New objects each time: the core writes into a condition that it is given.
const live = () => ({ deletedAt: null });
const byHand = (): ByHand => ({
  own: live(),
  relation: live(),
  populated: (...names) => ({ populateWhere: Object.fromEntries(names.map((name) => [name, live()])) }),
});
const nothing = (): ByHand => ({ own: {}, relation: {}, populated: () => ({}) });

type Work = (em: SqlEntityManager, hand: ByHand) => Promise<unknown>;

const populateLater =
  (...names: string[]): Work =>
  async (em, { own, populated }) => {
    const books = await em.find(Book, own);
    const { populateWhere: where } = populated(...names) as { populateWhere?: object };
    await em.populate(books, names as never, { strategy: 'select-in', ...(where && { where }) } as never);
  };

const populate =
  (...names: string[]): Work =>
  (em, { own, populated }) =>
    em.find(Book, own, { populate: names as never, strategy: 'joined', ...populated(...names) });

const READS: Record<string, Work> = {
  find: (em, { own }) => em.find(Book, { title: 'Alpha', ...own }),
  findOne: (em, { own }) => em.findOne(Book, { id: '1', ...own }),
  findAndCount: (em, { own }) => em.findAndCount(Book, own, { limit: 1 }),
  findByCursor: (em, { own }) => em.findByCursor(Book, { where: own, first: 2, orderBy: { id: 'asc' } }),
  count: (em, { own }) => em.count(Book, { title: 'Alpha', ...own }),
  'find by a column of a relation': (em, { own, relation }) =>
    em.find(Book, { author: { name: 'Ada', ...relation }, ...own }),
  'find by a column of a to-many relation': (em, { own, relation }) =>
    em.find(Author, { books: { title: 'Alpha', ...relation }, ...own }),
  'find by a column across two relations': (em, { own, relation }) =>
    em.find(Copy, { book: { author: { name: 'Ada', ...relation }, ...relation }, ...own }),
  'find by $some': (em, { own, relation }) =>
    em.find(Author, { books: { $some: { title: 'Alpha', ...relation } }, ...own }),
  'find by a foreign key': (em, { own }) => em.find(Book, { author: '1', ...own }),
  'populate joined, to-one': populate('author', 'publisher'),
  'populate joined, to-many': populate('copies'),
  'populate joined, many-to-many': populate('tags'),
  'populate select-in, to-one': populateLater('author', 'publisher'),
  'populate select-in, to-many': populateLater('copies'),
  'populate select-in, many-to-many': populateLater('tags'),
  'collection init': async (em, { own }) => {
    const author = await em.findOneOrFail(Author, { id: '1', ...own });
    await author.books.init({ where: own });
  },
  'collection loadCount': async (em, { own }) => {
    const author = await em.findOneOrFail(Author, { id: '1', ...own });
    await author.books.loadCount({ refresh: true, where: own });
  },
  'query builder': (em, { own }) => em.createQueryBuilder(Book).select('*').where(own).getResultList(),
  'query builder with a join': (em, { own, relation }) =>
    em
      .createQueryBuilder(Book, 'b')
      .select('*')
      .where(own)
      .leftJoin('b.author', 'a', relation)
      .getResultList(),
};

/** Not of an entity with an inverse one-to-one: with two ORMs in one process, the core writes that one's key once more. */
const change =
  (count: number): Work =>
  async (em, { own }) => {
    const volumes = await em.find(Volume, { series: '1', ...own }, { limit: count });
    expect(volumes).toHaveLength(count);
    for (const volume of volumes) volume.title = `${volume.title}!`;
    await em.flush();
  };

const WRITES: Record<string, Work> = {
  'flush of an insert': async (em) => {
    em.create(Tag, { id: '00000000-0000-4000-8000-0000000000ff', name: 'new' } as never);
    await em.flush();
  },
  'flush of a change': change(1),
  'flush of two changes': change(2),
  'flush of a removal': async (em, { own }) => {
    em.remove(await em.findOneOrFail(Volume, { id: '1', ...own }));
    await em.flush();
  },
  'flush of two removals': async (em, { own }) => {
    for (const volume of await em.find(Volume, { series: '1', ...own })) em.remove(volume);
    await em.flush();
  },
  nativeUpdate: (em, { own }) => em.nativeUpdate(Book, { title: 'Alpha', ...own }, { title: 'x' }),
  'nativeUpdate by a relation': (em, { own, relation }) =>
    em.nativeUpdate(Book, { author: { name: 'Ada', ...relation }, ...own }, { title: 'x' }),
  nativeDelete: (em, { own }) => em.nativeDelete(Volume, { title: 'I', ...own }),
  'nativeDelete by a relation': (em, { own, relation }) =>
    em.nativeDelete(Volume, { series: { name: 'Saga', ...relation }, ...own }),
  upsert: (em) => em.upsert(Publisher, { id: '1', name: 'Wren', address: null }),
};

/** Stock MikroORM's with BEGIN and COMMIT around the one update, which the layer sends alone (docs/flush.md). */
const ALONE = { 'flush of a change': 1, 'flush of two changes': 2 };

let library: Library;
let stock: StockLibrary;
beforeAll(async () => {
  library = await openLibrary();
  stock = await openStockLibrary(library.url);
  // The first statement of a connection is its own.
  await stock.em().count(Book);
});
beforeEach(() => library.reset());
afterAll(async () => {
  await stock.close();
  await library.close();
});

const joinsOf = (sql: string): number => sql.match(/ join /g)?.length ?? 0;
const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0);
const predicatesOf = (sql: string): number => sql.match(/"deleted_at" is null/g)?.length ?? 0;

async function sentBy(system: Library | StockLibrary, work: Work, hand: ByHand): Promise<string[]> {
  system.statements();
  await work(system.em(), hand);
  return system.statements();
}

async function both(work: Work): Promise<{ ours: string[]; theirs: string[] }> {
  const theirs = await sentBy(stock, work, byHand());
  await library.reset();
  library.statements();
  return { ours: await sentBy(library, work, nothing()), theirs };
}

describe('beside stock MikroORM with the conditions by hand, the layer sends no statement and no join more', () => {
  it.each(Object.entries({ ...READS, ...WRITES }))('%s', async (verb, work) => {
    const { ours, theirs } = await both(work);
    expect(theirs.length).toBeGreaterThan(0);
    const needed = verb in ALONE ? theirs.filter((sql) => !/^(begin|commit)/i.test(sql)) : theirs;
    expect(theirs.length - needed.length).toBe(verb in ALONE ? 2 : 0);
    // A page and its total are asked for at the same time, and sent in any order.
    expect(ours.map(joinsOf).toSorted()).toEqual(needed.map(joinsOf).toSorted());
  });

  it.each(Object.entries(READS))(
    '%s: the predicates that were written by hand are there',
    async (_verb, work) => {
      const { ours, theirs } = await both(work);
      expect(sum(theirs.map(predicatesOf))).toBeGreaterThan(0);
      expect(sum(ours.map(predicatesOf))).toBeGreaterThanOrEqual(sum(theirs.map(predicatesOf)));
    },
  );

  it('sees a join when there is one more', async () => {
    const plain = await sentBy(stock, (em) => em.find(Book, { author: '1' }), byHand());
    const joined = await sentBy(stock, (em) => em.find(Book, { author: { name: 'Ada' } }), byHand());
    expect(joined.map(joinsOf)).toEqual(plain.map((sql) => joinsOf(sql) + 1));
  });
});
