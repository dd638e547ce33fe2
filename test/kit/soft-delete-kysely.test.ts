import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { kyselyProbes, run, select } from './fixtures/kysely-probes.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Book, Copy } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

describe('em.getKysely, reading', () => {
  it.each(kyselyProbes)(
    '$path: dead rows are there inside skipSoftDelete only',
    async ({ read, live, all }) => {
      expect(live).not.toEqual(all);
      expect(await library.em().skipSoftDelete(read)).toEqual(all);
      expect(await read(library.em())).toEqual(live);
    },
  );

  it('hides a row from a reader that waited for its lock', async () => {
    let reader: Promise<object[]> | undefined;
    await library.em().transactional(async (em) => {
      await em.nativeDelete(Copy, '1');
      reader = run(
        select(
          library.em().getKysely(),
          ['selectFrom', 'copy'],
          ['selectAll'],
          ['where', 'id', '=', 1],
          ['forUpdate'],
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 60));
    });
    expect(await reader).toEqual([]);
  });

  it('joins the transaction, and costs no join: the plan of a guarded read is that of the condition by hand', async () => {
    await library.em().transactional(async (em) => {
      await em.nativeUpdate(Book, '1', { title: 'Omega' });
      const query = select(
        em.getKysely(),
        ['selectFrom', 'book'],
        ['select', 'title'],
        ['where', 'id', '=', 1],
      );
      expect(await run(query)).toEqual([{ title: 'Omega' }]);
      const plan = (await (query as { explain(): Promise<object[]> }).explain()).map(
        (row) => Object.values(row)[0] as string,
      );
      const byHand = await em.execute<Record<string, string>[]>(
        'explain select title from book where id = 1 and deleted_at is null',
      );
      const shape = (lines: string[]) =>
        lines.map((line) => line.replace(/\(cost.*|'1'::bigint|1/g, '').trim());
      expect(shape(plan)).toEqual(shape(byHand.map((row) => String(row['QUERY PLAN']))));
    });
  });
});

describe('em.getKysely, writing', () => {
  const updated = async (em: DataEntityManager, ...steps: Parameters<typeof select>[1][]) => {
    const [result] = (await run(select(em.getKysely(), ...steps))) as { numUpdatedRows?: bigint }[];
    return Number(result?.numUpdatedRows);
  };

  it.each<[string, Parameters<typeof select>[1][], number, number]>([
    [
      'all rows',
      [
        ['updateTable', 'volume'],
        ['set', { title: 'x' }],
      ],
      2,
      3,
    ],
    [
      'with an alias',
      [
        ['updateTable', 'volume as v'],
        ['set', { title: 'x' }],
        ['where', 'v.id', '<', 3],
      ],
      1,
      2,
    ],
    [
      'from another table',
      [
        ['updateTable', 'book'],
        ['from', 'author as a'],
        ['set', { title: 'x' }],
        ['whereRef', 'a.id', '=', 'book.author_id'],
      ],
      2,
      4,
    ],
  ])('updates live rows only: %s', async (_, steps, live, all) => {
    expect(await updated(library.em(), ...steps)).toBe(live);
    await library.reset();
    expect(await library.em().skipSoftDelete((em) => updated(em, ...steps))).toBe(all);
  });

  it('leaves a dead row alone in an upsert', async () => {
    const upsert = (em: DataEntityManager) =>
      run(
        select(
          em.getKysely(),
          ['insertInto', 'publisher'],
          ['values', [{ id: 2, name: 'x' }]],
          [
            'onConflict',
            (conflict: unknown) => select(conflict, ['column', 'id'], ['doUpdateSet', { name: 'y' }]),
          ],
        ),
      );
    await upsert(library.em());
    expect(await library.rows('select name from publisher where id = 2')).toEqual([{ name: 'Rook' }]);
    await library.em().skipSoftDelete(upsert);
    expect(await library.rows('select name from publisher where id = 2')).toEqual([{ name: 'y' }]);
  });

  it('refuses a delete and a merge with the verb to use, also inside a common table expression', async () => {
    const refused = { code: 'SOFT_DELETE.KYSELY', message: expect.stringContaining('em.nativeDelete') };
    const remove = (k: unknown) => select(k, ['deleteFrom', 'volume']);
    await expect(async () => run(remove(library.em().getKysely()))).rejects.toMatchObject(refused);
    await expect(async () =>
      run(
        select(
          library.em().getKysely(),
          ['with', 'gone', (k: unknown) => select(k, ['deleteFrom', 'volume'], ['returning', 'id'])],
          ['selectFrom', 'gone'],
          ['selectAll'],
        ),
      ),
    ).rejects.toMatchObject(refused);
    await expect(async () =>
      run(
        select(
          library.em().getKysely(),
          ['mergeInto', 'volume as v'],
          ['using', 'series as s', 's.id', 'v.series_id'],
          ['whenMatched'],
          ['thenDelete'],
        ),
      ),
    ).rejects.toMatchObject(refused);
    expect(await library.rows('select 1 from volume')).toHaveLength(3);
    await library.em().skipSoftDelete((em) => run(remove(em.getKysely())));
    expect(await library.rows('select 1 from volume')).toHaveLength(0);
  });

  it('deletes rows of a table that is not soft-deletable, by live rows of one that is', async () => {
    const steps: Parameters<typeof select>[1][] = [
      ['deleteFrom', 'loan'],
      ['using', 'book'],
      ['whereRef', 'book.id', '=', 'loan.book_id_id'],
    ];
    await run(select(library.em().getKysely(), ...steps));
    expect(await library.rows('select id from loan')).toEqual([{ id: '2' }]);
    await library.em().skipSoftDelete((em) => run(select(em.getKysely(), ...steps)));
    expect(await library.rows('select id from loan')).toEqual([]);
  });

  it('belongs to the scope that it was made in', async () => {
    const wrongScope = { code: 'SOFT_DELETE.WRONG_SCOPE' };
    const read = (k: unknown) => run(select(k, ['selectFrom', 'book'], ['selectAll']));
    const outer = library.em().getKysely();
    const inner = await library.em().skipSoftDelete(async (em) => {
      await expect(async () => read(outer)).rejects.toMatchObject(wrongScope);
      expect(await read(em.getKysely())).toHaveLength(4);
      return em.getKysely();
    });
    await expect(async () => read(inner)).rejects.toMatchObject(wrongScope);
    expect(await read(outer)).toHaveLength(3);
  });
});
