import { LockMode } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, runPrepared } from 'tombstone';
import { run, select } from './fixtures/kysely-probes.ts';
import { type Kinds, openKinds } from './fixtures/kinds.ts';
import { Clip, Photo, Title } from './fixtures/kinds-model.ts';

// Two databases stand for the primary and its replica. Their rows differ, so that each answer tells where it comes from,
// and the replica refuses every write as a standby does.

let primary: Kinds;
let replica: Kinds;
let service: Kinds;
beforeAll(async () => {
  [primary, replica] = await Promise.all([openKinds(), openKinds()]);
  const { hostname, port, username, password, pathname } = new URL(replica.url);
  const standby = {
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
  };
  const dbName = pathname.slice(1);
  await replica.rows(`alter database "${dbName}" set default_transaction_read_only = on`);
  service = await openKinds({ url: primary.url, replicas: [{ ...standby, dbName }] });
});
afterAll(async () => {
  await Promise.all([primary.close(), replica.close(), service.close()]);
});

const rowsOf = (place: string) => `
  set transaction read write;
  truncate photo, clip, remark restart identity;
  insert into photo (title, deleted_at) values ('${place} sea', null), ('${place} old sea', now());
  insert into clip (title, poster_id, deleted_at) values
    ('${place} walk', 1, null), ('${place} run', 2, null), ('${place} old walk', 1, now());
  insert into remark (text, subject_type, subject_id) values ('of sea', 'photo', 1), ('of old sea', 'photo', 2);`;

beforeEach(async () => {
  await primary.rows(rowsOf('primary'));
  await replica.rows(rowsOf('replica'));
});

type Titled = { title: string };
type Read = (em: DataEntityManager) => Promise<readonly string[]>;
const titles = (rows: readonly unknown[]) => rows.map((row) => (row as Titled).title).toSorted();
const populated =
  (strategy: 'joined' | 'select-in' | 'balanced'): Read =>
  async (em) =>
    titles(
      (await em.find(Clip, {}, { populate: ['poster'], strategy })).flatMap(({ poster }) =>
        poster?.title ? [poster] : [],
      ),
    );
const PHOTOS = { text: 'select title from photo where deleted_at is null', name: 'replica_photos' };

const READS: Record<string, Read> = {
  find: async (em) => titles(await em.find(Photo, {})),
  'populate joined': populated('joined'),
  'populate select-in': populated('select-in'),
  'populate balanced': populated('balanced'),
  'a collection': async (em) => {
    const [photo] = await em.find(Photo, {}, { orderBy: { id: 1 } });
    const remarks = await photo?.remarks.loadItems({ populate: ['subject'] as never });
    return titles((remarks ?? []).map(({ subject }) => subject));
  },
  'a query builder': async (em) => titles(await em.createQueryBuilder(Photo).getResultList()),
  'a stream': async (em) => {
    const rows: unknown[] = [];
    for await (const row of em.stream(Photo)) rows.push(row);
    return titles(rows);
  },
  'Kysely for reading': async (em) =>
    titles(await run(select(em.getKysely({ type: 'read' }), ['selectFrom', 'photo'], ['select', 'title']))),
};

describe.each(Object.entries(READS))('reads by %s', (name, read) => {
  const inNormalCode = (place: string) => [`${place} sea`];

  it('are answered by the replica, which shows no dead row either', async () => {
    expect([...new Set(await read(service.em()))]).toEqual(inNormalCode('replica'));
  });

  it('are answered by the replica in every scope, with what the scope shows', async () => {
    const shown = (rows: readonly string[]) => [...new Set(rows)];
    const both = name === 'a collection' ? ['replica sea'] : ['replica old sea', 'replica sea'];
    expect(shown(await service.em().skipSoftDelete(read))).toEqual(both);
    expect(shown(await service.em().withDeleted(read))).toEqual(both);
  });

  it('are answered by the primary inside a transaction, and in a scope that joins it', async () => {
    await service.em().transactional(async (em) => {
      expect([...new Set(await read(em))]).toEqual(inNormalCode('primary'));
      expect(await em.skipSoftDelete(read)).toContain('primary sea');
    });
  });
});

describe('a virtual entity', () => {
  const read = async (em: DataEntityManager) => titles(await em.find(Title, {}));

  it('is read from the primary, as the core has it, and guarded there', async () => {
    expect(await read(service.em())).toEqual(['primary sea']);
    expect(await service.em().skipSoftDelete(read)).toEqual(['primary old sea', 'primary sea']);
  });
});

describe('a call that asks for the primary', () => {
  it('is answered by it, and guarded', async () => {
    const read = (em: DataEntityManager) => em.find(Photo, {}, { connectionType: 'write' });
    expect(titles(await read(service.em()))).toEqual(['primary sea']);
    expect(titles(await service.em().skipSoftDelete(read))).toEqual(['primary old sea', 'primary sea']);
  });
});

describe('a prepared statement', () => {
  const readOn = (on?: 'read') => async (em: DataEntityManager) =>
    titles(await runPrepared<Titled>(em, PHOTOS, [], on));

  it('goes to the primary unless it is told to be a read, because it may be a write', async () => {
    const read = readOn();
    expect(await read(service.em())).toEqual(['primary sea']);
    expect(await service.em().skipSoftDelete(read)).toEqual(['primary sea']);
    expect(await service.em().transactional(read)).toEqual(['primary sea']);
  });

  it('that is told to be a read goes to the replica, and to the primary inside a transaction', async () => {
    const read = readOn('read');
    expect(await read(service.em())).toEqual(['replica sea']);
    expect(await service.em().skipSoftDelete(read)).toEqual(['replica sea']);
    expect(await service.em().transactional(read)).toEqual(['primary sea']);
  });
});

describe('writes go to the primary', () => {
  const photos = async (place: Kinds) =>
    (
      await place.rows<{ title: string; dead: boolean }>(
        'select title, deleted_at is not null as dead from photo order by id',
      )
    ).map(({ title, dead }) => `${title}${dead ? ' †' : ''}`);

  const WRITES: Record<string, [(em: DataEntityManager) => Promise<unknown>, string[]]> = {
    flush: [
      async (em) => {
        em.assign(em.getReference(Photo, '1'), { title: 'x' });
        await em.flush();
      },
      ['x', 'primary old sea †'],
    ],
    remove: [
      async (em) => {
        em.remove(em.getReference(Photo, '1'));
        await em.flush();
      },
      ['primary sea †', 'primary old sea †'],
    ],
    nativeUpdate: [(em) => em.nativeUpdate(Photo, {}, { title: 'x' }), ['x', 'primary old sea †']],
    nativeDelete: [(em) => em.nativeDelete(Photo, {}), ['primary sea †', 'primary old sea †']],
    'nativeUpdate by a relation': [
      (em) => em.nativeUpdate(Photo, { remarks: { text: 'of sea' } }, { title: 'x' }),
      ['x', 'primary old sea †'],
    ],
    'query builder update': [
      (em) => em.createQueryBuilder(Photo).update({ title: 'x' }).execute(),
      ['x', 'primary old sea †'],
    ],
    'query builder update by a relation': [
      (em) =>
        em
          .createQueryBuilder(Photo)
          .update({ title: 'x' })
          .where({ remarks: { text: 'of sea' } })
          .execute(),
      ['x', 'primary old sea †'],
    ],
    'query builder delete': [
      (em) => em.createQueryBuilder(Photo).delete().execute(),
      ['primary sea †', 'primary old sea †'],
    ],
    upsert: [(em) => em.upsert(Photo, { id: '1', title: 'x' }), ['x', 'primary old sea †']],
    upsertMany: [(em) => em.upsertMany(Photo, [{ id: '1', title: 'x' }]), ['x', 'primary old sea †']],
    restoreByKey: [(em) => em.getRepository(Photo).restoreByKey('2'), ['primary sea', 'primary old sea']],
    hardDelete: [
      async (em) => {
        await em.skipSoftDelete((all) => all.nativeDelete(Clip, {}));
        await em.getRepository(Photo).hardDelete('2');
      },
      ['primary sea'],
    ],
  };

  it.each(Object.entries(WRITES))('%s', async (_name, [write, expected]) => {
    await write(service.em());
    expect(await photos(primary)).toEqual(expected);
    expect(await photos(replica)).toEqual(['replica sea', 'replica old sea †']);
  });

  it('and a change to a row that is dead there is refused, whatever the replica says', async () => {
    await replica.rows('set transaction read write; update photo set deleted_at = null');
    const em = service.em();
    const [, photo] = await em.find(Photo, {}, { orderBy: { id: 1 } });
    expect(photo?.title).toBe('replica old sea');
    if (photo) photo.title = 'x';
    await expect(em.flush()).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW' });
  });
});

describe('locks are taken on the primary', () => {
  it('by find and by lock, which refuse a row that is dead there', async () => {
    await service.em().transactional(async (em) => {
      const [photo] = await em.find(Photo, {}, { lockMode: LockMode.PESSIMISTIC_WRITE });
      expect(photo?.title).toBe('primary sea');
      await expect(em.lock(em.getReference(Photo, '2'), LockMode.PESSIMISTIC_WRITE)).rejects.toMatchObject({
        code: 'DATA.SOFT_DELETED_ROW',
      });
    });
  });
});
