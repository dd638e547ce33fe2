import { LockMode } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { builder, HIDDEN_WORLD, hiddenReads, ids } from './fixtures/hidden-reads.ts';
import { type Museum, openMuseum } from './fixtures/museum.ts';
import { Exhibit, Frame, Label, Person } from './fixtures/museum-model.ts';

let museum: Museum;
beforeAll(async () => {
  museum = await openMuseum();
});
beforeEach(async () => {
  await museum.reset();
  await museum.rows(HIDDEN_WORLD);
});
afterAll(() => museum.close());

describe('a row that a dead target hides is not shown by', () => {
  it.each(hiddenReads)('%s', async (_way, read, hidden, all) => {
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
    'updateMany',
    (em) => em.getRepository(Exhibit).updateMany(['8', '9'].map((id) => ({ id, note: 'x' }))),
    { ...refused, keys: ['9'] },
  ],
  [
    'lock',
    (em) => em.transactional((own) => own.lock(own.getReference(Exhibit, '9'), LockMode.PESSIMISTIC_WRITE)),
    refused,
  ],
  ['clone', (em) => em.clone(Exhibit, { id: '9' }), refused],
  ['upsert', (em) => em.upsert(Exhibit, row), { ...refused, keys: ['9'] }],
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
    // One that has not yet kept the statements of these reads, which have the condition.
    const open = await openMuseum();
    try {
      for (const [way, read, hidden] of hiddenReads.filter(([name]) => !/^(Kysely|live\()/.test(name))) {
        await open.reset();
        await open.rows(HIDDEN_WORLD);
        const seen = await read(open.em()).catch(String);
        if (JSON.stringify(seen) === JSON.stringify(hidden)) tight.push(way);
      }
    } finally {
      prototype.shown = own;
      await open.close();
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
