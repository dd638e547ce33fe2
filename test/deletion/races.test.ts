import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { type Deletion, deleteRows, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Contract, Label, Producer, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';

let db: Music;
let client: Client;
let other: Client;
beforeAll(async () => {
  db = await openMusic();
  [client, other] = [await connect(db.url), await connect(db.url)];
});
afterAll(async () => {
  await client.end();
  await other.end();
  await db.close();
});
beforeEach(() =>
  client.query(
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries cascade',
  ),
);

/** Waits until a statement of somebody waits for a lock; a race that nobody has run into proves nothing. */
async function untilWaiting(): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const { rows } = await client.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows.length > 0) return;
    await sleep(10);
  }
  throw new Error('Nobody waits for a lock.');
}

const orphans = async (): Promise<number> =>
  (
    await client.query<{ n: number }>(
      `select count(*)::int as n from tracks t join albums a on a.id = t.album_id where t.deleted_at is null and a.deleted_at is not null`,
    )
  ).rows[0]!.n;

describe('a child that is being inserted while its parent is deleted', () => {
  const insertChild = (albumId: string) =>
    other.query(`insert into tracks (title, album_id) values ('late', $1)`, [albumId]);

  it('is waited for, and falls along', async () => {
    const { albums, label } = await plantLabel(db.orm.em.fork());
    await other.query('begin');
    await insertChild(albums[0]!.id);
    const deleting = deleteRows(db.orm.em.fork(), Label, { id: label.id });
    await untilWaiting();
    await other.query('commit');
    expect((await deleting).fell['public.tracks']).toBe(5);
    expect(await orphans()).toBe(0);
  });

  it('is left alive under a dead parent by the plain statements, which lock nothing', async () => {
    const { albums } = await plantLabel(db.orm.em.fork());
    await other.query('begin');
    await insertChild(albums[0]!.id);
    await client.query('begin');
    await client.query('update albums set deleted_at = now() where id = $1 and deleted_at is null', [
      albums[0]!.id,
    ]);
    await client.query('update tracks set deleted_at = now() where album_id = $1 and deleted_at is null', [
      albums[0]!.id,
    ]);
    await client.query('commit');
    await other.query('commit');
    expect(await orphans()).toBe(1);
  });

  it('restricts, when it is of a relation that does, and nothing stays marked', async () => {
    const { label } = await plantLabel(db.orm.em.fork());
    await other.query('begin');
    await other.query('insert into contracts (label_id) values ($1)', [label.id]);
    const deleting = deleteRows(db.orm.em.fork(), Label, { id: label.id });
    await untilWaiting();
    await other.query('commit');
    await expect(deleting).rejects.toMatchObject({
      code: 'DELETION.RESTRICTED',
      constraint: 'contracts_label_id_fkey',
    });
    expect(await db.orm.em.fork().count(Label)).toBe(1);
    expect((await client.query('select 1 from deletion_entries')).rows).toEqual([]);
  });

  it('restricts also where the program goes on with its transaction after the refusal', async () => {
    const { label } = await plantLabel(db.orm.em.fork());
    const em = db.orm.em.fork();
    await em.begin();
    await other.query('begin');
    await other.query('insert into contracts (label_id) values ($1)', [label.id]);
    const deleting = em.nativeDelete(Label, { id: label.id });
    await untilWaiting();
    await other.query('commit');
    await expect(deleting).rejects.toMatchObject({ code: 'DELETION.RESTRICTED' });
    await em.commit();
    expect(await db.orm.em.fork().count(Album)).toBe(2);
    expect(await db.orm.em.fork().count(Contract)).toBe(1);
  });
});

describe('a child that is moved to another parent meanwhile', () => {
  it('does not fall', async () => {
    const { albums, tracks } = await plantLabel(db.orm.em.fork());
    await other.query('begin');
    await other.query('update tracks set album_id = $1 where id = $2', [albums[1]!.id, tracks[0]!.id]);
    const deleting = deleteRows(db.orm.em.fork(), Album, { id: albums[0]!.id });
    await untilWaiting();
    await other.query('commit');
    expect((await deleting).fell['public.tracks']).toBe(1);
    expect(await db.orm.em.fork().count(Track)).toBe(3);
  });
});

describe('two deletions of overlapping trees', () => {
  it('mark each row once, and each restores its own', async () => {
    for (let round = 0; round < 8; round += 1) {
      const em = db.orm.em.fork();
      const { label, albums } = await plantLabel(em, `label ${round}`);
      const done: Deletion[] = await Promise.all([
        deleteRows(db.orm.em.fork(), Label, { id: label.id }),
        deleteRows(db.orm.em.fork(), Album, { id: albums.map(({ id }) => id) }),
        deleteRows(db.orm.em.fork(), Label, { id: label.id }),
        deleteRows(db.orm.em.fork(), Album, { id: albums[1]!.id }),
      ]);
      const sum = (table: string) => done.reduce((all, { fell }) => all + (fell[table] ?? 0), 0);
      expect([sum('public.labels'), sum('public.albums'), sum('public.tracks')]).toEqual([1, 2, 4]);
      // The label first: what it did not take needs it alive.
      const order = done
        .filter(({ batch }) => batch)
        .toSorted((a, b) => (b.fell['public.labels'] ?? 0) - (a.fell['public.labels'] ?? 0));
      for (const { batch } of order) await restore(em, batch!);
      expect(await em.fork().count(Track, { album: { label: label.id } })).toBe(4);
    }
  });
});

describe('a restore and others', () => {
  it('of one batch by many succeeds once', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em);
    const { batch } = await deleteRows(em, Label, { id: label.id });
    const all = await Promise.allSettled(Array.from({ length: 6 }, () => restore(db.orm.em.fork(), batch!)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of all) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'DELETION.ALREADY_RESTORED' });
    }
  });

  it('never leaves a live child under a parent that is deleted meanwhile', async () => {
    for (let round = 0; round < 10; round += 1) {
      const em = db.orm.em.fork();
      const { albums } = await plantLabel(em, `race ${round}`);
      const { batch } = await deleteRows(em, Track, { album: albums[0]!.id });
      const [restored, deleted] = await Promise.allSettled([
        restore(db.orm.em.fork(), batch!),
        deleteRows(db.orm.em.fork(), Album, { id: albums[0]!.id }),
      ]);
      expect(deleted.status).toBe('fulfilled');
      if (restored.status === 'rejected')
        expect(restored.reason).toMatchObject({ code: 'DELETION.RESTORE_CONFLICT' });
      expect(await orphans()).toBe(0);
    }
  });

  it('holds the parents that it needs: a deletion waits, and takes the restored rows along', async () => {
    const em = db.orm.em.fork();
    const { albums, producer } = await plantLabel(em);
    const { batch } = await deleteRows(em, Track, { album: albums[0]!.id });
    const own = db.orm.em.fork();
    await own.begin();
    await restore(own, batch!);
    const deleting = deleteRows(db.orm.em.fork(), Album, { id: albums[0]!.id });
    await untilWaiting();
    await own.commit();
    expect((await deleting).fell).toEqual({ 'public.albums': 1, 'public.tracks': 2 });
    expect(await em.fork().count(Producer, { id: producer.id })).toBe(1);
  });
});
