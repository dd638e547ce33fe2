import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type Library, openLibrary, RED } from './fixtures/library.ts';
import { Book, Copy, Genre, Shelf, Tag } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(async () => {
  await library.reset();
  await library.rows('delete from loan');
  await library.rows('update copy set deleted_at = null');
});
afterAll(() => library.close());

const TOOK = / \[took.*$/s;
const sentBy = async (work: () => Promise<unknown>): Promise<string[]> => {
  library.statements();
  await work();
  return library.statements().map((sql) => sql.replace(TOOK, ''));
};
const mark = (em: DataEntityManager, key: string) => em.getRepository(Copy).softDelete(key);

describe('softDelete by key', () => {
  it('sends what nativeDelete sends, the first time and from then on, and asks for no key back', async () => {
    const byVerb = await sentBy(() => library.em().nativeDelete(Copy, { id: '1' }));
    expect(byVerb[0]).toMatch(/ returning "id"$/);
    const short = byVerb.map((sql) => sql.replace(' returning "id"', ''));
    for (const key of ['2', '3', '3']) expect(await sentBy(() => mark(library.em(), key))).toEqual(short);
    for (const key of [1, 2, 3]) expect(await library.stateOf('copy', key)).toBe('dead');
  });

  it('has its statement made once', async () => {
    const driver = library.orm.em.getDriver();
    const make = driver.createQueryBuilder.bind(driver);
    let made = 0;
    Object.assign(driver, {
      createQueryBuilder: (...args: Parameters<typeof make>) => ((made += 1), make(...args)),
    });
    await mark(library.em(), '1');
    made = 0;
    await mark(library.em(), '2');
    expect(made).toBe(0);
    // The guard: the verb has it made each time.
    await library.em().nativeDelete(Copy, { id: '3' });
    expect(made).toBeGreaterThan(0);
    Object.assign(driver, { createQueryBuilder: make });
  });

  it('answers whether it has changed the row, for every kind of key', async () => {
    for (const changed of [true, false, false]) {
      const em = library.em();
      expect(await em.getRepository(Tag).softDelete(RED)).toBe(changed);
      expect(await em.getRepository(Genre).softDelete('essay')).toBe(changed);
      expect(await em.getRepository(Shelf).softDelete(['A', 1])).toBe(changed);
      expect(await mark(em, '1')).toBe(changed);
      expect(await mark(em, '4711')).toBe(false);
      expect(await em.getRepository(Copy).softDelete(2 as never)).toBe(changed);
    }
  });

  it('refuses what is no key as nativeDelete does, and goes on', async () => {
    const em = library.em();
    const expected: unknown = await em.nativeDelete(Copy, { id: 'abc' }).catch((error: unknown) => error);
    expect(expected).toMatchObject({ sqlState: '22P02' });
    for (let n = 0; n < 3; n += 1) {
      await expect(mark(em, 'abc')).rejects.toMatchObject({ sqlState: '22P02' });
      expect(await mark(em, '4711')).toBe(false);
    }
  });

  it('takes the entity out of the identity map', async () => {
    for (const key of ['1', '2']) {
      const em = library.em();
      await em.findOneOrFail(Copy, key);
      await mark(em, key);
      expect(em.getUnitOfWork().getById(Copy, key)).toBeUndefined();
      expect(await em.findOne(Copy, key)).toBeNull();
    }
  });

  it('is part of the transaction that is open, and undone with it', async () => {
    for (const key of ['1', '2']) {
      const work = library.em().transactional(async (em) => {
        expect(await mark(em, key)).toBe(true);
        expect(await em.count(Copy, { id: key })).toBe(0);
        throw new Error('no');
      });
      await expect(work).rejects.toThrow('no');
      expect(await library.stateOf('copy', key)).toBe('live');
    }
  });

  it('is physical in skipSoftDelete, a mark in withDeleted, and refused outside its own', async () => {
    await mark(library.em(), '4711');
    await mark(library.em(), '4711');
    await library.em().skipSoftDelete((em) => mark(em, '1'));
    await library.em().withDeleted((em) => mark(em, '2'));
    expect(await Promise.all([1, 2].map((key) => library.stateOf('copy', key)))).toEqual(['gone', 'dead']);
    const outer = library.em();
    await library.em().withDeleted(async () => {
      await expect(mark(outer, '4711')).rejects.toMatchObject({ code: 'SOFT_DELETE.WRONG_SCOPE' });
    });
  });

  it('keeps to the filters of the program', async () => {
    const own = await openLibrary({ url: library.url });
    for (let n = 0; n < 2; n += 1) await mark(own.em(), '4711');
    const em = own.em();
    em.addFilter({ name: 'none', cond: { id: '0' }, entity: [Book, Copy] as never, default: true } as never);
    expect(await mark(em, '1')).toBe(false);
    expect(await library.stateOf('copy', 1)).toBe('live');
    await own.close();
  });
});
