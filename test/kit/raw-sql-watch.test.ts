import { sql } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, live, runPrepared } from 'tombstone';
import { formatSqlFindings, type SqlReport, softDeletableTables, watchSql } from 'tombstone/testing';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { collectionProbes } from './fixtures/collection-probes.ts';
import { deletions } from './fixtures/deletions.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Copy, Publisher } from './fixtures/library-model.ts';
import { run, select } from './fixtures/kysely-probes.ts';
import { populateProbes } from './fixtures/populate-probes.ts';
import { collect } from './fixtures/probe.ts';
import { queryProbes } from './fixtures/query-probes.ts';
import { readProbes } from './fixtures/read-probes.ts';

const SECRET = 'hunter2-4711';
const UNGUARDED = `select id from book where title <> '${SECRET}'`;

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ unwatched: true });
  await library.reset();
});
afterAll(() => library.close());

/** What a watch reports of this work alone. */
async function watching(
  work: (em: DataEntityManager) => Promise<unknown>,
  own = library,
): Promise<SqlReport> {
  const watch = watchSql(own.orm);
  await work(own.em());
  watch.close();
  return watch.report();
}

const named = ({ findings }: SqlReport) => findings.map(({ reason, alias }) => `${reason} ${alias}`);

/** Every way to PostgreSQL, with a statement that forgets the predicate. */
const ways: Record<string, (em: DataEntityManager) => Promise<unknown>> = {
  'em.execute': (em) => em.execute(UNGUARDED),
  'em.execute in a transaction': (em) => em.transactional((tx) => tx.execute(UNGUARDED)),
  'connection.execute': (em) => em.getConnection().execute(UNGUARDED),
  'a read replica': (em) => em.getConnection('read').execute(UNGUARDED),
  'a fragment in the query builder': (em) =>
    em
      .createQueryBuilder(Author, 'a')
      .where(sql`exists (select from book where title <> ${SECRET})`)
      .execute(),
  'Kysely, raw': (em) => {
    const query = { sql: UNGUARDED, parameters: [], query: { kind: 'RawNode' } };
    return em.getKysely().executeQuery(query as never);
  },
  'a prepared statement': (em) =>
    runPrepared(em, { name: 'watched', text: 'select id from book where title <> $1' }, [SECRET]),
  'a prepared statement in a transaction': (em) =>
    em.transactional((tx) =>
      runPrepared(tx, { name: 'watched', text: 'select id from book where title <> $1' }, [SECRET]),
    ),
  'a stream': (em) => collect(em.getConnection().stream(UNGUARDED)),
  'the native pool': async (em) => {
    const connection = em.getConnection() as unknown as {
      getNativeClient(): Promise<{ query(text: string): Promise<unknown> }>;
    };
    return (await connection.getNativeClient()).query(UNGUARDED);
  },
};

describe('watchSql', () => {
  it.each(Object.entries(ways))('sees a statement of %s, without its values', async (_, send) => {
    const report = await watching(send);
    expect(named(report)).toEqual(['read book']);
    const [finding] = report.findings;
    expect(finding?.table).toBe('book');
    expect(finding?.statement.slice(finding.position)).toMatch(/^book where title/);
    expect(JSON.stringify(report)).not.toContain(SECRET);
    expect(formatSqlFindings(report.findings)).toContain('book is read without a predicate');
  });

  it('sees the same of a connection to a replica', async () => {
    const replicas = [{ name: 'replica', clientUrl: library.url }];
    const own = await openLibrary({ url: library.url, replicas, unwatched: true });
    const report = await watching((em) => em.getConnection('read').execute(UNGUARDED), own);
    expect(named(report)).toEqual(['read book']);
    await own.close();
  });

  it('counts what runs in a scope, and does not judge it', async () => {
    const report = await watching(async (em) => {
      await em.skipSoftDelete((all) => all.execute(UNGUARDED));
      await em.withDeleted((all) => all.execute(UNGUARDED));
      await em.onlyDeleted((dead) => runPrepared(dead, { name: 'in_scope', text: UNGUARDED }, []));
    });
    expect(report).toEqual({
      judged: 0,
      inScopes: { skipSoftDelete: 1, withDeleted: 1, onlyDeleted: 1 },
      findings: [],
    });
  });

  it('tells apart who has sent what when all connections are taken', async () => {
    const own = await openLibrary({ url: library.url, pool: { min: 0, max: 1 }, unwatched: true });
    // A first connection brings statements of its own.
    await own.em().execute('select 1');
    const statement = (name: string) => ({ name, text: `select id, '${name}' from book` });
    const report = await watching(async (em) => {
      const scoped = em.skipSoftDelete(async (all) => {
        await Promise.all([1, 2, 3, 4].map((n) => runPrepared(all, statement(`scoped_${n}`), [])));
      });
      const normal = [1, 2, 3].map((n) => runPrepared(em.fork(), statement(`normal_${n}`), []));
      await Promise.all([scoped, ...normal]);
    }, own);
    expect(report.inScopes.skipSoftDelete).toBe(4);
    expect(named(report)).toEqual(['read book']);
    await own.close();
  });

  it('names each finding once, however often and with whatever values its statement ran', async () => {
    const report = await watching(async (em) => {
      for (const ids of [[1], [2, 3], [4, 5, 6]])
        await em.execute(sql`select * from book where id in (${ids})`);
    });
    expect(report.judged).toBe(1);
    expect(report.findings.map(({ statement }) => statement)).toEqual(['select * from book where id in (0)']);
  });

  it('says of a text that it cannot read no more than how it begins', async () => {
    const report = await watching((em) => em.execute(`select ${SECRET} from 'book`).catch(() => undefined));
    expect(report.findings).toEqual([
      { table: '', alias: '', reason: 'unreadable', position: 0, statement: 'select …' },
    ]);
    expect(formatSqlFindings(report.findings)).not.toContain('hunter2');
  });

  it('ends with close, and leaves what it has found', async () => {
    const watch = watchSql(library.orm);
    await library.em().execute(UNGUARDED);
    watch.close();
    await library.em().execute('select id from author');
    expect(named(await watch.report())).toEqual(['read book']);
    expect(named(await watch.report())).toEqual(['read book']);
  });

  it('accepts live(…), and a waiver with a reason', async () => {
    const report = await watching(async (em) => {
      await em.execute(sql`select id from book b where ${live(Book, 'b')}`);
      await em.execute('select count(*) from book /* soft-delete: all rows, because the test counts them */');
    });
    expect(report).toMatchObject({ judged: 2, findings: [] });
  });

  it('knows the table of each soft-deletable entity once', () => {
    const tables = softDeletableTables(library.orm).map(({ table }) => table);
    expect(tables).toEqual([...new Set(tables)]);
    expect(tables).toEqual(expect.arrayContaining(['book', 'medium', 'book_genre']));
    expect(tables).not.toContain('loan');
  });
});

describe("the ORM's own statements", () => {
  const work = async (em: () => DataEntityManager) => {
    const probes = [...Object.values(readProbes).flat(), ...collectionProbes, ...queryProbes];
    const populated = (['joined', 'select-in', 'balanced'] as const).flatMap(populateProbes);
    for (const { read } of [...probes, ...populated]) await read(em());
    for (const { run: remove } of deletions) {
      await library.reset();
      await remove(em());
    }
    await library.reset();
    await em().upsert(Publisher, { id: '1', name: 'Lark', address: null });
    await em().nativeUpdate(Book, { author: { name: 'Ada' } }, { title: 'x' });
    const books = await em().find(Book, {});
    for (const book of books) book.title += '!';
    await em().flush();
    await run(select(em().getKysely(), ['selectFrom', 'copy'], ['selectAll']));
    await library.reset();
  };

  it('have no finding, and have many without the guard', async () => {
    expect(formatSqlFindings((await watching(() => work(library.em))).findings)).toBe('');

    const open = await openLibrary({ url: library.url, withoutFilter: true });
    const { guard } = GuardedQueryBuilder.prototype as unknown as { guard: () => void };
    Object.assign(GuardedQueryBuilder.prototype, { guard: () => undefined });
    try {
      const report = await watching(async (em) => {
        await em.find(Book, {}, { populate: ['author', 'copies'], strategy: 'joined' });
        await em.count(Copy);
        await em.nativeUpdate(Author, '1', { name: 'Ada' });
      }, open);
      expect(named(report).toSorted()).toEqual(
        ['read a1', 'read b0', 'read c0', 'read c2', 'read c3', 'update author'].toSorted(),
      );
    } finally {
      Object.assign(GuardedQueryBuilder.prototype, { guard });
    }
    await open.close();
  });
});
