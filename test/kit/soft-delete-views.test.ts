import { raw } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { run, select } from './fixtures/kysely-probes.ts';
import { type Kinds, openKinds } from './fixtures/kinds.ts';
import { Gallery, MarkedTitle, PhotoCount, RawTitle, Screening, Title } from './fixtures/kinds-model.ts';

let kinds: Kinds;
beforeAll(async () => {
  kinds = await openKinds();
});
afterAll(() => kinds.close());

// Photo 2 and clip 2 are dead; so is the poster of clip 3.
beforeEach(() =>
  kinds.rows(`
    truncate photo, clip, remark restart identity;
    insert into photo (title, deleted_at) values ('sea', null), ('old sea', now());
    insert into clip (title, poster_id, deleted_at) values ('walk', 1, null), ('old walk', 1, now()), ('run', 2, null);
    insert into remark (text, subject_type, subject_id, deleted_at) values
      ('of sea', 'photo', 1, null), ('of old sea', 'photo', 2, null), ('gone', 'photo', 1, now());
    refresh materialized view gallery;`),
);

type Titled = { title: string };
const titles = (rows: readonly Titled[]) => rows.map(({ title }) => title).toSorted();

/** What a read shows in normal code and in each scope. */
async function inScopes(read: (em: DataEntityManager) => Promise<readonly Titled[]>) {
  const em = kinds.em();
  return {
    normal: titles(await read(kinds.em())),
    withDeleted: titles(await em.withDeleted(read)),
    onlyDeleted: titles(await em.onlyDeleted(read)),
    skipSoftDelete: titles(await em.skipSoftDelete(read)),
  };
}

const shown = (live: string[], dead: string[]) => {
  const all = [...live, ...dead].toSorted();
  return { normal: live, withDeleted: all, onlyDeleted: dead, skipSoftDelete: all };
};

describe('a registered view', () => {
  it.each([
    ['find', (em: DataEntityManager) => em.find(Screening, {})],
    ['a query builder', (em: DataEntityManager) => em.createQueryBuilder(Screening).getResultList()],
    [
      'Kysely',
      async (em: DataEntityManager) =>
        (await run(select(em.getKysely(), ['selectFrom', 'screening'], ['selectAll']))) as Titled[],
    ],
  ] as const)('hides deleted rows as a table does, %s', async (_name, read) => {
    expect(await inScopes(read)).toEqual(shown(['run', 'walk'], ['old walk']));
  });

  it('hides them when it is materialised', async () => {
    expect(await inScopes((em) => em.find(Gallery, {}))).toEqual(shown(['sea'], ['old sea']));
  });

  it('shows null for a dead row that it refers to', async () => {
    const read = (em: DataEntityManager) =>
      em.find(Screening, {}, { populate: ['poster'], orderBy: { id: 1 }, strategy: 'joined' });
    const posters = (rows: Screening[]) => rows.map(({ poster }) => (poster as Titled | null)?.title);
    expect(posters(await read(kinds.em()))).toEqual(['sea', undefined]);
    expect(await kinds.em().skipSoftDelete(async (em) => posters(await read(em)))).toEqual([
      'sea',
      'sea',
      'old sea',
    ]);
  });

  const WRITES: Record<string, (em: DataEntityManager) => Promise<unknown>> = {
    nativeUpdate: (em) => em.nativeUpdate(Screening, { id: '1' }, { title: 'x' }),
    'nativeUpdate by a relation': (em) =>
      em.nativeUpdate(Screening, { poster: { title: 'sea' } }, { title: 'x' }),
    nativeDelete: (em) => em.nativeDelete(Screening, { id: '1' }),
    remove: async (em) => {
      em.remove(await em.findOneOrFail(Screening, '1'));
      await em.flush();
    },
    insert: (em) => em.insert(Screening, { title: 'x', poster: '1' }),
    insertMany: (em) =>
      em.insertMany(Screening, [
        { title: 'x', poster: '1' },
        { title: 'y', poster: '1' },
      ]),
    upsert: (em) => em.upsert(Screening, { id: '1', title: 'x', poster: '1' }),
    upsertMany: (em) => em.upsertMany(Screening, [{ id: '1', title: 'x', poster: '1' }]),
    'query builder update': (em) =>
      em
        .createQueryBuilder(Screening)
        .update({ title: raw(`'x'`) })
        .execute(),
    'query builder delete': (em) => em.createQueryBuilder(Screening).delete().execute(),
    'softDelete by key': (em) => em.getRepository(Screening).softDelete('1'),
    'restore by key': (em) => em.getRepository(Screening).restoreByKey('2'),
    'hardDelete by key': (em) => em.getRepository(Screening).hardDelete('1'),
  };

  it.each(Object.entries(WRITES))('refuses %s, in every scope', async (_name, write) => {
    const refused = { code: 'SOFT_DELETE.VIEW', message: expect.stringContaining('Screening') };
    const before = await kinds.rows('select * from clip order by id');
    await expect(write(kinds.em())).rejects.toMatchObject(refused);
    await expect(kinds.em().skipSoftDelete(write)).rejects.toMatchObject(refused);
    expect(await kinds.rows('select * from clip order by id')).toEqual(before);
  });

  it.each([
    ['insert', ['insertInto', 'screening'], ['values', { id: 9, title: 'x', poster_id: 1 }]],
    ['update', ['updateTable', 'screening'], ['set', { title: 'x' }]],
  ] as const)('refuses an %s of Kysely', async (_name, ...steps) => {
    const write = () => run(select(kinds.em().getKysely(), ...(steps as never as [['selectFrom', string]])));
    await expect(write()).rejects.toMatchObject({ code: 'SOFT_DELETE.VIEW' });
  });

  it('could be written through if it were not refused', async () => {
    await kinds.rows(`update screening set title = 'x' where id = 1`);
    expect(await kinds.rows('select title from clip where id = 1')).toEqual([{ title: 'x' }]);
  });
});

describe('a view that is not registered', () => {
  it('shows what its SQL says', async () => {
    expect((await kinds.em().find(PhotoCount, {})).map(({ total }) => total)).toEqual([2]);
  });
});

describe('a virtual entity', () => {
  it('made by a query builder hides deleted rows, of joined tables too', async () => {
    expect(await inScopes((em) => em.find(Title, {}))).toEqual({
      normal: ['sea'],
      withDeleted: ['old sea', 'sea', 'sea'],
      onlyDeleted: [],
      skipSoftDelete: ['old sea', 'sea', 'sea'],
    });
  });

  it('hides them from count, streams and query builders', async () => {
    const counts = async (em: DataEntityManager) => {
      const streamed: unknown[] = [];
      for await (const row of em.stream(Title)) streamed.push(row);
      const built = await em.createQueryBuilder(Title).select('*').execute<unknown[]>('all');
      return [await em.count(Title), streamed.length, built.length];
    };
    expect(await counts(kinds.em())).toEqual([1, 1, 1]);
    expect(await kinds.em().skipSoftDelete(counts)).toEqual([3, 3, 3]);
  });

  it('made by SQL shows what its SQL says', async () => {
    expect(titles(await kinds.em().find(RawTitle, {}))).toEqual(['old sea', 'sea']);
  });

  it('that is registered hides deleted rows, whatever made it', async () => {
    expect(await inScopes((em) => em.find(MarkedTitle, {}))).toEqual(shown(['sea'], ['old sea']));
    expect(await kinds.em().count(MarkedTitle)).toBe(1);
  });
});
