import { EventType, LockMode } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Library, openLibrary, RED } from './fixtures/library.ts';
import { deletions } from './fixtures/deletions.ts';
import {
  Author,
  Award,
  Book,
  BookGenre,
  Copy,
  Cover,
  Edition,
  Genre,
  Publisher,
  Series,
  Shelf,
  Tag,
} from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

const states = async (table: string, ids: number[]) =>
  Promise.all(ids.map((id) => library.stateOf(table, id))).then((all) => all.join(' '));

describe.each(deletions)('$path', ({ table, ids, before, after, hard, run }) => {
  it('marks live rows in normal code and removes rows inside skipSoftDelete', async () => {
    const deletedAt = `select id, deleted_at from ${table} where`;
    const stamped = await library.rows(`${deletedAt} deleted_at is not null order by id`);
    expect(await states(table, ids)).toBe(before);
    await run(library.em());
    expect(await states(table, ids)).toBe(after);
    const ofDead = stamped.map((row) => String(row['id'])).join();
    expect(await library.rows(`${deletedAt} id in (${ofDead}) order by id`)).toEqual(stamped);

    await library.reset();
    await library.em().skipSoftDelete(run);
    expect(await states(table, ids)).toBe(hard);
  });
});

describe('a removal', () => {
  it('is stamped by the clock of the database, updated_at too', async () => {
    const em = library.em();
    em.remove(await em.findOneOrFail(Publisher, '1'));
    await em.transactional(async (tx) => {
      tx.remove(await tx.findOneOrFail(Publisher, '1'));
      await tx.flush();
      const [row] = await tx.execute<{ same: boolean }[]>(
        'select deleted_at = now() and updated_at = now() as same from publisher where id = 1 and deleted_at is not null',
      );
      expect(row).toEqual({ same: true });
    });
  });

  it('of a dead row changes nothing: the first deleted_at stays', async () => {
    const stamp = async () => library.rows('select deleted_at, updated_at from book where id = 2');
    const before = await stamp();
    const em = library.em();
    await em.remove(em.getReference(Book, '2')).flush();
    expect(await em.nativeDelete(Book, '2')).toBe(0);
    expect(await em.getRepository(Book).softDelete('2')).toBe(false);
    expect(await stamp()).toEqual(before);
  });

  it('works for uuid, text and composite keys, and for many rows at once', async () => {
    const em = library.em();
    em.remove([
      await em.findOneOrFail(Tag, RED),
      await em.findOneOrFail(Genre, 'essay'),
      await em.findOneOrFail(Shelf, ['A', 1]),
    ]);
    await em.flush();
    expect(await em.count(Tag)).toBe(0);
    expect(await em.findOne(Genre, 'essay')).toBeNull();
    expect(await em.findOne(Shelf, ['A', 1])).toBeNull();
    expect(await library.rows('select 1 from shelf')).toHaveLength(2);

    await library.rows(
      `insert into award (name, series_id) select 'n' || i, 1 from generate_series(1, 1000) i`,
    );
    const awards = await em.find(Award, { name: { $like: 'n%' } });
    library.statements();
    await em.remove(awards).flush();
    expect(library.statements().filter((sql) => sql.startsWith('update'))).toHaveLength(4);
    expect(await em.count(Award, { name: { $like: 'n%' } })).toBe(0);
    expect(await library.rows(`select 1 from award where name like 'n%'`)).toHaveLength(1000);
  });

  it('raises the version of a versioned row and fires the hooks of a delete', async () => {
    const seen: string[] = [];
    const em = library.em();
    const note = (type: string) => () => void seen.push(type);
    em.getEventManager().registerSubscriber({
      [EventType.beforeDelete]: note('beforeDelete'),
      [EventType.afterDelete]: note('afterDelete'),
      [EventType.beforeUpdate]: note('beforeUpdate'),
    });
    await em.remove(await em.findOneOrFail(Edition, '1')).flush();
    expect(
      await library.rows('select version, deleted_at is null as live from edition where id = 1'),
    ).toEqual([{ version: 2, live: false }]);
    expect(seen).toEqual(['beforeDelete', 'afterDelete']);
  });

  it('drops the pending change of the removed entity, and is itself undone by persist', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '5');
    book.title = 'Changed';
    await em.remove(book).flush();
    expect(await library.rows('select title, deleted_at is null as live from book where id = 5')).toEqual([
      { title: 'Delta', live: false },
    ]);

    const series = await em.findOneOrFail(Series, '1');
    await em.remove(series).persist(series).flush();
    expect(await library.stateOf('series', 1)).toBe('live');
  });

  it('takes the entity out of the identity map and out of the loaded collections of its parent', async () => {
    const em = library.em();
    const author = await em.findOneOrFail(Author, '1', { populate: ['books.tags'] });
    const book = await em.findOneOrFail(Book, '1');
    await em.remove(book).flush();
    expect(author.books.getItems().map(({ title }) => title)).toEqual(['Delta']);
    expect(em.getUnitOfWork().getIdentityMap().values()).not.toContain(book);
    library.statements();
    expect(await em.findOne(Book, '1')).toBeNull();
    expect(library.statements()).toHaveLength(1);
    expect((await author.books.init()).count()).toBe(1);
    expect(await author.books.loadCount(true)).toBe(1);
  });

  it('by nativeDelete takes the entities out of the identity map, too', async () => {
    const em = library.em();
    const [one, , third] = await em.find(Copy, {}, { orderBy: { id: 'asc' } });
    expect(await em.nativeDelete(Copy, { note: ['new', 'torn', 'lost'] })).toBe(2);
    expect(await em.findOne(Copy, '1')).toBeNull();
    expect(await em.findOne(Copy, '5')).toBeNull();
    expect([one?.id, third?.id]).toEqual(['1', '5']);
    const shelf = await em.findOneOrFail(Shelf, ['A', 1]);
    await em.nativeDelete(Shelf, { room: 'A', number: 1 });
    expect(await em.findOne(Shelf, ['A', 1])).toBeNull();
    expect(shelf.label).toBe('tall');
  });

  it.each([true, false])(
    'inside em.transactional (clear: %s) is seen by the entity manager outside',
    async (clear) => {
      const em = library.em();
      const copy = await em.findOneOrFail(Copy, '1');
      await em.transactional(
        async (tx) => {
          tx.remove(await tx.findOneOrFail(Copy, '1'));
        },
        { clear },
      );
      expect(await em.findOne(Copy, '1')).toBeNull();
      expect(copy.id).toBe('1');
      copy.note = 'changed';
      await em.flush();
      expect(await library.rows('select note from copy where id = 1')).toEqual([{ note: 'new' }]);
    },
  );

  it.each([true, false])(
    'that is rolled back (clear: %s) leaves rows and entity manager as they were',
    async (clear) => {
      const em = library.em();
      await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
      const book = await em.findOneOrFail(Book, '1');
      const work = em.transactional(
        async (tx) => {
          await tx.remove(await tx.findOneOrFail(Publisher, '1')).flush();
          throw new Error('changed my mind');
        },
        { clear },
      );
      await expect(work).rejects.toThrow('changed my mind');
      expect((await em.findOneOrFail(Publisher, '1')).name).toBe('Lark');
      book.summary = 'later';
      await em.flush();
      expect(await library.rows('select publisher_id, summary from book where id = 1')).toEqual([
        { publisher_id: '1', summary: 'later' },
      ]);
    },
  );
});

describe('replacement in one flush', () => {
  it('of a row by one with the same unique value keeps the old row, marked, before the new one is inserted', async () => {
    const em = library.em();
    em.remove(await em.findOneOrFail(Publisher, '1'));
    const next = em.create(Publisher, { name: 'Lark' });
    await em.flush();
    expect(await library.stateOf('publisher', 1)).toBe('dead');
    expect(await em.findOne(Publisher, { name: 'Lark' })).toBe(next);
    expect(await em.findOne(Publisher, '1')).toBeNull();
  });

  it('of the other side of a one-to-one', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1', { populate: ['cover'] });
    const old = await em.findOneOrFail(Cover, '1');
    em.remove(old);
    em.create(Cover, { image: 'new', book });
    await em.flush();
    expect(await states('cover', [1, 2])).toBe('dead dead');
    expect((await library.em().findOneOrFail(Book, '1', { populate: ['cover'] })).cover?.image).toBe('new');
  });

  it('that fails writes nothing, and a cleared entity manager tells the truth', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1', { populate: ['publisher'] });
    em.remove(await em.findOneOrFail(Publisher, '1'));
    em.create(Publisher, { name: 'Lark' });
    em.create(Publisher, { name: 'Lark' });
    await expect(em.flush()).rejects.toMatchObject({ code: 'DATA.CONFLICT' });
    expect(await library.stateOf('publisher', 1)).toBe('live');
    expect(book.publisher?.id).toBe('1');
    em.clear();
    expect((await em.findOneOrFail(Book, '1', { populate: ['publisher'] })).publisher?.name).toBe('Lark');
  });
});

describe('links', () => {
  it('of a plain join table are removed physically; targets stay', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1', { populate: ['tags'] });
    book.tags.removeAll();
    await em.flush();
    expect(await library.rows('select 1 from book_tags where book_id = 1 and tag_id = ?', [RED])).toEqual([]);
    expect(await em.count(Tag)).toBe(1);
  });

  it('that are soft-deletable can be added again after their removal', async () => {
    const em = library.em();
    const link = await em.findOneOrFail(BookGenre, '1');
    await em.remove(link).flush();
    em.create(BookGenre, { book: em.getReference(Book, '1'), genre: em.getReference(Genre, 'novel') });
    await em.flush();
    const book = await library.em().findOneOrFail(Book, '1', { populate: ['genres'] });
    expect(book.genres.getItems().map(({ code }) => code)).toEqual(['novel']);
  });
});

describe('truncate', () => {
  it('is refused, and allowed inside skipSoftDelete', async () => {
    await expect(async () =>
      library.em().createQueryBuilder(Edition).truncate().execute(),
    ).rejects.toMatchObject({
      code: 'SOFT_DELETE.TRUNCATE',
    });
    expect(await library.rows('select 1 from edition')).toHaveLength(3);
    await library.em().skipSoftDelete(async (em) => em.createQueryBuilder(Edition).truncate().execute());
    expect(await library.rows('select 1 from edition')).toHaveLength(0);
  });
});

describe('concurrent removals', () => {
  it('of one row all succeed, and the first deleted_at stays', async () => {
    const results = await Promise.all(
      [1, 2, 3].map(async () => library.em().getRepository(Copy).softDelete('1')),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    const ems = [library.em(), library.em()];
    const copies = await Promise.all(ems.map((em) => em.findOneOrFail(Copy, '3')));
    await Promise.all(ems.map((em, index) => em.remove(copies[index] as Copy).flush()));
    expect(await library.stateOf('copy', 3)).toBe('dead');
  });

  it('hide the row from a reader that waited for its lock', async () => {
    let reader: Promise<Copy | null> | undefined;
    await library.em().transactional(async (em) => {
      await em.nativeDelete(Copy, '1');
      reader = library
        .em()
        .transactional((other) => other.findOne(Copy, '1', { lockMode: LockMode.PESSIMISTIC_WRITE }));
      await new Promise((resolve) => setTimeout(resolve, 60));
    });
    expect(await reader).toBeNull();
  });

  it('win against an update by a condition on a relation that began before', async () => {
    let update: Promise<number> | undefined;
    await library.em().transactional(async (em) => {
      await em.nativeDelete(Copy, '1');
      update = library.em().nativeUpdate(Copy, { book: { title: 'Alpha' } }, { note: 'late' });
      await new Promise((resolve) => setTimeout(resolve, 60));
    });
    expect(await update).toBe(0);
    expect(await library.rows('select note from copy where id = 1')).toEqual([{ note: 'new' }]);
  });
});
