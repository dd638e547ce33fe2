import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LockMode } from '@mikro-orm/core';
import type { DataEntityManager } from 'tombstone';
import { type Arrivals, SERVICE, watchArrivals } from '../support/arrivals.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Genre, Publisher, Tag } from './fixtures/library-model.ts';

// What the layer looks for before it writes, or after, it looks for on the primary. The replica is late here: what is dead on
// the primary is live there, and the other way round.

const TAG = '00000000-0000-4000-8000-0000000000aa';
const rowsOf = (dead: string, live: string) => `
  set transaction read write;
  truncate publisher, author, book, tag, genre restart identity cascade;
  insert into publisher (name, created_at, updated_at, deleted_at) values
    ('sea', now(), now(), ${dead}), ('land', now(), now(), ${live});
  insert into author (name, deleted_at) values ('Ada', ${dead}), ('Bo', ${live});
  insert into book (title, author_id, publisher_id, created_at, updated_at, deleted_at) values
    ('one', 2, 2, now(), now(), ${live}), ('two', 2, 2, now(), now(), ${dead});
  insert into tag (id, name, deleted_at) values ('${TAG}', 'red', ${dead});
  insert into genre (code, label, deleted_at) values ('g', 'red', ${dead});`;

let primary: Library;
let replica: Library;
let service: Library;
let arrivals: Arrivals;
beforeAll(async () => {
  [primary, replica] = await Promise.all([
    openLibrary({ unwatched: true }),
    openLibrary({ unwatched: true }),
  ]);
  const dbName = new URL(replica.url).pathname.slice(1);
  await replica.rows(`alter database "${dbName}" set default_transaction_read_only = on`);
  service = await openLibrary({
    url: primary.url,
    replicas: [{ clientUrl: replica.url }],
    driverOptions: { application_name: SERVICE },
  });
  arrivals = await watchArrivals({ primary: primary.url, replica: replica.url });
});
afterAll(async () => {
  await arrivals.close();
  await Promise.all([service.close(), primary.close(), replica.close()]);
});
beforeEach(async () => {
  await primary.rows(rowsOf('now()', 'null'));
  await replica.rows(rowsOf('null', 'now()'));
});

const instants = { createdAt: new Date(), updatedAt: new Date() };
const refused = { code: 'DATA.SOFT_DELETED_ROW' };

/** Each is right only by what the primary has. */
const WRITES: Record<string, (em: DataEntityManager) => Promise<unknown>> = {
  'an upsert that refuses a dead row of its key': async (em) => {
    const sea = em.upsert(Publisher, { name: 'sea', ...instants }, { onConflictFields: ['name'] });
    await expect(sea).rejects.toMatchObject(refused);
  },
  'an upsert of a live row': async (em) => {
    const land = await em.upsert(Publisher, { name: 'land', ...instants }, { onConflictFields: ['name'] });
    expect(land.id).toBe('2');
  },
  'an upsert by the primary key': async (em) => {
    await expect(em.upsert(Publisher, { id: '1', name: 'x', ...instants })).rejects.toMatchObject(refused);
  },
  'an upsert that revives': async (em) => {
    expect((await em.upsert(Tag, { id: TAG, name: 'blue' })).name).toBe('blue');
    expect((await em.upsertMany(Genre, [{ code: 'g', label: 'blue' }]))[0]?.label).toBe('blue');
    expect(await primary.rows('select label from genre where deleted_at is null')).toEqual([
      { label: 'blue' },
    ]);
  },
  'a flush of a change to a dead row': async (em) => {
    em.assign(em.getReference(Author, '1'), { name: 'x' });
    await expect(em.flush()).rejects.toMatchObject(refused);
  },
  'a flush of changes to several rows, one of them dead': async (em) => {
    em.assign(em.getReference(Author, '1'), { name: 'x' });
    em.assign(em.getReference(Author, '2'), { name: 'y' });
    await expect(em.flush()).rejects.toMatchObject(refused);
  },
  'a removal, whose referrers keep their keys': async (em) => {
    em.remove(em.getReference(Author, '2'));
    await em.flush();
    expect(await primary.rows('select author_id::text as id from book where id = 1')).toEqual([{ id: '2' }]);
  },
  'a lock of a dead row': async (em) => {
    await em.transactional(async (tx) => {
      const lock = tx.lock(tx.getReference(Author, '1'), LockMode.PESSIMISTIC_WRITE);
      await expect(lock).rejects.toMatchObject(refused);
    });
  },
  'a bulk update through a relation': async (em) => {
    expect(await em.nativeUpdate(Book, { author: { name: 'Bo' } }, { title: 'x' })).toBe(1);
  },
  'a bulk delete': async (em) => {
    expect(await em.nativeDelete(Book, {})).toBe(1);
  },
  'deleting, restoring and destroying by key': async (em) => {
    const authors = em.getRepository(Author);
    expect(await authors.softDelete('1')).toBe(false);
    expect(await authors.restoreByKey('2')).toBe(false);
    expect(await authors.restoreByKey('1')).toBe(true);
    expect(await authors.hardDelete('1')).toBe(true);
  },
  'a copy of a dead row': async (em) => {
    await expect(em.getDriver().nativeClone(Author, { id: '1' })).rejects.toMatchObject(refused);
  },
};

describe('the layer decides by the primary', () => {
  it('and a read goes to the replica, so that the cases below would see one', async () => {
    const { places } = await arrivals.of(async () => {
      expect((await service.em().findOneOrFail(Author, { name: 'Ada' })).id).toBe('1');
    });
    expect(places).toEqual(['replica']);
  });

  it.each(Object.entries(WRITES))('%s', async (_name, write) => {
    const { places } = await arrivals.of(() => write(service.em()));
    expect(places).toEqual(['primary']);
  });
});
