import { IsolationLevel, OptimisticLockError, raw } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, SoftDeletedRowError } from 'tombstone';
import { type Library, openLibrary } from './fixtures/library.ts';
import {
  Author,
  Award,
  Book,
  Copy,
  Edition,
  Publisher,
  Recording,
  Series,
  Shelf,
  Volume,
} from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

const refused = (entityName: string, keys: string[]) => ({
  name: 'SoftDeletedRowError',
  code: 'DATA.SOFT_DELETED_ROW',
  entityName,
  keys,
});
const pause = () => new Promise((resolve) => setTimeout(resolve, 60));

/** Updates of many rows: `live` rows are counted in normal code, `all` inside `skipSoftDelete`. */
const bulk: { path: string; live: number; all: number; run: (em: DataEntityManager) => Promise<number> }[] = [
  { path: 'nativeUpdate', live: 2, all: 3, run: (em) => em.nativeUpdate(Volume, {}, { title: 'x' }) },
  { path: 'nativeUpdate by key', live: 0, all: 1, run: (em) => em.nativeUpdate(Volume, '2', { title: 'x' }) },
  {
    path: 'nativeUpdate by a to-one relation',
    live: 0,
    all: 1,
    run: (em) => em.nativeUpdate(Book, { author: { name: 'Bob' } }, { title: 'x' }),
  },
  {
    path: 'nativeUpdate by a to-many relation',
    live: 0,
    all: 1,
    run: (em) => em.nativeUpdate(Author, { books: { title: 'Beta' } }, { name: 'x' }),
  },
  {
    path: 'nativeUpdate by $some',
    live: 0,
    all: 1,
    run: (em) => em.nativeUpdate(Author, { books: { $some: { title: 'Beta' } } }, { name: 'x' }),
  },
  {
    path: 'nativeUpdate by m:n',
    live: 0,
    all: 2,
    run: (em) => em.nativeUpdate(Book, { tags: { name: 'blue' } }, { title: 'x' }),
  },
  {
    path: 'nativeUpdate of a dead row by a live relation',
    live: 2,
    all: 3,
    run: (em) => em.nativeUpdate(Volume, { series: { name: 'Saga' } }, { title: 'x' }),
  },
  {
    path: 'nativeUpdate of an STI child',
    live: 1,
    all: 2,
    run: (em) => em.nativeUpdate(Recording, {}, { minutes: 9 }),
  },
  {
    path: 'qb.update',
    live: 2,
    all: 3,
    run: async (em) => (await em.createQueryBuilder(Volume).update({ title: 'x' }).execute()).affectedRows,
  },
  {
    path: 'qb.update by a relation',
    live: 2,
    all: 3,
    run: async (em) =>
      (
        await em
          .createQueryBuilder(Award)
          .update({ name: 'x' })
          .where({ series: { name: 'Saga' } })
          .execute()
      ).affectedRows,
  },
];

describe.each(bulk)('$path', ({ run, live, all }) => {
  it('changes and counts live rows only; all inside skipSoftDelete', async () => {
    const dead = () =>
      library.rows('select * from volume where id = 2 union all select * from volume where id = -1');
    const before = await dead();
    expect(await run(library.em())).toBe(live);
    expect(await dead()).toEqual(before);
    await library.reset();
    expect(await library.em().skipSoftDelete(run)).toBe(all);
  });
});

/** Changes of entities whose rows another session has deleted since. */
const changes: {
  path: string;
  entity: string;
  keys: string[];
  table: string;
  change: (em: DataEntityManager) => Promise<unknown>;
}[] = [
  {
    path: 'one entity',
    entity: 'Copy',
    keys: ['1'],
    table: 'copy',
    change: async (em) => Object.assign(await em.findOneOrFail(Copy, '1'), { note: 'x' }),
  },
  {
    path: 'a reference that was never loaded',
    entity: 'Copy',
    keys: ['1'],
    table: 'copy',
    change: async (em) => Object.assign(em.getReference(Copy, '1'), { note: 'x' }),
  },
  {
    path: 'a raw value',
    entity: 'Copy',
    keys: ['1'],
    table: 'copy',
    change: async (em) => Object.assign(await em.findOneOrFail(Copy, '1'), { note: raw(`note || 'x'`) }),
  },
  {
    path: 'some of a batch',
    entity: 'Copy',
    keys: ['1', '3'],
    table: 'copy',
    change: async (em) => (await em.find(Copy, {})).forEach((copy) => (copy.note += 'x')),
  },
  {
    path: 'some of a batch of raw values',
    entity: 'Copy',
    keys: ['1', '3'],
    table: 'copy',
    change: async (em) =>
      (await em.find(Copy, {})).forEach((copy) => Object.assign(copy, { note: raw(`note || 'x'`) })),
  },
  {
    path: 'some of a batch with different properties',
    entity: 'Book',
    keys: ['1', '3'],
    table: 'book',
    change: async (em) =>
      (await em.find(Book, {}, { orderBy: { id: 'asc' } })).forEach((book, index) =>
        Object.assign(book, index === 1 ? { summary: 'x' } : { title: 'x' }),
      ),
  },
  {
    path: 'an STI child',
    entity: 'Recording',
    keys: ['1'],
    table: 'medium',
    change: async (em) => Object.assign(await em.findOneOrFail(Recording, '1'), { minutes: 9 }),
  },
];

describe.each(changes)('a flush that changes $path', ({ entity, keys, table, change }) => {
  it('of a row deleted meanwhile throws with its keys and writes nothing at all', async () => {
    const em = library.em();
    await change(em);
    Object.assign(await em.findOneOrFail(Series, '1'), { name: 'Changed' });
    await library.rows(`update ${table} set deleted_at = now() where id in (${keys.join()})`);
    const before = await library.rows(`select * from ${table} order by id`);
    await expect(em.flush()).rejects.toMatchObject(refused(entity, keys));
    expect(await library.rows(`select * from ${table} order by id`)).toEqual(before);
    expect(await library.rows('select name from series where id = 1')).toEqual([{ name: 'Saga' }]);
  });

  it('is written when the rows are live, and inside skipSoftDelete when they are dead', async () => {
    const before = await library.rows(`select * from ${table} where id in (${keys.join()})`);
    const em = library.em();
    await change(em);
    await em.flush();
    expect(await library.rows(`select * from ${table} where id in (${keys.join()})`)).not.toEqual(before);
    await library.reset();
    await library.em().skipSoftDelete(async (all) => {
      await change(all);
      await library.rows(`update ${table} set deleted_at = now() where id in (${keys.join()})`);
    });
    const changed = await library.rows(`select * from ${table} where id in (${keys.join()})`);
    expect(
      changed.every((row) => JSON.stringify(row).includes('x') || JSON.stringify(row).includes('9')),
    ).toBe(true);
  });
});

describe('a flush', () => {
  it('of a composite key names both parts, one row or several', async () => {
    const em = library.em();
    await library.rows(`insert into shelf (room, number, label) values ('B', 1, 'x'), ('B', 2, 'y')`);
    const shelves = await em.find(Shelf, {}, { orderBy: { room: 'asc', number: 'asc' } });
    await library.rows(`update shelf set deleted_at = now() where number = 1`);
    for (const shelf of shelves) shelf.label += '!';
    await expect(em.flush()).rejects.toMatchObject(refused('Shelf', ['A, 1', 'B, 1']));
    const single = library.em();
    single.getReference(Shelf, ['A', 1]).label = 'z';
    await expect(single.flush()).rejects.toMatchObject(refused('Shelf', ['A, 1']));
  });

  it('of a row that is really gone throws, too', async () => {
    const em = library.em();
    const copy = await em.findOneOrFail(Copy, '3');
    await library.rows('delete from copy where id = 3');
    copy.note = 'x';
    await expect(em.flush()).rejects.toBeInstanceOf(SoftDeletedRowError);
  });

  it('of versioned rows reports a lost version, one row or several', async () => {
    const em = library.em();
    const [one, three] = await em.find(Edition, {}, { orderBy: { id: 'asc' } });
    await library.rows('update edition set deleted_at = now() where id = 1');
    Object.assign(one as Edition, { print: 7 });
    await expect(em.flush()).rejects.toBeInstanceOf(OptimisticLockError);
    Object.assign(three as Edition, { print: 7 });
    await expect(em.flush()).rejects.toBeInstanceOf(OptimisticLockError);
    expect(await library.rows('select print from edition where print <> 1')).toEqual([]);
    em.clear();
    for (const edition of await em.find(Edition, {})) edition.print = 8;
    await em.flush();
    expect(await library.rows('select version from edition where id = 3')).toEqual([{ version: 2 }]);
  });

  it('that failed writes the other changes once the dead entity has been dropped', async () => {
    const em = library.em();
    const copies = await em.find(Copy, {}, { orderBy: { id: 'asc' } });
    await library.em().nativeDelete(Copy, '1');
    for (const copy of copies) copy.note += '!';
    const error: unknown = await em.flush().catch((reason: unknown) => reason);
    const keys = error instanceof SoftDeletedRowError ? error.keys : [];
    for (const copy of copies.filter(({ id }) => keys.includes(id))) em.getUnitOfWork().unsetIdentity(copy);
    await em.flush();
    expect(await library.rows('select note from copy order by id')).toEqual(
      ['new', 'torn', 'worn!', 'lost!'].map((note) => ({ note })),
    );
  });

  it('waits for a delete that is under way, and then throws', async () => {
    const em = library.em();
    const copy = await em.findOneOrFail(Copy, '1');
    copy.note = 'x';
    let flush: Promise<unknown> | undefined;
    await library.em().transactional(async (other) => {
      await other.nativeDelete(Copy, '1');
      flush = em.flush().catch((reason: unknown) => reason);
      await pause();
    });
    expect(await flush).toMatchObject(refused('Copy', ['1']));
  });

  it('at REPEATABLE READ loses against a delete as against any concurrent change', async () => {
    const work = library.em().transactional(
      async (em) => {
        const copy = await em.findOneOrFail(Copy, '1');
        await library.em().nativeDelete(Copy, '1');
        copy.note = 'x';
      },
      { isolationLevel: IsolationLevel.REPEATABLE_READ },
    );
    await expect(work).rejects.toMatchObject({
      code: 'DATA.CONCURRENCY',
      sqlState: '40001',
      retryable: true,
    });
  });

  it('may change the links of a dead owner, and insert below a dead parent: no foreign key forbids it', async () => {
    const em = library.em();
    em.create(Volume, { title: 'V', series: em.getReference(Series, '2') });
    await em.flush();
    expect(await em.count(Volume, { title: 'V' })).toBe(1);
    expect(await em.count(Volume, { title: 'V', series: { name: { $ne: null } } })).toBe(0);
  });
});

describe('em.clone', () => {
  it('of a dead row throws and inserts nothing; of a live one inserts', async () => {
    const em = library.em();
    await expect(em.clone(em.getReference(Award, '2'))).rejects.toMatchObject(refused('Award', ['2']));
    expect(await library.rows('select 1 from award')).toHaveLength(3);
    const copy = await em.clone(await em.findOneOrFail(Award, '1'));
    expect(copy.id).not.toBe('1');
    await library.em().skipSoftDelete(async (all) => all.clone(await all.findOneOrFail(Award, '2')));
    expect(await library.rows('select 1 from award')).toHaveLength(5);
  });
});

describe('upsert', () => {
  const dead = () => library.rows('select * from publisher where id = 2');

  it('by the key of a dead row throws and changes nothing; inside skipSoftDelete it writes', async () => {
    const before = await dead();
    const data = { id: '2', name: 'Raven' };
    await expect(library.em().upsert(Publisher, data)).rejects.toMatchObject(refused('Publisher', ['2']));
    await expect(library.em().upsertMany(Publisher, [{ id: '1', name: 'Wren' }, data])).rejects.toMatchObject(
      refused('Publisher', ['2']),
    );
    expect(await dead()).toEqual(before);
    expect(await library.rows('select name from publisher where id = 1')).toEqual([{ name: 'Lark' }]);
    await library.em().skipSoftDelete((em) => em.upsert(Publisher, data));
    expect(await dead()).not.toEqual(before);
  });

  it('by key inserts a new row and updates a live one', async () => {
    const em = library.em();
    await em.upsert(Publisher, { id: '1', name: 'Wren' });
    await em.upsertMany(Publisher, [
      { id: '1', name: 'Crow' },
      { id: '7', name: 'Jay' },
    ]);
    expect(await library.rows('select id, name from publisher where deleted_at is null order by id')).toEqual(
      [
        { id: '1', name: 'Crow' },
        { id: '7', name: 'Jay' },
      ],
    );
  });

  it('by a natural key with a partial unique index', async () => {
    const em = library.em();
    const onConflictFields = raw('("name") where "deleted_at" is null');
    const lark = await em.upsert(
      Publisher,
      { name: 'Lark', address: { city: 'Rome' } },
      { onConflictFields },
    );
    expect(lark.id).toBe('1');
    const rook = await em.upsert(Publisher, { name: 'Rook' }, { onConflictFields });
    expect(Number(rook.id)).toBeGreaterThan(100);
    expect(await library.rows(`select id, address_city as city from publisher where name = 'Lark'`)).toEqual([
      { id: '1', city: 'Rome' },
    ]);
  });

  it('that ignores conflicts throws when the conflict is with a dead row, and reads a live one', async () => {
    const before = await dead();
    const data = { id: '2', name: 'Raven' };
    const ignoring = library.em().upsert(Publisher, data, { onConflictAction: 'ignore' });
    await expect(ignoring).rejects.toMatchObject(refused('Publisher', ['2']));
    expect(await dead()).toEqual(before);
    const lark = await library
      .em()
      .upsert(Publisher, { id: '1', name: 'Wren' }, { onConflictAction: 'ignore' });
    expect(lark.name).toBe('Lark');
  });
});
