import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, isLive, isTrashed, type Live, type Trashed } from 'tombstone';
import { collectionProbes, dataloaderProbes } from './fixtures/collection-probes.ts';
import { kyselyProbes, run, select } from './fixtures/kysely-probes.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Award, Book, Copy, Loan, Publisher, Volume } from './fixtures/library-model.ts';
import { populateProbes } from './fixtures/populate-probes.ts';
import { titles } from './fixtures/probe.ts';
import { queryProbes } from './fixtures/query-probes.ts';
import { readProbes } from './fixtures/read-probes.ts';

type Scope = 'normal' | 'skipSoftDelete' | 'withDeleted' | 'onlyDeleted';
type Work<T> = (em: DataEntityManager) => Promise<T>;

const SOFT_TABLES =
  'publisher author book tag genre book_genre cover shelf copy series volume award medium edition'.split(' ');

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

/** Turns every mark over: what `onlyDeleted` showed before, normal code shows then. */
async function turnMarks(): Promise<void> {
  const flips = SOFT_TABLES.map(
    (table) => `update ${table} set deleted_at = case when deleted_at is null then now() end;`,
  );
  await library.rows(flips.join(''));
}

function inScope<T>(em: DataEntityManager, scope: Scope, work: Work<T>): Promise<T> {
  return scope === 'normal' ? work(em) : em[scope](work);
}

/** The answer, or the code of the refusal. */
const answerOf = (answer: Promise<unknown>) =>
  answer.catch((error: { code?: string; name: string }) => error.code ?? error.name);

const probes = [
  ...Object.values(readProbes).flat(),
  ...collectionProbes,
  ...dataloaderProbes,
  ...(['joined', 'select-in', 'balanced'] as const).flatMap((strategy) =>
    populateProbes(strategy).map((one) => ({ ...one, path: `${strategy}: ${one.path}` })),
  ),
  ...queryProbes,
  ...kyselyProbes.map((one) => ({ ...one, path: `Kysely: ${one.path}` })),
];

describe('every way to read', () => {
  it.each(probes)('$path: withDeleted shows what skipSoftDelete shows', async ({ read, all }) => {
    expect(await library.em().withDeleted(read)).toEqual(all);
  });

  it.each(probes.filter(({ path }) => path !== 'a condition on deletedAt'))(
    '$path: onlyDeleted shows what normal code shows when all marks are turned',
    async ({ read }) => {
      const dead = await answerOf(library.em().onlyDeleted(read));
      await turnMarks();
      expect(dead).toEqual(await answerOf(read(library.em())));
    },
  );

  it('differs in onlyDeleted from normal code and from all rows nearly everywhere, so the two above can fail', async () => {
    const same: string[] = [];
    for (const { path, read, live, all } of probes) {
      const dead = JSON.stringify(await answerOf(library.em().onlyDeleted(read)));
      if (dead === JSON.stringify(live) || dead === JSON.stringify(all)) same.push(path);
    }
    expect(same.length).toBeLessThan(probes.length / 4);
  });
});

/** Writes that would reach dead rows; each is tried on all of them at once. */
const writes: [string, Work<unknown>][] = [
  ['nativeUpdate', (em) => em.nativeUpdate(Volume, {}, { title: 'x' })],
  ['nativeUpdate by a relation', (em) => em.nativeUpdate(Book, { tags: { name: 'blue' } }, { title: 'x' })],
  ['nativeDelete', (em) => em.nativeDelete(Volume, {})],
  ['nativeDelete by a relation', (em) => em.nativeDelete(Copy, { book: { title: 'Beta' } })],
  ['qb.update', (em) => em.createQueryBuilder(Volume).update({ title: 'x' }).execute()],
  ['qb.delete', (em) => em.createQueryBuilder(Volume).delete().execute()],
  ['qb.truncate', (em) => em.createQueryBuilder(Volume).truncate().execute()],
  [
    'flush of a change',
    async (em) => {
      for (const book of await em.find(Book, {})) book.title = 'x';
      await em.flush();
    },
  ],
  [
    'flush of one change',
    async (em) => {
      em.getReference(Book, '2').title = 'x';
      await em.flush();
    },
  ],
  ['remove', async (em) => em.remove(await em.find(Award, {})).flush()],
  ['Kysely update', (em) => run(select(em.getKysely(), ['updateTable', 'volume'], ['set', { title: 'x' }]))],
  ['Kysely delete', (em) => run(select(em.getKysely(), ['deleteFrom', 'volume']))],
];

const dump = async (where: string) =>
  Promise.all(
    SOFT_TABLES.map((table) =>
      library.rows(`select t::text as row from ${table} t where ${where} order by 1`),
    ),
  );

describe.each(['withDeleted', 'onlyDeleted'] as const)('writes inside %s', (scope) => {
  it.each(writes)('%s changes no dead row and removes none', async (_, write) => {
    const [dead, count] = [await dump('deleted_at is not null'), (await dump('true')).flat().length];
    await answerOf(inScope(library.em(), scope, write));
    expect((await dump('true')).flat()).toHaveLength(count);
    for (const [index, rows] of dead.entries()) {
      expect((await dump('deleted_at is not null'))[index]).toEqual(expect.arrayContaining(rows));
    }
  });

  it('say what they refuse', async () => {
    const inside = (work: Work<unknown>) => inScope(library.em(), scope, work);
    const change = async (em: DataEntityManager) => {
      (await em.findOneOrFail(Book, '2')).title = 'x';
    };
    await expect(inside(change)).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2'] });
    await expect(inside(async (em) => em.createQueryBuilder(Volume).truncate())).rejects.toMatchObject({
      code: 'SOFT_DELETE.TRUNCATE',
    });
    await expect(inside((em) => run(select(em.getKysely(), ['deleteFrom', 'volume'])))).rejects.toMatchObject(
      { code: 'SOFT_DELETE.KYSELY' },
    );
    expect(await inside((em) => em.nativeUpdate(Volume, '2', { title: 'x' }))).toBe(0);
  });

  it('mark live rows and insert as in normal code', async () => {
    await inScope(library.em(), scope, async (em) => {
      await em.remove(em.getReference(Copy, '1')).flush();
      // A condition matches the rows that the scope shows, and these are not written in onlyDeleted.
      expect(await em.nativeDelete(Copy, '3')).toBe(scope === 'withDeleted' ? 1 : 0);
      em.create(Publisher, { name: 'Wren' });
    });
    expect(await library.stateOf('copy', 1)).toBe('dead');
    expect(await library.em().count(Publisher, { name: 'Wren' })).toBe(1);
  });

  it('keep the foreign keys of referrers', async () => {
    await inScope(library.em(), scope, async (em) => {
      const author = em.getReference(Author, '1');
      await em.find(Book, {}, { populate: ['author'] });
      await em.remove(author).flush();
    });
    expect(await library.rows('select author_id from book where id = 1')).toEqual([{ author_id: '1' }]);
  });
});

it('writes in skipSoftDelete do reach dead rows, so the guards above can fail', async () => {
  const dead = await dump('deleted_at is not null');
  const reached: string[] = [];
  for (const [name, write] of writes) {
    await library.em().skipSoftDelete(write);
    if (JSON.stringify(await dump('deleted_at is not null')) !== JSON.stringify(dead)) reached.push(name);
    await library.reset();
  }
  expect(reached).toEqual(writes.map(([name]) => name));
});

const EXPECTED: Record<Scope, [number, string]> = {
  normal: [3, 'Alpha Delta Gamma'],
  skipSoftDelete: [4, 'Alpha Beta Delta Gamma'],
  withDeleted: [4, 'Alpha Beta Delta Gamma'],
  onlyDeleted: [1, 'Beta'],
};
const SCOPES = Object.keys(EXPECTED) as Scope[];

describe('scopes of several kinds', () => {
  const tick = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 20));

  it('200 interleaved on one entity manager see each their own rows, through the identity map and dataloaders too', async () => {
    const em = library.em();
    const look: Work<unknown> = async (own) => {
      await tick();
      const count = await own.count(Book);
      await tick();
      const loans = await own.find(Loan, {}, { orderBy: { id: 'asc' } });
      await tick();
      const book = own.getReference(Book, '3', { wrapped: true });
      const loaded = await book.load({ dataloader: true });
      return [count, titles(await own.find(Book, {})), loans.length, loaded?.title ?? null];
    };
    const runs = Array.from({ length: 200 }, (_, index) => SCOPES[index % 4] as Scope);
    const results = await Promise.all(
      runs.map((scope) => inScope(scope === 'normal' ? em.fork() : em, scope, look)),
    );
    for (const [index, scope] of runs.entries()) {
      expect(results[index]).toEqual([...EXPECTED[scope], 2, scope === 'onlyDeleted' ? null : 'Gamma']);
    }
  });

  it.each(SCOPES.slice(1).flatMap((outer) => SCOPES.slice(1).map((inner) => [outer, inner] as const)))(
    '%s around %s: the inner one rules until it ends',
    async (outer, inner) => {
      const count: Work<number> = (em) => em.count(Book);
      const wrongScope = { code: 'SOFT_DELETE.WRONG_SCOPE' };
      await inScope(library.em(), outer, async (first) => {
        expect(await count(first)).toBe(EXPECTED[outer][0]);
        const late = await inScope(first, inner, async (second) => {
          expect(await count(second)).toBe(EXPECTED[inner][0]);
          await expect(count(first)).rejects.toMatchObject(wrongScope);
          return second;
        });
        await expect(count(late)).rejects.toMatchObject(wrongScope);
        expect(await count(first)).toBe(EXPECTED[outer][0]);
      });
    },
  );

  it('keep their cached answers apart, whether the key is named or computed', async () => {
    const ask: Work<unknown> = async (em) => [
      (await em.find(Book, {}, { cache: ['all books', 10_000] })).length,
      (await em.find(Book, { id: { $gt: '0' } }, { cache: 10_000 })).length,
    ];
    const askAll = async () => {
      for (const scope of SCOPES) {
        const [count] = EXPECTED[scope];
        expect(await inScope(library.em(), scope, ask)).toEqual([count, count]);
      }
    };
    await askAll();
    library.statements();
    await askAll();
    expect(library.statements()).toEqual([]);
    await library.em().clearCache('all books');
    await askAll();
    expect(library.statements()).toHaveLength(SCOPES.length);
  });

  it('are refused after their end: builder, Kysely, stream and reference alike', async () => {
    for (const scope of ['withDeleted', 'onlyDeleted'] as const) {
      const left = await inScope(library.em(), scope, async (em) => ({
        builder: em.createQueryBuilder(Book).select('*'),
        kysely: em.getKysely(),
        em,
      }));
      const wrongScope = { code: 'SOFT_DELETE.WRONG_SCOPE' };
      await expect(async () => left.builder.getResultList()).rejects.toMatchObject(wrongScope);
      await expect(async () =>
        run(select(left.kysely, ['selectFrom', 'book'], ['selectAll'])),
      ).rejects.toMatchObject(wrongScope);
      await expect(left.em.find(Book, {})).rejects.toMatchObject(wrongScope);
    }
  });
});

describe('restore', () => {
  it('takes what onlyDeleted shows, once', async () => {
    const repository = library.em().getRepository(Book);
    const [beta] = await library.em().onlyDeleted((trash) => trash.find(Book, { title: 'Beta' }));
    if (!beta) throw new Error('Beta is not in the trash');
    expect(beta.deletedAt).toBeInstanceOf(Date);
    expect([await repository.restore(beta), await repository.restore(beta)]).toEqual([true, false]);
    expect(await library.stateOf('book', 2)).toBe('live');
  });

  it('works inside the scope that found the row, and in its transaction', async () => {
    const work = library.em().transactional((tx) =>
      tx.onlyDeleted(async (trash) => {
        const beta = await trash.findOneOrFail(Book, { title: 'Beta' });
        expect(await trash.getRepository(Book).restore(beta)).toBe(true);
        expect(await trash.count(Book)).toBe(0);
        throw new Error('no');
      }),
    );
    await expect(work).rejects.toThrow('no');
    expect(await library.stateOf('book', 2)).toBe('dead');
  });

  it('takes the trashed half of what withDeleted shows', async () => {
    const all = await library.em().withDeleted((em) => em.find(Publisher, {}));
    const repository = library.em().getRepository(Publisher);
    expect(all.filter(isLive).map(({ name }) => name)).toEqual(['Lark']);
    const restored = await Promise.all(
      all.filter((one) => isTrashed(one)).map((one) => repository.restore(one)),
    );
    expect(restored).toEqual([true]);
  });

  it('does not take another entity: that is an error of the compiler', async () => {
    const repository = library.em().getRepository(Publisher);
    const live = await library.em().findOneOrFail(Publisher, '1');
    const marked = live as Live<Publisher>;
    // @ts-expect-error what normal code finds is not known to be deleted
    expect(await repository.restore(live)).toBe(false);
    // @ts-expect-error a live row cannot be restored
    expect(await repository.restore(marked)).toBe(false);
    // @ts-expect-error a deleted row is not a live one
    const wrong: Live<Publisher> = live as Trashed<Publisher>;
    expect(wrong).toBe(live);
    const plain: Trashed<{ id: string }> = { id: '1' };
    expect(plain.id).toBe('1');
  });
});
