import { helper, RequestContext } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Award, Book, Copy, Publisher } from './fixtures/library-model.ts';
import { collect, titles } from './fixtures/probe.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

const wrongScope = { code: 'SOFT_DELETE.WRONG_SCOPE', name: 'SoftDeleteError' };
const tick = (ms = 1) => new Promise((resolve) => setTimeout(resolve, ms));

describe('interleaved scopes', () => {
  it('50 that skip and 50 that do not see each their own rows, on one entity manager', async () => {
    const em = library.em();
    const normal = async () => {
      await tick(Math.random() * 20);
      const own = em.fork();
      const before = await own.count(Book);
      await tick(Math.random() * 20);
      return [before, titles(await own.find(Book, {})), (await own.findOne(Book, '2'))?.title ?? null];
    };
    const skipping = () =>
      em.skipSoftDelete(async (all) => {
        const before = await all.count(Book);
        await tick(Math.random() * 20);
        return [before, titles(await all.find(Book, {})), (await all.findOne(Book, '2'))?.title ?? null];
      });
    const runs = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? normal() : skipping()));
    const results = await Promise.all(runs);
    for (const [index, result] of results.entries()) {
      const expected =
        index % 2 === 0 ? [3, 'Alpha Delta Gamma', null] : [4, 'Alpha Beta Delta Gamma', 'Beta'];
      expect(result).toEqual(expected);
    }
  });

  it('leave nothing behind: what the scope has loaded, normal code does not find', async () => {
    const em = library.em();
    await em.skipSoftDelete(async (all) => {
      await all.findOneOrFail(Author, '1', { populate: ['books'] });
      await all.findOneOrFail(Book, '2');
    });
    expect(await em.findOne(Book, '2')).toBeNull();
    const author = await em.findOneOrFail(Author, '1', { populate: ['books'] });
    expect(titles(author.books)).toBe('Alpha Delta');
  });

  it('do not turn a removal that was scheduled outside into a physical one', async () => {
    const em = library.em();
    em.remove(await em.findOneOrFail(Copy, '1'));
    await em.skipSoftDelete(async (all) => {
      await expect(em.flush()).rejects.toMatchObject(wrongScope);
      await all.flush();
    });
    expect(await library.stateOf('copy', 1)).toBe('live');
    await em.flush();
    expect(await library.stateOf('copy', 1)).toBe('dead');
  });

  it('keep two flushes at the same time apart', async () => {
    const em = library.em();
    const removal = async (own: DataEntityManager, id: string) =>
      own.remove(own.getReference(Copy, id)).flush();
    await Promise.all([
      removal(em, '1'),
      em.skipSoftDelete((all) => removal(all, '3')),
      em.skipSoftDelete((all) => removal(all, '5')),
    ]);
    expect([
      await library.stateOf('copy', 1),
      await library.stateOf('copy', 3),
      await library.stateOf('copy', 5),
    ]).toEqual(['dead', 'gone', 'gone']);
  });
});

describe('across the border of a scope', () => {
  it('an entity manager is refused: the inner one outside, the outer one inside', async () => {
    const em = library.em();
    let inner: DataEntityManager | undefined;
    await em.skipSoftDelete(async (all) => {
      inner = all;
      await expect(em.find(Book, {})).rejects.toMatchObject(wrongScope);
      await expect(em.nativeDelete(Book, '1')).rejects.toMatchObject(wrongScope);
      expect(() => em.createQueryBuilder(Book)).toThrow(expect.objectContaining(wrongScope));
      expect(() => em.fork()).toThrow(expect.objectContaining(wrongScope));
    });
    await expect(inner?.find(Book, {})).rejects.toMatchObject(wrongScope);
    await expect(inner?.flush()).rejects.toMatchObject(wrongScope);
    expect(() => inner?.fork()).toThrow(expect.objectContaining(wrongScope));
    expect(() => inner?.getRepository(Book)).not.toThrow();
    await expect(inner?.getRepository(Book).find({})).rejects.toMatchObject(wrongScope);
    expect(await em.count(Book)).toBe(3);
  });

  it('a query builder is refused, so that a delete made inside is not physical outside', async () => {
    const { inside, raw } = await library.em().skipSoftDelete(async (all) => {
      const builder = all.createQueryBuilder(Award).delete({ id: '1' });
      return { inside: builder, raw: all.createQueryBuilder(Award).select('*') };
    });
    await expect(async () => inside.execute()).rejects.toMatchObject(wrongScope);
    expect(() => raw.getFormattedQuery()).toThrow(expect.objectContaining(wrongScope));
    const outside = library.em().createQueryBuilder(Award).delete({ id: '1' });
    await library.em().skipSoftDelete(async () => {
      await expect(async () => outside.execute()).rejects.toMatchObject(wrongScope);
    });
    expect(await library.stateOf('award', 1)).toBe('live');
    await outside.execute();
    expect(await library.stateOf('award', 1)).toBe('dead');
  });

  it('a stream, a lazy reference, a collection and a floating promise are refused', async () => {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const { stream, book, author, floating } = await library.em().skipSoftDelete(async (all) => {
      const late = ended.then(() => all.count(Book));
      late.catch(() => undefined);
      return {
        stream: all.stream(Book, {}),
        book: await all.findOneOrFail(Book, '3'),
        author: await all.findOneOrFail(Author, '1'),
        floating: late,
      };
    });
    await expect(collect(stream)).rejects.toMatchObject(wrongScope);
    await expect(book.editor?.load()).rejects.toMatchObject(wrongScope);
    await expect(author.books.init()).rejects.toMatchObject(wrongScope);
    await expect(helper(author).init()).rejects.toMatchObject(wrongScope);
    end();
    await expect(floating).rejects.toMatchObject(wrongScope);
  });

  it('a stream that has begun inside ends with an error outside, never with dead rows', async () => {
    const iterator = await library.em().skipSoftDelete(async (all) => {
      const rows = all.stream(Book, { orderBy: { id: 'asc' } })[Symbol.asyncIterator]();
      await rows.next();
      return rows;
    });
    const rest: string[] = [];
    const drain = async () => {
      for (let row = await iterator.next(); !row.done; row = await iterator.next())
        rest.push(row.value.title);
    };
    await drain().catch((error: unknown) => expect(error).toMatchObject(wrongScope));
    expect(rest).not.toContain('Beta');
  });
});

describe('the result cache', () => {
  it('keeps answers of a scope apart, whether the key is named, computed or that of a query builder', async () => {
    const ask = async (em: DataEntityManager) => [
      titles(await em.find(Book, {}, { cache: ['books', 10_000] })),
      titles(await em.find(Book, { id: { $lt: '4' } }, { cache: 10_000 })),
      await em.count(Book, {}, { cache: ['count', 10_000] }),
      titles(await em.createQueryBuilder(Book).select('*').cache(['built', 10_000]).getResultList()),
      (await em.find(Copy, { book: { title: 'Beta' } }, { cache: ['by relation', 10_000] })).length,
    ];
    const live = ['Alpha Delta Gamma', 'Alpha Gamma', 3, 'Alpha Delta Gamma', 0];
    const all = ['Alpha Beta Delta Gamma', 'Alpha Beta Gamma', 4, 'Alpha Beta Delta Gamma', 1];
    expect(await library.em().skipSoftDelete(ask)).toEqual(all);
    expect(await ask(library.em())).toEqual(live);
    library.statements();
    expect(await library.em().skipSoftDelete(ask)).toEqual(all);
    expect(await ask(library.em())).toEqual(live);
    expect(library.statements()).toEqual([]);
    for (const key of ['books', 'count', 'built', 'by relation']) await library.em().clearCache(key);
    library.statements();
    await library.em().find(Book, {}, { cache: ['books', 10_000] });
    expect(library.statements()).toHaveLength(1);
    await library.em().skipSoftDelete((em) => em.find(Book, {}, { cache: ['books', 10_000] }));
    expect(library.statements()).toHaveLength(1);
  });
});

describe('a scope', () => {
  it('inside a transaction is part of it, and rolls back with it', async () => {
    const work = library.em().transactional(async (em) => {
      await em.nativeUpdate(Book, '1', { title: 'Omega' });
      await em.skipSoftDelete(async (all) => {
        expect((await all.findOneOrFail(Book, '1')).title).toBe('Omega');
        await all.nativeDelete(Copy, '1');
        all.create(Author, { name: 'Zoe' });
      });
      expect(await em.count(Author, { name: 'Zoe' })).toBe(1);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await library.stateOf('copy', 1)).toBe('live');
    expect(await library.em().count(Author, { name: 'Zoe' })).toBe(0);
  });

  it('may open a transaction of its own, which commits what the scope does', async () => {
    await library.em().skipSoftDelete((all) =>
      all.transactional(async (tx) => {
        tx.remove(await tx.findOneOrFail(Award, '2'));
      }),
    );
    expect(await library.stateOf('award', 2)).toBe('gone');
  });

  it('inside another one is closed first, and the outer one goes on', async () => {
    const em = library.em();
    await em.skipSoftDelete(async (outer) => {
      await outer.skipSoftDelete(async (inner) => {
        expect(inner).not.toBe(outer);
        expect(await inner.count(Book)).toBe(4);
        await expect(outer.count(Book)).rejects.toMatchObject(wrongScope);
      });
      expect(await outer.count(Book)).toBe(4);
    });
    expect(await em.count(Book)).toBe(3);
  });

  it('flushes at its end, and not when its work throws', async () => {
    await library.em().skipSoftDelete(async (all) => {
      (await all.findOneOrFail(Book, '2')).title = 'Changed';
    });
    const failing = library.em().skipSoftDelete(async (all) => {
      (await all.findOneOrFail(Book, '2')).title = 'Again';
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await library.rows('select title from book where id = 2')).toEqual([{ title: 'Changed' }]);
  });

  it('does not see what the entity manager outside has not flushed', async () => {
    const em = library.em();
    const book = await em.findOneOrFail(Book, '1');
    book.title = 'Pending';
    expect(await em.skipSoftDelete(async (all) => (await all.findOneOrFail(Book, '1')).title)).toBe('Alpha');
    await em.flush();
    expect(await library.rows('select title from book where id = 1')).toEqual([{ title: 'Pending' }]);
  });

  it('serves code that goes through the global entity manager or a request context', async () => {
    const global = library.orm.em;
    const count = () => global.getContext().count(Book);
    await RequestContext.create(global, async () => {
      const repository = global.getRepository(Book);
      expect(await count()).toBe(3);
      expect(await repository.count()).toBe(3);
      await global.skipSoftDelete(async () => {
        expect(await count()).toBe(4);
        expect(await repository.count()).toBe(4);
      });
      expect(await count()).toBe(3);
    });
  });

  it('keeps the filters, their parameters, the schema and the logger of its caller', async () => {
    const em = library.em();
    em.addFilter({
      name: 'own',
      cond: (parameters) => ({ title: String(parameters['title']) }),
      entity: Book,
    });
    em.setFilterParams('own', { title: 'Beta' });
    const seen = (own: DataEntityManager) => own.find(Book, {}).then(titles);
    expect(await seen(em)).toBe('');
    expect(await em.skipSoftDelete(seen)).toBe('Beta');
    expect(
      await em.skipSoftDelete((all) => all.find(Book, {}, { filters: { own: false } }).then(titles)),
    ).toBe('Alpha Beta Delta Gamma');
    expect(await em.find(Book, {}, { filters: { own: false } }).then(titles)).toBe('Alpha Delta Gamma');
  });
});

describe('a repository', () => {
  it('deletes, restores and removes by key, each once', async () => {
    const repository = library.em().getRepository(Publisher);
    const steps = [
      await repository.softDelete('1'),
      await repository.softDelete('1'),
      await repository.restoreByKey('1'),
      await repository.restoreByKey('1'),
      await repository.softDelete('77'),
      await repository.restoreByKey('77'),
    ];
    expect(steps).toEqual([true, false, true, false, false, false]);
    await library.rows('update book set publisher_id = null');
    expect([await repository.hardDelete('2'), await repository.hardDelete('2')]).toEqual([true, false]);
    expect(await library.rows('select id, deleted_at from publisher')).toEqual([
      { id: '1', deleted_at: null },
    ]);
  });

  it('refuses to restore a row whose unique value a live one has taken', async () => {
    const em = library.em();
    em.create(Publisher, { name: 'Rook' });
    await em.flush();
    await expect(em.getRepository(Publisher).restoreByKey('2')).rejects.toMatchObject({
      code: 'DATA.CONFLICT',
    });
    expect(await library.stateOf('publisher', 2)).toBe('dead');
  });
});
