import { QueryBuilder, SqlEntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { type FindOptions, LockMode, ref } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataDriver, DataEntityManager } from '../../src/kit/orm/index.ts';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { KyselyGuard } from '../../src/kit/orm/kysely-guard.ts';
import { KeepForeignKeys } from '../../src/kit/soft-delete/index.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Award, Book, Copy, Credit, Loan, Publisher, Volume } from './fixtures/library-model.ts';
import { run, select } from './fixtures/kysely-probes.ts';
import { titles } from './fixtures/probe.ts';

// Every method with which the layer reaches into MikroORM, each with one thing that goes wrong without it. The list is
// complete: a method that is neither here nor among the ones with another purpose fails the last test.

type Right = (library: Library) => Promise<boolean>;
type Methods = Record<string, (...args: never[]) => unknown>;

const WRONG_SCOPE = 'SOFT_DELETE.WRONG_SCOPE';
const codeOf = (work: () => unknown): Promise<unknown> =>
  (async () => work())().then(
    () => undefined,
    (error: Error & { code?: string }) => error.code ?? error.message,
  );
const isDead = (library: Library, table: string, id: number) =>
  library.stateOf(table, id).then((state) => state === 'dead');
/** Of a root without soft delete, whose condition is the same in every scope. */
const cached = async (library: Library, cache: FindOptions<Loan>['cache']) => {
  const options = { populate: ['copy'], cache } as const;
  await library.em().skipSoftDelete((em) => em.find(Loan, {}, options));
  const loans = await library.em().find(Loan, {}, options);
  return loans.every(({ id, copy }) => (id === '2') === (copy === null));
};

/** Until a session waits for another one's transaction. */
const untilBlocked = async (library: Library): Promise<void> => {
  const sql = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await library.rows(sql)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
};

const builder: Record<string, Right> = {
  delete: async (library) => {
    await library.em().createQueryBuilder(Volume).delete({ id: '1' }).execute();
    return isDead(library, 'volume', 1);
  },
  execute: async (library) => {
    const update = library.em().createQueryBuilder(Book).update({ title: 'x' });
    const { affectedRows } = await update.where({ author: { name: 'Ada' } }).execute();
    return affectedRows === 2;
  },
  truncate: async (library) =>
    (await codeOf(() => library.em().createQueryBuilder(Volume).truncate())) === 'SOFT_DELETE.TRUNCATE',
  clone: async (library) => (await library.em().count(Author, { books: { $some: { title: 'Beta' } } })) === 0,
  getNativeQuery: async (library) => (await library.em().createQueryBuilder(Book).getCount()) === 3,
  guard: async (library) => (await library.em().createQueryBuilder(Book).getCount()) === 3,
  guardJoins: async (library) => {
    const books = library.em().createQueryBuilder(Book, 'b').select('*').innerJoin('b.author', 'a');
    return (await books.getResultList()).length === 2;
  },
  guardConflict: async (library) => {
    const row = { id: '2', name: 'Rook', address: null };
    await codeOf(() => library.em().upsert(Publisher, { ...row, name: 'Crow' }));
    const [stored] = await library.rows<{ name: string }>('select name from publisher where id = 2');
    return stored?.name === 'Rook';
  },
  inferConflictTarget: async (library) => {
    const insert = library.em().createQueryBuilder(Publisher).insert({ name: 'Lark' });
    return (await insert.onConflict(['name']).merge(['name']).execute('run')).affectedRows === 1;
  },
  guardRewrittenUpdate: async (library) => {
    let late: Promise<number> | undefined;
    await library.em().transactional(async (em) => {
      await em.nativeDelete(Book, '1');
      late = library.em().nativeUpdate(Book, { author: { name: 'Ada' } }, { title: 'x' });
      await untilBlocked(library);
    });
    return (await late) === 1;
  },
  guardPaginated: async (library) => {
    const options = {
      populate: ['copies'],
      strategy: 'joined',
      limit: 9,
      lockMode: LockMode.PESSIMISTIC_WRITE,
    } as const;
    const other = () => library.em().transactional((em) => em.find(Book, {}, options));
    let late: Promise<Book[]> | undefined;
    await library.em().transactional(async (em) => {
      await em.nativeDelete(Book, '1');
      late = other();
      await untilBlocked(library);
    });
    return titles((await late) ?? []) === 'Delta Gamma';
  },
};

const driver: Record<string, Right> = {
  renderPartialIndexWhere: (library) => {
    const where = library.orm.driver.renderPartialIndexWhere(Volume, { title: 'x' });
    return Promise.resolve(!where.includes('deleted_at'));
  },
  createQueryBuilder: async (library) => (await library.em().createQueryBuilder(Book).getCount()) === 3,
  nativeUpdate: async (library) => {
    const em = library.em();
    em.getReference(Book, '2').title = 'x';
    return (await codeOf(() => em.flush())) === 'DATA.SOFT_DELETED_ROW';
  },
  nativeUpdateMany: async (library) => {
    const em = library.em();
    for (const id of ['2', '3']) em.getReference(Book, id).title = 'x';
    return (await codeOf(() => em.flush())) === 'DATA.SOFT_DELETED_ROW';
  },
  forgetDeletedRows: async (library) => {
    const em = library.em();
    await em.findOneOrFail(Copy, '1');
    await em.nativeDelete(Copy, '1');
    return (await em.findOne(Copy, '1')) === null;
  },
  lockPessimistic: async (library) =>
    (await codeOf(() => library.em().transactional((em) => em.lock(em.getReference(Book, '2'), 4)))) ===
    'DATA.SOFT_DELETED_ROW',
  mapJoinedProps: async (library) => {
    const where = { book: '2', author: '2' };
    // With a comment, the statement is made and its rows are mapped by the core.
    const options = { populate: ['author'], strategy: 'joined', comments: 'by the core' } as const;
    const found = await library.em().find(Credit, where, options);
    return found.map(({ author }) => author.id).join('') === '2';
  },
  nativeClone: async (library) =>
    (await codeOf(() => library.em().clone(Award, { id: '2' }))) === 'DATA.SOFT_DELETED_ROW',
};

const UPSERT = 'SOFT_DELETE.UPSERT';

const entityManager: Record<string, Right> = {
  upsert: async (library) =>
    (await codeOf(() => library.em().upsert(Award, { id: '1', name: 'x', series: '1' }))) === UPSERT,
  upsertMany: async (library) =>
    (await codeOf(() => library.em().upsertMany(Award, [{ id: '1', name: 'x', series: '1' }]))) === UPSERT,
  findOne: async (library) =>
    String(await codeOf(() => library.em().findOne(Book, undefined as never))).includes('needs a condition'),
  getKysely: async (library) => {
    const rows = await run(select(library.em().getKysely(), ['selectFrom', 'book'], ['selectAll']));
    return rows.length === 3;
  },
  applyFilters: async (library) => {
    const options = { populate: ['tags:ref'] as never, filters: false } as const;
    return (await library.em().findOneOrFail(Book, '1', options)).tags.getIdentifiers().length === 1;
  },
  preparePopulate: async (library) => {
    const books = await library.em().find(Book, '3', { populate: ['author'], strategy: 'joined' });
    return titles(books) === 'Gamma';
  },
  getDataLoader: async (library) => {
    const loan = await library.em().findOneOrFail(Loan, '2');
    return (await ref(loan.copy).load({ dataloader: true })) === null;
  },
  getContext: async (library) => {
    const left = await library.em().skipSoftDelete(async (em) => em);
    return (await codeOf(() => left.count(Book))) === WRONG_SCOPE;
  },
  cacheKey: (library) => cached(library, 10_000),
  tryCache: (library) => cached(library, ['extension point', 10_000]),
  clearCache: async (library) => {
    const count = () =>
      library.em().skipSoftDelete((em) => em.count(Book, {}, { cache: ['cleared', 10_000] }));
    const before = await count();
    await library.rows('delete from cover where book_id = 5; delete from book where id = 5');
    await library.em().clearCache('cleared');
    return (await count()) === before - 1;
  },
};

const subscriber: Record<string, Right> = {
  beforeFlush: async (library) => {
    const em = library.em();
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    const book = await em.findOneOrFail(Book, '1');
    em.remove(publisher);
    book.publisher = null;
    await em.flush();
    const [row] = await library.rows<{ publisher_id: unknown }>('select publisher_id from book where id = 1');
    return row?.publisher_id === null;
  },
  onFlush: async (library) => {
    const em = library.em();
    const publisher = await em.findOneOrFail(Publisher, '1', { populate: ['books'] });
    await em.remove(publisher).flush();
    const [row] = await library.rows<{ publisher_id: unknown }>('select publisher_id from book where id = 1');
    return row?.publisher_id === '1';
  },
};

const kysely: Record<string, Right> = { transformQuery: entityManager['getKysely'] as Right };

/** Methods of the layer's classes that serve another purpose, and parts that a method above calls. */
const ELSEWHERE: Record<string, string> = {
  'builder.visible': 'tested by withDeleted and onlyDeleted',
  'builder.writes': 'tested by withDeleted and onlyDeleted',
  'builder.finalizeNow': "a name for the core's own step",
  'builder.nameOfTable': 'a part of the next one',
  'builder.guardOwner': 'tested by the relations that hide their owner',
  'builder.shown': 'tested by the relations that hide their owner',
  'driver.convertException': 'errors',
  'driver.getConnection': 'where repositories read: read-places.test.ts',
  'driver.find': 'tested by the reads whose shape is known',
  'driver.count': 'tested by the reads whose shape is known',
  'driver.nativeDelete': 'calls forgetDeletedRows',
  'driver.syncCollections': 'deletions by policies of orphans: test/deletion/flush*.test.ts',
  'driver.filtersAreAdded': 'a part of the next one',
  'driver.isFiltered': 'tested by the reads and marks whose shape is known',
  'entityManager.addFilter': 'tested by the reads whose shape is known',
  'driver.nativeInsertMany': 'tested by views',
  'entityManager.find': 'known-calls.test.ts',
  'entityManager.count': 'known-calls.test.ts',
  'entityManager.nativeUpdate': 'known-calls.test.ts',
  'entityManager.nativeDelete': 'known-calls.test.ts',
  'entityManager.insert': 'write-differential.test.ts',
  'entityManager.transactional': 'transactions',
  'entityManager.commit': 'transactions',
  'entityManager.flush': 'errors',
  'entityManager.lock': 'errors',
  'entityManager.getRepository': 'types',
  'entityManager.skipSoftDelete': 'opens a scope',
  'entityManager.withDeleted': 'opens a scope',
  'entityManager.onlyDeleted': 'opens a scope',
  'kysely.transformResult': 'asked for by Kysely, changes nothing',
};

const points = { builder, driver, entityManager, subscriber, kysely };
const classes = {
  builder: [GuardedQueryBuilder.prototype, QueryBuilder.prototype],
  driver: [DataDriver.prototype, PostgreSqlDriver.prototype],
  entityManager: [DataEntityManager.prototype, SqlEntityManager.prototype],
  subscriber: [KeepForeignKeys.prototype, {}],
  kysely: [KyselyGuard.prototype, { transformQuery: ({ node }: { node: unknown }) => node }],
} as const;

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ unwatched: true });
});
beforeEach(() => library.reset());
afterAll(() => library.close());

describe.each(Object.entries(points))('without the method of the %s', (name, methods) => {
  const [layer, stock] = classes[name as keyof typeof classes] as unknown as [Methods, Methods];

  it.each(Object.entries(methods))(
    '%s, something goes wrong, and with it nothing does',
    async (method, right) => {
      expect(await right(library)).toBe(true);
      await library.reset();
      await library.orm.config.getResultCacheAdapter().clear();
      const own = layer[method] as Methods[string];
      expect(Object.hasOwn(layer, method)).toBe(true);
      layer[method] = stock[method] ?? (() => undefined);
      try {
        expect(await right(library).catch(() => false)).toBe(false);
      } finally {
        layer[method] = own;
      }
    },
  );
});

describe('without another part', () => {
  it('the filter, the links of a pivot table alone show a dead target', async () => {
    const refs = async (own: Library) => {
      const options = { populate: ['tags:ref'] as never };
      return (await own.em().findOneOrFail(Book, '1', options)).tags.getIdentifiers().length;
    };
    const open = await openLibrary({ url: library.url, withoutFilter: true });
    expect([await refs(library), await refs(open)]).toEqual([1, 2]);
    await open.close();
  });

  it('the option that joins no filtered relation by itself, the owner of a dead target is gone', async () => {
    const rows = () => library.em().find(Book, '3');
    const { config } = library.orm;
    expect(titles(await rows())).toBe('Gamma');
    config.set('autoJoinRefsForFilters', true);
    try {
      expect(titles(await rows())).toBe('');
    } finally {
      config.set('autoJoinRefsForFilters', false);
    }
  });

  it('the rule about references, a later flush empties the key of a row that refers to a removed one', async () => {
    const keyAfter = async (withRule: boolean) => {
      await library.reset();
      const em = library.em();
      if (!withRule) Reflect.deleteProperty(em.getUnitOfWork(), 'unsetIdentity');
      const book = await em.findOneOrFail(Book, '1', { populate: ['publisher'] });
      await em.nativeDelete(Publisher, '1');
      book.title = 'touched';
      await em.flush();
      const [row] = await library.rows<{ publisher_id: unknown }>(
        'select publisher_id from book where id = 1',
      );
      return row?.publisher_id;
    };
    expect([await keyAfter(true), await keyAfter(false)]).toEqual(['1', null]);
  });
});

it('every method of the layer is named here', () => {
  const named = Object.entries(points).flatMap(([name, methods]) =>
    Object.keys(methods).map((method) => `${name}.${method}`),
  );
  const found = Object.entries(classes).flatMap(([name, [layer]]) =>
    Object.getOwnPropertyNames(layer)
      .filter((method) => method !== 'constructor')
      .map((method) => `${name}.${method}`),
  );
  expect([...named, ...Object.keys(ELSEWHERE)].toSorted()).toEqual(found.toSorted());
});
