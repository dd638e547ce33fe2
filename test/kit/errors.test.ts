import { inspect } from 'node:util';
import {
  ConnectionException,
  DriverException,
  LockMode,
  OptimisticLockError,
  UniqueConstraintViolationException,
  ValidationError,
} from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type DataEntityManager,
  type DataError,
  driverErrorOf,
  isDataError,
  type SoftDeletedRowError,
} from 'tombstone';
import { mergeDomainErrors, translateDriverError } from '../../src/kit/errors/index.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { refusals, SECRET, VAULT } from './fixtures/refusals.ts';
import { Author, Book, Edition, Publisher } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ pool: { max: 4 }, unwatched: true });
  await library.reset();
  await library.rows(VAULT);
});
afterAll(() => library.close());

async function errorOf(work: Promise<unknown>): Promise<DataError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (isDataError(error)) return error;
  throw new Error(`a data error was expected, not ${inspect(error)}`);
}

/** Everything that a logger or a serialiser would print of it. */
const printed = (error: Error) =>
  [String(error), error.stack, JSON.stringify(error), inspect(error, { depth: 5, showHidden: true })].join(
    '\n',
  );

describe.each(refusals)('SQLSTATE $state', ({ state, name, code, status, retryable, sql, names }) => {
  it('becomes one kind of error, which names objects and repeats no value and no statement', async () => {
    const own = state === '57P01' ? await openLibrary({ url: library.url }) : library;
    const error = await errorOf(own.em().execute(sql));
    if (own !== library) await own.close();
    expect(error).toMatchObject({ name, code, status, retryable, sqlState: state });
    expect(error).toBeInstanceOf(DriverException);
    expect(error.message).toMatch(/[.)]$/);
    expect(error.message).toContain(names ?? state);
    expect(inspect(driverErrorOf(error), { depth: 5 })).toContain(state);
    expect(printed(error)).not.toMatch(/hunte|4711|insert into|select|do \$\$/i);
    expect(printed(error.cause as Error)).not.toMatch(/hunte|4711|insert into|select|do \$\$/i);
  });
});

describe('the same translation', () => {
  const duplicate = { code: 'DATA.CONFLICT', constraint: 'publisher_name_unique_active' };
  const statement = `insert into publisher (name) values ('Lark')`;

  it.each<[string, (em: DataEntityManager) => Promise<unknown>]>([
    ['a flush', async (em) => em.persist(em.create(Publisher, { name: 'Lark' })).flush()],
    ['a bulk insert', async (em) => em.insert(Publisher, { name: 'Lark' })],
    ['a query builder', async (em) => em.createQueryBuilder(Publisher).insert({ name: 'Lark' }).execute()],
    [
      'Kysely',
      async (em) =>
        em
          .getKysely()
          .insertInto('publisher' as never)
          .values({ name: 'Lark' })
          .execute(),
    ],
    ['raw SQL', async (em) => em.execute(statement)],
    ['raw SQL on the connection', async (em) => em.getConnection().execute(statement)],
    ['raw SQL in a transaction', async (em) => em.transactional((tx) => tx.execute(statement))],
    [
      'COMMIT, which checks deferred constraints',
      async (em) =>
        em.transactional(async (tx) => {
          await tx.execute(`create temporary table deferred (name text constraint publisher_name_unique_active unique
            deferrable initially deferred) on commit drop`);
          await tx.execute(`insert into deferred values ('${SECRET}'), ('${SECRET}')`);
        }),
    ],
  ])('is made for %s', async (_, work) => {
    const error = await errorOf(work(library.em()));
    expect(error).toMatchObject(duplicate);
    expect(error).toBeInstanceOf(UniqueConstraintViolationException);
    expect(printed(error)).not.toMatch(/Lark|hunter2|insert into/);
  });

  it('is made for a stream', async () => {
    const work = async () => {
      const rows = library.em().createQueryBuilder(Book, 'b').select('*').where('b.no_such = 1').stream();
      for await (const row of rows) expect(row).toBeUndefined();
    };
    expect(await errorOf(work())).toMatchObject({ code: 'DATA.QUERY', sqlState: '42703' });
  });
});

describe('locks', () => {
  it('that are not granted at once, or in time, may be asked for again', async () => {
    await library.em().transactional(async (em) => {
      await em.findOneOrFail(Book, '1', { lockMode: LockMode.PESSIMISTIC_WRITE });
      const atOnce = library
        .em()
        .transactional((other) => other.findOne(Book, '1', { lockMode: LockMode.PESSIMISTIC_WRITE_OR_FAIL }));
      const inTime = library.em().transactional(async (other) => {
        await other.execute('set local lock_timeout = 20');
        await other.nativeUpdate(Book, '1', { title: SECRET });
      });
      for (const work of [atOnce, inTime]) {
        const error = await errorOf(work);
        expect(error).toMatchObject({
          name: 'LockNotAvailableError',
          code: 'DATA.CONCURRENCY',
          sqlState: '55P03',
          retryable: true,
        });
        expect(printed(error)).not.toContain(SECRET);
      }
    });
  });
});

describe('a server that cannot be used', () => {
  const open = (change: (url: URL) => void, options = {}) => {
    const url = new URL(library.url);
    change(url);
    return openLibrary({ url: url.href, connect: false, ...options } as never);
  };
  // A server that asks for a password does not tell an unknown user from a wrong password.
  it.each<[string, readonly (string | undefined)[], (url: URL) => void]>([
    ['refuses connections', [undefined], (url) => (url.port = '1')],
    ['has another name', [undefined], (url) => (url.hostname = 'no-such-host.invalid')],
    ['has no such database', ['3D000'], (url) => (url.pathname = '/no_such_database')],
    ['does not know the user', ['28000', '28P01'], (url) => (url.username = 'no_such_user')],
  ])('because it %s', async (_, sqlStates, change) => {
    let password = SECRET;
    const other = await open((url) => {
      change(url);
      url.password = password = url.password || SECRET;
    });
    const error = await errorOf(other.em().transactional((em) => em.count(Book)));
    expect(error).toMatchObject({
      name: 'UnavailableError',
      code: 'DATA.UNAVAILABLE',
      status: 503,
      retryable: true,
    });
    expect(sqlStates).toContain(error.sqlState);
    expect(error).toBeInstanceOf(ConnectionException);
    expect(printed(error)).not.toContain(password);
    expect(await errorOf(other.em().count(Book))).toMatchObject({ code: 'DATA.UNAVAILABLE' });
    await other.close();
  });

  it('is unavailable where the connection cannot be encrypted, or its certificate is not trusted', async () => {
    const other = await open(() => undefined, { driverOptions: { ssl: true } });
    expect(await errorOf(other.em().count(Book))).toMatchObject({
      code: 'DATA.UNAVAILABLE',
      message: expect.stringContaining('Check its certificate, and the option ssl') as unknown,
    });
    await other.close();
    const untrusted = Object.assign(new Error('self-signed certificate of secret.example.com'), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    const error = translateDriverError(untrusted, { constraints: {}, notFound: {} });
    expect(error).toMatchObject({ code: 'DATA.UNAVAILABLE', retryable: true });
    expect(error.message).not.toContain('secret.example.com');
  });

  it('is unavailable while the pool is exhausted, and usable again afterwards', async () => {
    const other = await open(() => undefined, {
      pool: { max: 1 },
      driverOptions: { connectionTimeoutMillis: 1000 },
    });
    await other.em().transactional(async (em) => {
      expect(await errorOf(other.em().count(Book))).toMatchObject({
        code: 'DATA.UNAVAILABLE',
        retryable: true,
      });
      expect(await em.count(Book)).toBe(3);
    });
    expect(await other.em().count(Book)).toBe(3);
    await other.close();
  });

  it('and comes back is used again: a connection that died is replaced', async () => {
    const other = await open(() => undefined, { pool: { max: 1 } });
    const work = other.em().transactional(async (em) => {
      const [row] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      await library.rows('select pg_terminate_backend(?)', [row?.pid]);
      await em.count(Book);
    });
    expect(await errorOf(work)).toMatchObject({ code: 'DATA.UNAVAILABLE', retryable: true });
    expect(await other.em().count(Book)).toBe(3);
    await other.close();
  });
});

describe('errors that the ORM raises itself', () => {
  it('of a lost version are lost races, and do not print the entity', async () => {
    const em = library.em();
    const edition = await em.findOneOrFail(Edition, '1');
    await library.rows('update edition set version = 9 where id = 1');
    edition.print = 4711;
    const error = await errorOf(em.flush());
    expect(error).toMatchObject({ code: 'DATA.CONCURRENCY', status: 409, retryable: true });
    expect(error).toBeInstanceOf(OptimisticLockError);
    expect((error as unknown as OptimisticLockError).getEntity()).toBe(edition);
    expect([String(error), JSON.stringify(error), inspect(error, { depth: 5 })].join()).not.toContain('4711');
    const lock = await errorOf(
      library
        .em()
        .transactional(async (tx) => tx.lock(await tx.findOneOrFail(Edition, '1'), LockMode.OPTIMISTIC, 1)),
    );
    expect(lock).toMatchObject({ code: 'DATA.CONCURRENCY' });
  });

  it('of a missing property do not print the entity', async () => {
    const em = library.em();
    em.create(Book, { title: SECRET } as never);
    const error: unknown = await em.flush().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as Error).message).toBe("Value for Book.author is required, 'undefined' found");
    expect(
      [(error as Error).stack, JSON.stringify(error), inspect(error, { depth: 5 })].join(),
    ).not.toContain(SECRET);
  });

  it('of a missing row name the entity and have a code', async () => {
    const error = await errorOf(library.em().findOneOrFail(Author, { name: SECRET }));
    expect(error).toMatchObject({
      name: 'NotFoundError',
      code: 'DATA.NOT_FOUND',
      status: 404,
      entityName: 'Author',
    });
    expect(printed(error)).not.toContain(SECRET);
  });
});

describe('domain errors', () => {
  it('take code, status and message by the name of the constraint, and keep the class', async () => {
    const other = await openLibrary({
      url: library.url,
      domain: {
        constraints: {
          publisher_name_unique_active: {
            code: 'PUBLISHER_EXISTS',
            status: 422,
            message: 'Choose another name.',
          },
        },
        notFound: { Author: { code: 'AUTHOR_NOT_FOUND', status: 404, message: 'Check the id.' } },
      },
    });
    const error = await errorOf(other.em().execute(`insert into publisher (name) values ('Lark')`));
    expect(error).toMatchObject({
      code: 'PUBLISHER_EXISTS',
      status: 422,
      message: 'Choose another name.',
      sqlState: '23505',
    });
    expect(error).toBeInstanceOf(UniqueConstraintViolationException);
    expect(await errorOf(other.em().findOneOrFail(Author, '77'))).toMatchObject({ code: 'AUTHOR_NOT_FOUND' });
    await other.close();
  });
});

describe('refused values', () => {
  it('take the code of the module by their SQLSTATE, and nothing else does', async () => {
    const invalid = { '22003': 'VALIDATION', '42883': 'NEVER' };
    const other = await openLibrary({
      url: library.url,
      domain: { constraints: {}, notFound: {}, invalid },
    });
    const error = await errorOf(other.em().execute('select 100000 * 100000'));
    expect(error).toMatchObject({ code: 'VALIDATION', status: 400, sqlState: '22003' });
    expect(error.name).toBe('InvalidDataError');
    expect((await errorOf(other.em().execute('select 1 / 0'))).code).toBe('DATA.INVALID');
    expect((await errorOf(other.em().execute('select no_such_function()'))).code).toBe('DATA.QUERY');
    expect((await errorOf(library.em().execute('select 100000 * 100000'))).code).toBe('DATA.INVALID');
    await other.close();
  });

  it('have one code for all modules of an ORM', () => {
    const table = (code: string) => ({ constraints: {}, notFound: {}, invalid: { '22003': code } });
    expect(mergeDomainErrors([table('A'), table('A')]).invalid).toEqual({ '22003': 'A' });
    expect(() => mergeDomainErrors([table('A'), table('B')])).toThrow(/22003.*\(A, B\)/);
  });
});

describe('isDataError', () => {
  it('knows the errors of another copy of the package by their shape', async () => {
    const copy = (await import(`../../src/kit/errors/index.ts?copy=${Date.now()}`)) as {
      SoftDeletedRowError: typeof SoftDeletedRowError;
    };
    const foreign = new copy.SoftDeletedRowError('Book', ['1']);
    expect(isDataError(foreign, 'DATA.SOFT_DELETED_ROW')).toBe(true);
    expect(isDataError(foreign, 'DATA.CONFLICT')).toBe(false);
    const structural = Object.assign(new Error('from elsewhere'), {
      code: 'X',
      status: 400,
      retryable: false,
    });
    expect(isDataError(structural)).toBe(true);
  });

  it.each([
    [undefined],
    [null],
    ['DATA.CONFLICT'],
    [{ code: 'X', status: 400, retryable: false }],
    [new Error('x')],
  ])('does not take %p for one', (value) => {
    expect(isDataError(value)).toBe(false);
  });
});
