import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EntityClass, EntityMetadata } from '@mikro-orm/postgresql';
import type { Client } from 'pg';
import {
  deleteRows,
  holdsOf,
  placeHold,
  releaseHold,
  restore,
  withDeletionContext,
} from 'tombstone/deletion';
import type { Run } from '../../src/kit/deletion/catalogue.ts';
import { graphOf, runOf } from '../../src/kit/deletion/graph-of.ts';
import { isHeld, lockHolds } from '../../src/kit/deletion/holds/held-sql.ts';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Label, Producer, Track } from './fixtures/label-model.ts';
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
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries, deletion_holds cascade',
  ),
);

const forked = () => db.orm.em.fork();

/** The keys of a table that the predicate tells of. */
async function heldIn(entity: EntityClass<object>): Promise<string[]> {
  const em = forked();
  const graph = await graphOf(em.getDriver(), runOf(em));
  const table = graph.tableOf(em.getMetadata().get(entity) as EntityMetadata)!;
  const parts = graph.edges.filter(({ policy }) => policy === 'cascade');
  const { rows } = await client.query<{ id: string }>(
    `select t.id from ${table.sql} t where ${isHeld(parts, table, 't')} order by t.id /* soft-delete: dead rows too, because they are held */`,
  );
  return rows.map(({ id }) => id);
}

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

describe('a hold', () => {
  it('is placed by the clock of the database, with its reason and its actor, and listed', async () => {
    const { albums } = await plantLabel(forked());
    const before = (await client.query<{ now: Date }>('select now()')).rows[0]!.now;
    const hold = await withDeletionContext({ actor: 'counsel:3' }, () =>
      placeHold(forked(), Album, { key: albums[0]!.id, reason: 'matter 12' }),
    );
    expect(hold).toMatchObject({
      table: 'public.albums',
      key: albums[0]!.id,
      reason: 'matter 12',
      actor: 'counsel:3',
      releasedAt: null,
    });
    expect(hold.placedAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
    const whole = await placeHold(forked(), Track, { all: true, reason: 'matter 13' });
    expect(await holdsOf(forked())).toEqual([hold, whole]);
    expect(await holdsOf(forked(), Album)).toEqual([hold]);
    expect(await holdsOf(forked(), Track, { all: true })).toEqual([whole]);
    expect(await holdsOf(forked(), Album, { key: albums[1]!.id })).toEqual([]);
    const ended = await withDeletionContext({ actor: 'counsel:4', reason: 'settled' }, () =>
      releaseHold(forked(), hold.id),
    );
    expect(ended).toMatchObject({ id: hold.id, releasedBy: 'counsel:4', releaseReason: 'settled' });
    expect(ended.releasedAt).toBeInstanceOf(Date);
    expect(await holdsOf(forked(), Album)).toEqual([]);
    expect(await holdsOf(forked(), Album, { released: true })).toEqual([ended]);
  });

  it('is refused without a reason, a row, or a table, and released once', async () => {
    const { albums } = await plantLabel(forked());
    await expect(placeHold(forked(), Album, { key: albums[0]!.id, reason: ' ' })).rejects.toMatchObject({
      code: 'HOLD.NO_REASON',
    });
    await expect(placeHold(forked(), Album, { key: '999999', reason: 'matter 12' })).rejects.toMatchObject({
      code: 'HOLD.NO_ROW',
      status: 404,
    });
    await expect(placeHold(forked(), Date, { all: true, reason: 'm' } as never)).rejects.toMatchObject({
      code: 'HOLD.UNKNOWN_ENTITY',
    });
    const { id } = await placeHold(forked(), Album, { key: albums[0]!.id, reason: 'matter 12' });
    await releaseHold(forked(), id);
    await expect(releaseHold(forked(), id)).rejects.toMatchObject({ code: 'HOLD.RELEASED' });
    await expect(releaseHold(forked(), 'nonsense')).rejects.toMatchObject({ code: 'HOLD.UNKNOWN' });
  });

  it('leaves deleting and restoring as they are', async () => {
    const { label } = await plantLabel(forked());
    await placeHold(forked(), Label, { key: label.id, reason: 'matter 12' });
    const { batch, fell } = await deleteRows(forked(), Label, { id: label.id });
    expect(fell['public.tracks']).toBe(4);
    await placeHold(forked(), Label, { key: label.id, reason: 'the same of a dead row' });
    expect((await restore(forked(), batch!)).rows['public.tracks']).toBe(4);
  });

  it('covers what would fall with the row, and nothing else, while any of the holds is open', async () => {
    const { label, albums, tracks } = await plantLabel(forked());
    const own = tracks.filter(({ album }) => album.id === albums[0]!.id).map(({ id }) => id);
    const first = await placeHold(forked(), Album, { key: albums[0]!.id, reason: 'matter 12' });
    const second = await placeHold(forked(), Album, { key: albums[0]!.id, reason: 'matter 13' });
    expect(await heldIn(Album)).toEqual([albums[0]!.id]);
    expect(await heldIn(Track)).toEqual(own);
    expect(await heldIn(Label)).toEqual([]);
    await deleteRows(forked(), Label, { id: label.id });
    expect(await heldIn(Track)).toEqual(own);
    await releaseHold(forked(), first.id);
    expect(await heldIn(Track)).toEqual(own);
    await releaseHold(forked(), second.id);
    expect(await heldIn(Track)).toEqual([]);
    await placeHold(forked(), Label, { all: true, reason: 'matter 14' });
    expect(await heldIn(Track)).toEqual(tracks.map(({ id }) => id));
    expect(await heldIn(Album)).toEqual(albums.map(({ id }) => id));
    expect(await heldIn(Producer)).toHaveLength(1);
  });

  it('covers a tree that refers to itself, and ends in a cycle', async () => {
    const em = forked();
    const root = em.create(Label, { name: 'root' });
    const child = em.create(Label, { name: 'child', parent: root });
    const leaf = em.create(Label, { name: 'leaf', parent: child });
    await em.flush();
    await placeHold(em, Label, { key: child.id, reason: 'matter 12' });
    expect(await heldIn(Label)).toEqual([child.id, leaf.id]);
    await client.query('update labels set parent_id = $1 where id = $2 and deleted_at is null', [
      leaf.id,
      root.id,
    ]);
    expect(await heldIn(Label)).toEqual([root.id, child.id, leaf.id]);
  });
});

/** What a removal does in its transaction; its control leaves the lock out. */
async function removing(
  em: ReturnType<typeof forked>,
  { locked, between }: { locked: boolean; between: () => Promise<void> },
): Promise<number> {
  const graph = await graphOf(em.getDriver(), runOf(em.fork()));
  const table = graph.tableOf(em.getMetadata().get(Track))!;
  return em.transactional(async (tx) => {
    const run: Run = runOf(tx);
    if (locked) await lockHolds(run);
    const free = await run<{ id: string }>(
      `select t.id from tracks t where t.deleted_at is not null and not ${isHeld([], table, 't')} order by t.id for update`,
    );
    await between();
    for (const { id } of free)
      await run('delete from tracks where id = ? /* soft-delete: all rows, because a purge removes them */', [
        id,
      ]);
    return free.length;
  });
}

describe('a hold that is placed while rows are being removed', () => {
  const dead = async () => {
    const { tracks } = await plantLabel(forked());
    await deleteRows(forked(), Track, { id: tracks.map(({ id }) => id) });
    return tracks[0]!.id;
  };
  const left = async () => (await client.query('select id from tracks')).rows.map(({ id }) => id as string);

  it('waits for them, and says that it came too late', async () => {
    const id = await dead();
    let placing: Promise<unknown> = Promise.resolve();
    await removing(forked(), {
      locked: true,
      between: async () => {
        placing = placeHold(forked(), Track, { key: id, reason: 'matter 12' });
        placing.catch(() => undefined);
        await untilWaiting();
      },
    });
    await expect(placing).rejects.toMatchObject({ code: 'HOLD.NO_ROW' });
    expect(await holdsOf(forked())).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it('answers, without the lock, and its row is removed all the same', async () => {
    const id = await dead();
    await removing(forked(), {
      locked: false,
      between: async () => {
        await placeHold(forked(), Track, { key: id, reason: 'matter 12' });
      },
    });
    expect(await holdsOf(forked(), Track, { key: id })).toHaveLength(1);
    expect(await left()).toEqual([]);
  });

  it('keeps its row from the answer on, also while its own transaction is open', async () => {
    const id = await dead();
    const em = forked();
    await em.begin();
    await placeHold(em, Track, { key: id, reason: 'matter 12' });
    const removal = removing(forked(), { locked: true, between: () => Promise.resolve() });
    await untilWaiting();
    await em.commit();
    expect(await removal).toBe(3);
    expect(await left()).toEqual([id]);
  });

  it('by plain SQL waits just as well', async () => {
    const id = await dead();
    let placing: Promise<unknown> = Promise.resolve();
    await removing(forked(), {
      locked: true,
      between: async () => {
        placing = other.query(
          `insert into deletion_holds (id, table_name, key, reason, placed_at)
           select gen_random_uuid(), 'public.tracks', id::text, 'matter 12', now() from tracks where id = $1
           /* soft-delete: dead rows too, because they are held */`,
          [id],
        );
        await untilWaiting();
      },
    });
    await placing;
    expect((await client.query('select 1 from deletion_holds')).rows).toEqual([]);
  });
});
