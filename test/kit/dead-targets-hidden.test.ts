import { LockMode, raw } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { run, select } from './fixtures/kysely-probes.ts';
import { type Museum, openMuseum } from './fixtures/museum.ts';
import { Artwork, Exhibit, Frame, Label, Painting, Permit, Person, Tour } from './fixtures/museum-model.ts';

// Exhibit 8 is shown, exhibit 9 is hidden: its owner is dead. Everything that leads to the one leads to the other.
const WORLD = `
  insert into exhibit (id, note, artwork_id, critic_id, curator_id, owner_id, place_wing, place_number) values
    (8, 'shown', 4, 1, 1, 1, 'A', 1), (9, 'hidden', 4, 1, 1, 2, 'A', 1);
  insert into label (id, text, exhibit_id) values (1, 'of the shown', 8), (2, 'of the hidden', 9);
  insert into tour (id, name) values (1, 'grand');
  insert into tour_exhibits (tour_id, exhibit_id) values (1, 8), (1, 9);
  insert into permit (exhibit_id, guard_id, text) values (8, 1, ''), (9, 1, '');
  select setval('exhibit_id_seq', 100), setval('frame_id_seq', 100)`;

let museum: Museum;
beforeAll(async () => {
  museum = await openMuseum();
});
beforeEach(async () => {
  await museum.reset();
  await museum.rows(WORLD);
});
afterAll(() => museum.close());

type Read = (em: DataEntityManager) => Promise<unknown>;
const ids = (rows: Iterable<{ id: unknown }>) =>
  [...rows]
    .map(({ id }) => String(id))
    .toSorted()
    .join(' ');
const ada = (em: DataEntityManager, populate: string[] = [], strategy?: string) =>
  em.findOneOrFail(Person, '1', { populate: populate as never, strategy: strategy as never });
const grand = (em: DataEntityManager, populate: string[] = [], strategy?: string) =>
  em.findOneOrFail(Tour, '1', { populate: populate as never, strategy: strategy as never });
const builder = (em: DataEntityManager) => em.createQueryBuilder(Exhibit, 'x').select('*');

/** The way, what it shows in normal code, what it shows where nothing is hidden. */
const reads: [string, Read, unknown, unknown][] = [
  ['find', async (em) => ids(await em.find(Exhibit, {})), '8', '8 9'],
  [
    'findAll, ordered and limited',
    async (em) => ids(await em.findAll(Exhibit, { orderBy: { id: 'desc' }, limit: 1 })),
    '8',
    '9',
  ],
  ['findOne', (em) => em.findOne(Exhibit, '9').then(Boolean), false, true],
  ['count', (em) => em.count(Exhibit), 1, 2],
  [
    'countBy',
    async (em) =>
      Object.keys(await em.countBy(Exhibit, 'note'))
        .toSorted()
        .join(' '),
    'shown',
    'hidden shown',
  ],
  ['findAndCount', async (em) => (await em.findAndCount(Exhibit, {}, { limit: 1 }))[1], 1, 2],
  [
    'findByCursor',
    async (em) => (await em.findByCursor(Exhibit, { first: 5, orderBy: { id: 'asc' } })).totalCount,
    1,
    2,
  ],
  [
    'a lock in find',
    async (em) =>
      em.transactional(async (own) =>
        ids(await own.find(Exhibit, {}, { lockMode: LockMode.PESSIMISTIC_WRITE })),
      ),
    '8',
    '8 9',
  ],
  ['a condition on a relation', (em) => em.count(Label, { exhibit: { note: { $ne: 'x' } } }), 1, 2],
  ['$some', (em) => em.count(Person, { critiques: { $some: { note: 'hidden' } } }), 0, 1],
  ['$none', (em) => em.count(Person, { id: '1', critiques: { $none: { note: 'hidden' } } }), 1, 0],
  ['$every', (em) => em.count(Person, { id: '1', critiques: { $every: { note: 'shown' } } }), 1, 0],
  ['$size', (em) => em.count(Person, { id: '1', critiques: { $size: 1 } }), 1, 0],
  [
    '$some over a many-to-many relation',
    (em) => em.count(Tour, { exhibits: { $some: { note: 'hidden' } } }),
    0,
    1,
  ],
  ...(['joined', 'select-in', 'balanced'] as const).flatMap(
    (strategy): [string, Read, unknown, unknown][] => [
      [
        `populate of a collection, ${strategy}`,
        async (em) => ids((await ada(em, ['critiques'], strategy)).critiques),
        '8',
        '8 9',
      ],
      [
        `populate of a many-to-many collection, ${strategy}`,
        async (em) => ids((await grand(em, ['exhibits'], strategy)).exhibits),
        '8',
        '8 9',
      ],
      [
        `populate of a relation to it, ${strategy}`,
        async (em) => {
          const labels = await em.find(
            Label,
            {},
            { populate: ['exhibit'], strategy, orderBy: { id: 'asc' } },
          );
          return labels.map(({ exhibit }) => exhibit?.note ?? null);
        },
        ['shown', null],
        ['shown', 'hidden'],
      ],
      [
        `populate of an inverse one-to-one, ${strategy}`,
        async (em) =>
          (await em.findOneOrFail(Artwork, '4', { populate: ['frame'], strategy })).frame?.wood ?? null,
        null,
        'elm',
      ],
      [
        `populate of nested collections, ${strategy}`,
        async (em) => {
          const artwork = await em.findOneOrFail(Artwork, '4', { populate: ['exhibits.labels'], strategy });
          return ids(artwork.exhibits.getItems().flatMap((exhibit) => [...exhibit.labels]));
        },
        '1',
        '1 2',
      ],
    ],
  ),
  ['collection init', async (em) => ids(await (await ada(em)).critiques.init()), '8', '8 9'],
  ['collection loadCount', async (em) => (await ada(em)).critiques.loadCount(), 1, 2],
  ['collection matching', async (em) => ids(await (await ada(em)).critiques.matching({})), '8', '8 9'],
  ['collection loadCount, many-to-many', async (em) => (await grand(em)).exhibits.loadCount(), 1, 2],
  [
    'keys of a many-to-many collection',
    async (em) => (await grand(em, ['exhibits:ref'])).exhibits.getIdentifiers().toSorted().join(' '),
    '8',
    '8 9',
  ],
  ['query builder', async (em) => ids(await builder(em).getResultList()), '8', '8 9'],
  ['query builder count', (em) => builder(em).getCount(), 1, 2],
  ['query builder, total', async (em) => (await builder(em).limit(1).getResultAndCount())[1], 1, 2],
  [
    'query builder execute',
    async (em) => ids(await builder(em).execute<{ id: string }[]>('all')),
    '8',
    '8 9',
  ],
  [
    'join by hand',
    async (em) =>
      ids(await em.createQueryBuilder(Label, 'l').select('*').innerJoin('l.exhibit', 'x').getResultList()),
    '1',
    '1 2',
  ],
  [
    'sub-query',
    async (em) =>
      ids(
        await em.find(Label, {
          exhibit: { $in: em.createQueryBuilder(Exhibit).select('id').toRaw() },
        } as never),
      ),
    '1',
    '1 2',
  ],
  [
    'common table expression',
    async (em) => {
      const outer = em.createQueryBuilder(Exhibit).with('c', builder(em)).select(raw('1'));
      return (await outer.from('c' as never, 'c').execute<unknown[]>('all', false)).length;
    },
    1,
    2,
  ],
  [
    'union',
    async (em) => {
      const { sql, params } = builder(em).unionAll(builder(em)).toQuery();
      return (await em.execute<unknown[]>(sql, [...params])).length;
    },
    2,
    4,
  ],
  ['a builder that was cloned', (em) => builder(em).clone().getCount(), 1, 2],
  [
    'Kysely',
    async (em) => (await run(select(em.getKysely(), ['selectFrom', 'exhibit'], ['selectAll']))).length,
    1,
    2,
  ],
  [
    'Kysely with an alias',
    async (em) =>
      (await run(select(em.getKysely(), ['selectFrom', 'exhibit as e'], ['select', 'e.id']))).length,
    1,
    2,
  ],
  [
    'in two steps, through a painting',
    async (em) => {
      await em.execute('update exhibit set artwork_id = 3, owner_id = 1 where id = 9');
      return ids(await em.find(Exhibit, {}));
    },
    '8',
    '8 9',
  ],
  ['in two steps, through an owner that is not soft-deletable', (em) => em.count(Permit), 1, 2],
  [
    'the root of a single-table hierarchy',
    async (em) => ids(await em.find(Artwork, {})),
    '1 4 5 6',
    '1 2 3 4 5 6',
  ],
  ['a child of a single-table hierarchy', async (em) => ids(await em.find(Painting, {})), '1', '1 2 3'],
];

describe('a row that a dead target hides is not shown by', () => {
  it.each(reads)('%s', async (_way, read, hidden, all) => {
    expect(hidden).not.toEqual(all);
    expect(await museum.em().withDeleted(read)).toEqual(all);
    expect(await read(museum.em())).toEqual(hidden);
  });

  it('stream', async () => {
    const found: string[] = [];
    for await (const { id } of museum.em().stream(Exhibit)) found.push(id);
    expect(found).toEqual(['8']);
  });
});

const note = async () =>
  (await museum.rows<{ note: string }>('select note from exhibit where id = 9'))[0]?.note;
const row = { id: '9', note: 'x', artwork: '4', critic: '1', curator: '1', owner: '1', place: ['A', 1] };
type Write = (em: DataEntityManager) => Promise<unknown>;
const refused = { code: 'DATA.SOFT_DELETED_ROW', entityName: 'Exhibit' };

/** What a write answers; a refusal is what it throws. */
const writes: [string, Write, unknown][] = [
  ['nativeUpdate', (em) => em.nativeUpdate(Exhibit, { id: '9' }, { note: 'x' }), 0],
  [
    'nativeUpdate by a relation',
    (em) => em.nativeUpdate(Exhibit, { id: '9', critic: { name: 'Ada' } }, { note: 'x' }),
    0,
  ],
  [
    'query builder update',
    async (em) =>
      (await em.createQueryBuilder(Exhibit).update({ note: 'x' }).where({ id: '9' }).execute()).affectedRows,
    0,
  ],
  [
    'query builder update with an alias',
    async (em) =>
      (await em.createQueryBuilder(Exhibit, 'x').update({ note: 'x' }).where({ 'x.id': '9' }).execute())
        .affectedRows,
    0,
  ],
  [
    'nativeDelete',
    async (em) => {
      await em.execute('delete from label; delete from tour_exhibits; delete from permit');
      return em.nativeDelete(Exhibit, { id: '9' });
    },
    0,
  ],
  [
    'query builder delete',
    async (em) => {
      await em.execute('delete from label; delete from tour_exhibits; delete from permit');
      return (await em.createQueryBuilder(Exhibit).delete({ id: '9' }).execute()).affectedRows;
    },
    0,
  ],
  [
    'flush',
    async (em) => {
      em.getReference(Exhibit, '9').note = 'x';
      await em.flush();
    },
    refused,
  ],
  [
    'flush of two changes',
    async (em) => {
      for (const id of ['8', '9']) em.getReference(Exhibit, id).note = 'x';
      await em.flush();
    },
    { ...refused, keys: ['9'] },
  ],
  [
    'lock',
    (em) => em.transactional((own) => own.lock(own.getReference(Exhibit, '9'), LockMode.PESSIMISTIC_WRITE)),
    refused,
  ],
  ['clone', (em) => em.clone(Exhibit, { id: '9' }), refused],
  ['upsert', (em) => em.upsert(Exhibit, row as never), { ...refused, keys: ['9'] }],
  [
    'upsertMany',
    (em) => em.upsertMany(Exhibit, [row, { ...row, id: '8' }] as never),
    { ...refused, keys: ['9'] },
  ],
  [
    'Kysely update',
    (em) => {
      const kysely = em.getKysely() as unknown as {
        updateTable(name: string): {
          set(row: object): { executeTakeFirst(): Promise<{ numUpdatedRows: bigint }> };
        };
      };
      return kysely
        .updateTable('exhibit')
        .set({ note: 'x' })
        .executeTakeFirst()
        .then(({ numUpdatedRows }) => Number(numUpdatedRows));
    },
    1,
  ],
  [
    'Kysely delete',
    (em) => {
      const kysely = em.getKysely() as unknown as {
        deleteFrom(name: string): { executeTakeFirst(): Promise<{ numDeletedRows: bigint }> };
      };
      return kysely
        .deleteFrom('permit')
        .executeTakeFirst()
        .then(({ numDeletedRows }) => Number(numDeletedRows));
    },
    1,
  ],
];

describe('a row that a dead target hides is not written by', () => {
  it.each(writes)('%s', async (way, write, answer) => {
    const count = async () => (await museum.rows('select from exhibit')).length;
    const before = await count();
    const result = await write(museum.em()).catch((error: unknown) => error);
    if (typeof answer === 'object') expect(result).toMatchObject(answer as object);
    else expect(result).toBe(answer);
    expect(await note()).toBe('hidden');
    expect(await count()).toBe(before);

    // Where nothing is hidden, the same call does its work.
    const open = await museum.em().withDeleted((em) => write(em));
    if (way.startsWith('Kysely')) expect(open).toBe(way === 'Kysely delete' ? 1 : 2);
    const isWritten = (await note()) !== 'hidden' || (await count()) !== before;
    expect([way, isWritten]).toEqual([way, !/lock|Kysely delete/.test(way)]);
  });

  it('removal and flush, which finds nothing to remove', async () => {
    const em = museum.em();
    await em.remove(em.getReference(Frame, '3')).flush();
    expect(await museum.rows('select 1 from frame where id = 3 and deleted_at is null')).toHaveLength(1);
  });
});

it('a row is shown again when its target is restored', async () => {
  expect(await museum.em().getRepository(Person).restoreByKey('2')).toBe(true);
  expect(ids(await museum.em().find(Exhibit, {}))).toBe('8 9');
});

it('nothing is hidden in onlyDeleted: a deleted row shows there, whatever its target is', async () => {
  await museum.rows(
    'update frame set deleted_at = now() where id in (1, 3); update frame set maker_id = 1 where id = 1',
  );
  expect(await museum.em().onlyDeleted(async (em) => ids(await em.find(Frame, {})))).toBe('1 3');
});

describe('without the condition of a row that is shown', () => {
  it('every read above shows the hidden row, so that the probes can fail', async () => {
    const prototype = GuardedQueryBuilder.prototype as unknown as { shown: unknown };
    const own = prototype.shown;
    prototype.shown = () => undefined;
    const tight: string[] = [];
    try {
      for (const [way, read, hidden] of reads.filter(([name]) => !name.startsWith('Kysely'))) {
        await museum.reset();
        await museum.rows(WORLD);
        const seen = await read(museum.em()).catch(String);
        if (JSON.stringify(seen) === JSON.stringify(hidden)) tight.push(way);
      }
    } finally {
      prototype.shown = own;
    }
    expect(tight).toEqual([]);
  });
});

describe('the statements', () => {
  it('of an entity that hides nothing have no join and no EXISTS', async () => {
    const em = museum.em();
    museum.statements();
    await em.find(Person, {});
    await em.count(Label);
    await em.find(Label, {});
    await em.nativeUpdate(Person, { id: '1' }, { name: 'Ada' });
    const statements = museum.statements();
    expect(statements).toHaveLength(4);
    expect(statements.filter((sql) => /exists|join/i.test(sql))).toEqual([]);
  });

  it('of an entity that hides have one EXISTS for each relation on the way, however often they are built', async () => {
    museum.statements();
    await museum.em().count(Frame);
    await builder(museum.em()).getResultAndCount();
    const counts = museum.statements().map((sql) => sql.match(/exists/g)?.length);
    // Exhibit: artwork, its painter, owner, sponsor, store.
    expect(counts).toEqual([1, 5, 5]);
  });

  it('of a joined query ask for a stub once', async () => {
    await museum.rows('update exhibit set curator_id = 2 where id = 8');
    museum.statements();
    const [found] = await museum
      .em()
      .find(Exhibit, {}, { populate: ['curator.teacher'], strategy: 'joined' });
    expect(found?.curator.id).toBe('2');
    expect(museum.statements()).toHaveLength(1);
  });
});
