import { IsolationLevel, TransactionPropagation } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, isDataError, retryTransaction, RolledBackError } from 'tombstone';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Copy, Edition, Publisher } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ unwatched: true });
});
beforeEach(() => library.reset());
afterAll(() => library.close());

const rolledBack = { code: 'DATA.ROLLED_BACK', name: 'RolledBackError', status: 500, retryable: false };
const names = async () =>
  (await library.em().find(Author, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name).slice(3);
const add = (em: DataEntityManager, name: string) => em.persist(em.create(Author, { name })).flush();
const pause = (ms = 60) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a nested transaction', () => {
  it('joins the outer one: one BEGIN, one COMMIT, one connection', async () => {
    library.statements();
    await library.em().transactional(async (em) => {
      await add(em, 'outer');
      await em.transactional(async (inner) => {
        expect(inner).toBe(em);
        await add(inner, 'inner');
        await inner.execute(`update author set name = 'raw' where name = 'outer'`);
      });
    });
    const sent = library.statements();
    expect(sent.filter((sql) => /^(begin|commit|savepoint|rollback)/.test(sql))).toEqual(['begin', 'commit']);
    expect(await names()).toEqual(['raw', 'inner']);
  });

  it('falls with the outer one, and the outer one with it', async () => {
    const later = library.em().transactional(async (em) => {
      await em.transactional((inner) => add(inner, 'inner'));
      throw new Error('later');
    });
    await expect(later).rejects.toThrow('later');
    const inside = library.em().transactional(async (em) => {
      await add(em, 'outer');
      await em.transactional(() => Promise.reject(new Error('inside')));
    });
    await expect(inside).rejects.toThrow('inside');
    expect(await names()).toEqual([]);
  });

  it('that fails ends the whole transaction, also when the outer work catches its error', async () => {
    const work = library.em().transactional(async (em) => {
      await add(em, 'outer');
      await em
        .transactional(async (inner) => {
          await add(inner, 'inner');
          throw new Error('inside');
        })
        .catch(() => undefined);
      await add(em, 'after');
      return 'done';
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error).toMatchObject(rolledBack);
    expect((error as Error).cause).toMatchObject({ message: 'inside' });
    expect(await names()).toEqual([]);
  });

  it('two levels down ends it as well', async () => {
    const work = library.em().transactional(async (em) => {
      await em.transactional(async (inner) => {
        await inner.transactional(() => Promise.reject(new Error('deep'))).catch(() => undefined);
        await add(inner, 'inner');
      });
    });
    await expect(work).rejects.toMatchObject(rolledBack);
    expect(await names()).toEqual([]);
  });

  it.each([
    TransactionPropagation.REQUIRED,
    TransactionPropagation.SUPPORTS,
    TransactionPropagation.MANDATORY,
  ])('ends it as well where it asks to join: %s', async (propagation) => {
    const failing = async (em: DataEntityManager) => {
      await add(em, 'inner');
      throw new Error('no');
    };
    const work = library.em().transactional(async (em) => {
      await em.transactional(failing, { propagation }).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject(rolledBack);
    expect(await names()).toEqual([]);
  });

  it('ends it as well where that was begun by hand', async () => {
    const em = library.em();
    await em.begin();
    await add(em, 'before');
    await em.transactional(() => Promise.reject(new Error('no'))).catch(() => undefined);
    await expect(em.commit()).rejects.toMatchObject(rolledBack);
    expect(em.isInTransaction()).toBe(false);
    expect(await names()).toEqual([]);
    await em.begin();
    await em.transactional((tx) => tx.execute(`insert into author (name) values ('next')`));
    await em.commit();
    expect(await names()).toEqual(['next']);
  });

  it('with a savepoint of its own may fail alone', async () => {
    const nested = { propagation: TransactionPropagation.NESTED };
    await library.em().transactional(async (em) => {
      await add(em, 'outer');
      const inner = em.transactional(async (own) => {
        await add(own, 'inner');
        await own.execute('select no_such_column from author');
      }, nested);
      await expect(inner).rejects.toMatchObject({ code: 'DATA.QUERY' });
      const swallowing = em.transactional(async (own) => {
        await add(own, 'swallowed');
        await own.transactional(() => Promise.reject(new Error('no'))).catch(() => undefined);
      }, nested);
      await expect(swallowing).rejects.toMatchObject(rolledBack);
    });
    expect(await names()).toEqual(['outer']);
  });

  it('is a fresh one again in the next transaction of the same entity manager', async () => {
    const em = library.em();
    const failing = em.transactional(async (tx) => {
      await tx.transactional(() => Promise.reject(new Error('no'))).catch(() => undefined);
    });
    await expect(failing).rejects.toMatchObject(rolledBack);
    await em.transactional((tx) => add(tx, 'next'));
    expect(await names()).toEqual(['next']);
  });
});

describe('a transaction that a statement has aborted', () => {
  it('is never reported as committed', async () => {
    const work = library.em().transactional(async (em) => {
      await add(em, 'before');
      await em.execute('select 1 / 0').catch(() => undefined);
      return 'done';
    });
    await expect(work).rejects.toMatchObject(rolledBack);
    expect(await names()).toEqual([]);
    await library.em().transactional((em) => add(em, 'after'));
    expect(await names()).toEqual(['after']);
  });

  it('refuses further statements by the same error', async () => {
    const work = library.em().transactional(async (em) => {
      await em.execute('select 1 / 0').catch(() => undefined);
      await em.count(Author);
    });
    await expect(work).rejects.toMatchObject({ ...rolledBack, sqlState: '25P02' });
  });

  it('is noticed after an error in Kysely and after begin and commit by hand', async () => {
    const work = library.em().transactional(async (em) => {
      await em
        .getKysely()
        .selectFrom('nowhere' as never)
        .execute()
        .catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject(rolledBack);
    const em = library.em();
    await em.begin();
    await add(em, 'by hand');
    await em.execute('select 1 / 0').catch(() => undefined);
    await expect(em.commit()).rejects.toMatchObject(rolledBack);
    await em.rollback();
    expect(await names()).toEqual([]);
  });

  it('costs the healthy one no statement', async () => {
    library.statements();
    await library.em().transactional((em) => em.count(Author));
    expect(library.statements().map((sql) => sql.split(' ')[0])).toEqual(['begin', 'select', 'commit']);
  });
});

describe('retryTransaction', () => {
  it('repeats the work that lost at SERIALIZABLE until all have won', async () => {
    let attempts = 0;
    const isolationLevel = IsolationLevel.SERIALIZABLE;
    const increment = () =>
      retryTransaction(
        library.em(),
        async (em) => {
          attempts += 1;
          const edition = await em.findOneOrFail(Edition, '1');
          await pause(10);
          await em.nativeUpdate(Edition, '1', { print: edition.print + 1 });
        },
        { isolationLevel, attempts: 20 },
      );
    await Promise.all([increment(), increment(), increment(), increment()]);
    expect(await library.rows('select print from edition where id = 1')).toEqual([{ print: 5 }]);
    expect(attempts).toBeGreaterThan(4);
  });

  it('repeats the work that PostgreSQL chose to end a deadlock', async () => {
    let attempts = 0;
    const inOrder = (first: string, second: string) =>
      retryTransaction(library.em(), async (em) => {
        attempts += 1;
        await em.nativeUpdate(Copy, first, { note: first + second });
        await pause();
        await em.nativeUpdate(Copy, second, { note: first + second });
      });
    await Promise.all([inOrder('1', '3'), inOrder('3', '1')]);
    expect(attempts).toBe(3);
    const rows = await library.rows<{ note: string }>('select note from copy where id in (1, 3)');
    expect(new Set(rows.map(({ note }) => note)).size).toBe(1);
  });

  it('gives each attempt an entity manager that has loaded nothing', async () => {
    const seen: (string | undefined)[] = [];
    const em = library.em();
    await retryTransaction(em, async (tx) => {
      const publisher = await tx.findOneOrFail(Publisher, '1');
      seen.push(publisher.name);
      publisher.name = `changed ${seen.length}`;
      await tx.flush();
      if (seen.length < 3) await tx.execute(`do $$ begin raise exception using errcode = '40001'; end $$`);
    });
    expect(seen).toEqual(['Lark', 'Lark', 'Lark']);
    expect((await em.findOneOrFail(Publisher, '1')).name).toBe('changed 3');
  });

  it('gives up after the attempts that it was given, with the last error', async () => {
    let attempts = 0;
    const work = retryTransaction(
      library.em(),
      async (em) => {
        attempts += 1;
        await em.execute(`do $$ begin raise exception using errcode = '40P01'; end $$`);
      },
      { attempts: 3, pauseMs: 1 },
    );
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(isDataError(error, 'DATA.CONCURRENCY') && error.sqlState).toBe('40P01');
    expect(attempts).toBe(3);
  });

  it('does not repeat other errors, nor inside a transaction', async () => {
    let attempts = 0;
    const failing = (sqlState: string) => async (em: DataEntityManager) => {
      attempts += 1;
      await em.execute(`do $$ begin raise exception using errcode = '${sqlState}'; end $$`);
    };
    await expect(retryTransaction(library.em(), failing('23505'))).rejects.toMatchObject({
      code: 'DATA.CONFLICT',
    });
    expect(attempts).toBe(1);
    const joined = library.em().transactional((em) => retryTransaction(em, failing('40001')));
    await expect(joined).rejects.toMatchObject({ code: 'DATA.CONCURRENCY' });
    expect(attempts).toBe(2);
    const outermost = retryTransaction(library.em(), (em) => retryTransaction(em, failing('40001')), {
      attempts: 2,
    });
    await expect(outermost).rejects.toMatchObject({ code: 'DATA.CONCURRENCY' });
    expect(attempts).toBe(4);
  });
});
