import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Award, Book, Copy, Credit, Film, Loan, Publisher } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

interface Reference {
  relation: string;
  /** Loads the referrer and the target in one of the orders that decide what the core does with the reference. */
  load: (em: DataEntityManager) => Promise<{ target: object; touch: () => void; key: () => unknown }>;
  row: string;
  kept: Record<string, unknown>;
}

const touchable = async (em: DataEntityManager, id: string) => {
  const book = await em.findOneOrFail(Book, id);
  return { book, touch: () => void (book.summary = 'touched') };
};

/** A row that refers to a live one, by every kind of reference and by what is loaded when the target is removed. */
const references: Reference[] = [
  {
    relation: 'nullable, both loaded apart',
    load: async (em) => {
      const { book, touch } = await touchable(em, '1');
      return { target: await em.findOneOrFail(Publisher, '1'), touch, key: () => book.publisher?.id };
    },
    row: 'select publisher_id as key from book where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'nullable, loaded through the target',
    load: async (em) => {
      const target = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
      const { book, touch } = await touchable(em, '1');
      return { target, touch, key: () => book.publisher?.id };
    },
    row: 'select publisher_id as key from book where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'nullable, populated',
    load: async (em) => {
      const book = await em.findOneOrFail(Book, '1', { populate: ['publisher'] });
      return {
        target: book.publisher as object,
        touch: () => void (book.summary = 'touched'),
        key: () => book.publisher?.id,
      };
    },
    row: 'select publisher_id as key from book where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'NOT NULL, loaded through the target',
    load: async (em) => {
      const target = await em.findOneOrFail(Author, '1', { populate: ['books'] });
      const { book, touch } = await touchable(em, '5');
      return { target, touch, key: () => book.author?.id };
    },
    row: 'select author_id as key from book where id = 5',
    kept: { key: '1' },
  },
  {
    relation: 'wrapped in Reference, nullable',
    load: async (em) => {
      const book = await em.findOneOrFail(Book, '1', { populate: ['editor'] });
      return {
        target: book.editor?.unwrap() as object,
        touch: () => void (book.summary = 'touched'),
        key: () => book.editor?.unwrap().id,
      };
    },
    row: 'select editor_id as key from book where id = 1',
    kept: { key: '3' },
  },
  {
    relation: 'wrapped in Reference, NOT NULL',
    load: async (em) => {
      const copy = await em.findOneOrFail(Copy, '1', { populate: ['book'] });
      return {
        target: copy.book.unwrap(),
        touch: () => void (copy.note = 'touched'),
        key: () => copy.book?.unwrap().id,
      };
    },
    row: 'select book_id as key from copy where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'composite key, one way only',
    load: async (em) => {
      const copy = await em.findOneOrFail(Copy, '1', { populate: ['shelf'] });
      return {
        target: copy.shelf as object,
        touch: () => void (copy.note = 'touched'),
        key: () => [copy.shelf?.room, copy.shelf?.number],
      };
    },
    row: 'select shelf_room as room, shelf_number as number from copy where id = 1',
    kept: { room: 'A', number: 1 },
  },
  {
    relation: 'mapped to its key',
    load: async (em) => {
      const loan = await em.findOneOrFail(Loan, '1');
      return {
        target: await em.findOneOrFail(Book, '1'),
        touch: () => void (loan.reader = 'touched'),
        key: () => loan.bookId,
      };
    },
    row: 'select book_id_id as key from loan where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'to the same table',
    load: async (em) => {
      const pupil = await em.findOneOrFail(Author, '5', { populate: ['mentor'] });
      return {
        target: pupil.mentor as object,
        touch: () => void (pupil.name = 'touched'),
        key: () => pupil.mentor?.id,
      };
    },
    row: 'select mentor_id as key from author where id = 5',
    kept: { key: '1' },
  },
  {
    relation: 'of an STI child',
    load: async (em) => {
      const film = await em.findOneOrFail(Film, '3', { populate: ['studio'] });
      return {
        target: film.studio as object,
        touch: () => void (film.director = 'touched'),
        key: () => film.studio?.id,
      };
    },
    row: 'select studio_id as key from medium where id = 3',
    kept: { key: '1' },
  },
  {
    relation: 'to the root of an STI hierarchy',
    load: async (em) => {
      const award = await em.findOneOrFail(Award, '1', { populate: ['medium'] });
      return {
        target: award.medium as object,
        touch: () => void (award.name = 'touched'),
        key: () => award.medium?.id,
      };
    },
    row: 'select medium_id as key from award where id = 1',
    kept: { key: '1' },
  },
  {
    relation: 'part of the primary key',
    load: async (em) => {
      const credit = await em.findOneOrFail(Credit, { book: '1', author: '1' }, { populate: ['author'] });
      return {
        target: credit.author,
        touch: () => void (credit.role = 'touched'),
        key: () => [credit.book.id, credit.author.id],
      };
    },
    row: 'select author_id as key, role from credit where book_id = 1 and author_id = 1',
    kept: { key: '1', role: 'touched' },
  },
];

const inTransaction = (clear: boolean) => async (em: DataEntityManager, target: object) =>
  em.transactional(
    async (tx) => {
      tx.remove(await tx.findOneOrFail(target.constructor as never, keyOf(target)));
    },
    { clear },
  );
const keyOf = (target: object) => {
  const { id, room, number } = target as { id?: string; room?: string; number?: number };
  return (id ?? [room, number]) as never;
};
const bulk = (em: DataEntityManager, target: object) =>
  em.getRepository(target.constructor).softDelete(keyOf(target));
const ways: [string, (em: DataEntityManager, target: object) => Promise<unknown>][] = [
  ['remove and flush', (em, target) => em.remove(target).flush()],
  ['a transaction', inTransaction(false)],
  ['a transaction with a clear entity manager', inTransaction(true)],
  ['a bulk delete', bulk],
  [
    'another session, which a refresh notices',
    async (em, target) => [await bulk(library.em(), target), await em.refresh(target)],
  ],
];

describe.each(ways)('after the removal of its target by %s, a reference', (_, remove) => {
  it.each(references)(
    '$relation: survives in the database and in memory, and in later flushes',
    async ({ load, row, kept }) => {
      const em = library.em();
      const { target, touch, key } = await load(em);
      const expected = key();
      const updates = () =>
        library.statements().filter((sql) => sql.startsWith('update') && !sql.includes('set "deleted_at"'));
      updates();
      await remove(em, target);
      expect(updates()).toEqual([]);
      expect(key()).toEqual(expected);
      await em.flush();
      expect(updates()).toEqual([]);
      touch();
      await em.flush();
      expect(updates()).toHaveLength(1);
      expect(key()).toEqual(expected);
      expect(await library.rows(row)).toEqual([kept]);
    },
  );
});

describe('the foreign key of a referrer', () => {
  it('is emptied by a real delete inside skipSoftDelete, which shows that the probes above can fail', async () => {
    await library.em().skipSoftDelete(async (em) => {
      const author = await em.findOneOrFail(Author, '4', { populate: ['pupils'] });
      const pupil = await em.findOneOrFail(Author, '5');
      pupil.mentor = author;
      await em.flush();
      await em.remove(author).flush();
    });
    expect(await library.rows('select mentor_id from author where id = 5')).toEqual([{ mentor_id: null }]);
  });

  it('keeps the updated_at of a referrer of which nothing else has changed', async () => {
    const em = library.em();
    await library.rows(`update book set updated_at = '2001-01-01Z'`);
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    await em.remove(publisher).flush();
    const [book] = await em.find(Book, { id: '1' });
    expect(book?.updatedAt).toEqual(new Date('2001-01-01Z'));
    expect(await library.rows(`select 1 from book where updated_at <> '2001-01-01Z'`)).toEqual([]);
  });

  it('is written and stays when a new row refers to a row that the same flush removes', async () => {
    const em = library.em();
    const publisher = await em.findOneOrFail(Publisher, '1');
    const book = em.create(Book, { title: 'Posthumous', author: em.getReference(Author, '1'), publisher });
    await em.remove(publisher).flush();
    expect(book.publisher?.id).toBe('1');
    book.title = 'Late';
    await em.flush();
    expect(await library.rows(`select publisher_id, title from book where id = ${book.id}`)).toEqual([
      { publisher_id: '1', title: 'Late' },
    ]);
  });

  it('stays beside another change of the same flush, which is written', async () => {
    const em = library.em();
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    const book = publisher.books.getItems()[0] as Book;
    book.title = 'Omega';
    await em.remove(publisher).flush();
    expect(await library.rows('select title, publisher_id from book where id = 1')).toEqual([
      { title: 'Omega', publisher_id: '1' },
    ]);
  });

  it('stays when several referrers are written in one batch', async () => {
    const em = library.em();
    await library.rows('update book set publisher_id = 1');
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    for (const book of publisher.books.getItems().slice(0, 2)) book.title += '!';
    await em.remove(publisher).flush();
    const rows = await library.rows(
      'select title, publisher_id from book where deleted_at is null order by id',
    );
    expect(rows.map((row) => row['publisher_id'])).toEqual(['1', '1', '1']);
    expect(rows.filter((row) => String(row['title']).endsWith('!'))).toHaveLength(2);
  });

  it('takes the null or the other target that the program sets', async () => {
    const em = library.em();
    await library.rows('update book set publisher_id = 1');
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    const [alpha, gamma] = await em.find(Book, {}, { orderBy: { id: 'asc' } });
    const next = em.create(Publisher, { name: 'Wren' });
    em.remove(publisher);
    Object.assign(alpha as Book, { publisher: null });
    Object.assign(gamma as Book, { publisher: next });
    await em.flush();
    const rows = await library.rows('select publisher_id from book where deleted_at is null order by id');
    expect(rows.map((row) => row['publisher_id'])).toEqual([null, next.id, '1']);
  });

  it('survives the removal of referrer and target in one flush', async () => {
    const em = library.em();
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    await em.remove([...publisher.books.getItems(), publisher]).flush();
    expect(
      await library.rows('select publisher_id, deleted_at is null as live from book where id = 1'),
    ).toEqual([{ publisher_id: '1', live: false }]);
  });

  it('survives a flush that failed after the removal, in the same entity manager', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1', { populate: ['publisher'] });
    em.remove(await em.findOneOrFail(Publisher, '1'));
    const twins = [em.create(Publisher, { name: 'Lark' }), em.create(Publisher, { name: 'Lark' })];
    await expect(em.flush()).rejects.toMatchObject({ code: 'DATA.CONFLICT' });
    for (const twin of twins) em.getUnitOfWork().unsetIdentity(twin);
    book.summary = 'later';
    await em.flush();
    expect(await library.rows('select publisher_id, summary from book where id = 1')).toEqual([
      { publisher_id: '1', summary: 'later' },
    ]);
    expect(await library.stateOf('publisher', 1)).toBe('live');
  });

  it('survives the end of a transaction that rolled the removal back', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1', { populate: ['publisher'] });
    const loan = await em.findOneOrFail(Loan, '1');
    const work = em.transactional(async (tx) => {
      await tx.remove(await tx.findOneOrFail(Publisher, '1')).flush();
      await tx.remove(await tx.findOneOrFail(Book, '1')).flush();
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(loan.bookId).toBe('1');
    loan.reader = 'later';
    await em.flush();
    expect(await library.rows('select book_id_id, reader from loan where id = 1')).toEqual([
      { book_id_id: '1', reader: 'later' },
    ]);
    expect(book.publisher?.id).toBe('1');
  });
});
