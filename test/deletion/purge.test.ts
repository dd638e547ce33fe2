import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import {
  deleteRows,
  placeHold,
  previewRestore,
  purge,
  releaseHold,
  restore,
  retention,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Label, Producer, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';

let db: Music;
let client: Client;
beforeAll(async () => {
  retention.policy(Producer, { olderThan: '30 days' });
  retention.policy(Album, { olderThan: '30 days' });
  retention.policy(Track, { olderThan: '30 days' });
  retention.policy(Label, { olderThan: '60 days' });
  db = await openMusic();
  client = await connect(db.url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(() =>
  client.query(
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries, deletion_holds cascade',
  ),
);

const forked = () => db.orm.em.fork();

/** Lets time go by for what is dead now. */
async function age(days: number): Promise<void> {
  for (const table of ['labels', 'producers', 'albums', 'tracks', 'contracts', 'deletion_batches']) {
    await client.query(
      `update ${table} set deleted_at = deleted_at - $1 * interval '1 day'
      where deleted_at is not null /* soft-delete: dead rows, because they grow older */`,
      [days],
    );
  }
}

const left = async (table: string): Promise<number> =>
  (await client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

describe('a purge', () => {
  it('removes what is older than its interval, children first, and says beforehand what', async () => {
    const { label } = await plantLabel(forked());
    await deleteRows(forked(), Label, { id: label.id });
    await age(45);
    const said = await purge(forked(), { dryRun: true });
    expect(await left('tracks')).toBe(4);
    const done = await purge(forked(), { batchSize: 3 });
    expect(done).toMatchObject({
      purged: { 'public.producers': 1, 'public.albums': 2, 'public.tracks': 4 },
      held: [],
      blocked: [],
      completed: true,
    });
    expect(said.purged).toEqual(done.purged);
    expect(await left('labels')).toBe(1);
    await age(30);
    expect((await purge(forked())).purged).toEqual({ 'public.labels': 1 });
  });

  it('leaves what is younger, and nothing of a live row', async () => {
    const { tracks } = await plantLabel(forked());
    await deleteRows(forked(), Track, { id: tracks[0]!.id });
    await age(29);
    expect((await purge(forked())).purged).toEqual({});
    expect((await purge(forked(), { olderThan: '28 days' })).purged).toEqual({ 'public.tracks': 1 });
    expect(await left('tracks')).toBe(3);
  });

  it('is stopped by rows that stay, although ON DELETE would take them along', async () => {
    const { label, producer, albums, tracks } = await plantLabel(forked());
    await deleteRows(forked(), Label, { id: label.id });
    await age(90);
    await client.query(
      'create table unmapped_notes (track_id bigint constraint unmapped_notes_track_id_fkey references tracks on delete cascade)',
    );
    await client.query('insert into unmapped_notes values ($1)', [tracks[0]!.id]);
    const live = await client.query<{ id: string }>(
      `insert into tracks (title, album_id) values ('live', $1) returning id`,
      [albums[1]!.id],
    );
    const said = await purge(forked(), { dryRun: true });
    const done = await purge(forked());
    expect(done.purged).toEqual({ 'public.tracks': 3 });
    expect(done.blocked).toEqual([
      {
        constraint: 'albums_label_id_fkey',
        table: 'public.albums',
        of: 'public.labels',
        rows: 1,
        keys: [label.id],
      },
      {
        constraint: 'producers_label_id_fkey',
        table: 'public.producers',
        of: 'public.labels',
        rows: 1,
        keys: [label.id],
      },
      {
        constraint: 'tracks_album_id_fkey',
        table: 'public.tracks',
        of: 'public.albums',
        rows: 2,
        keys: albums.map(({ id }) => id),
      },
      {
        constraint: 'tracks_producer_id_fkey',
        table: 'public.tracks',
        of: 'public.producers',
        rows: 1,
        keys: [producer.id],
      },
      {
        constraint: 'unmapped_notes_track_id_fkey',
        table: 'public.unmapped_notes',
        of: 'public.tracks',
        rows: 1,
        keys: [tracks[0]!.id],
      },
    ]);
    expect(said).toMatchObject({ purged: done.purged, blocked: done.blocked, held: done.held });
    expect(await left('unmapped_notes')).toBe(1);
    expect((await client.query('select 1 from tracks where id = $1', [live.rows[0]!.id])).rows).toHaveLength(
      1,
    );
    await client.query('drop table unmapped_notes');
  });

  it('leaves what is held, with its parts, until it is released', async () => {
    const { label, albums } = await plantLabel(forked());
    await deleteRows(forked(), Label, { id: label.id });
    await age(90);
    const { id } = await placeHold(forked(), Album, { key: albums[0]!.id, reason: 'matter 12' });
    const said = await purge(forked(), { dryRun: true });
    const done = await purge(forked());
    expect(done.purged).toEqual({ 'public.albums': 1, 'public.tracks': 2 });
    expect(done.held.map(({ table, rows }) => [table, rows])).toEqual(
      expect.arrayContaining([
        ['public.albums', 1],
        ['public.tracks', 2],
      ]),
    );
    expect(said).toMatchObject({ purged: done.purged, blocked: done.blocked, held: done.held });
    await releaseHold(forked(), id);
    expect((await purge(forked())).purged).toMatchObject({ 'public.labels': 1, 'public.tracks': 2 });
  });

  it('removes trees and circles of one table, whatever the size of a batch', async () => {
    const em = forked();
    const chain: Label[] = [];
    for (let n = 0; n < 12; n += 1)
      chain.push(em.create(Label, { name: `label ${n}`, parent: chain.at(-1) ?? null }));
    const circle = [0, 1, 2, 3].map((n) => em.create(Label, { name: `circle ${n}` }));
    await em.flush();
    for (const [n, { id }] of circle.entries())
      await client.query('update labels set parent_id = $1 where id = $2 and deleted_at is null', [
        circle[(n + 1) % 4]!.id,
        id,
      ]);
    await deleteRows(forked(), Label, { id: [chain[0]!.id, circle[0]!.id] });
    await age(90);
    expect((await purge(forked(), { dryRun: true })).purged).toEqual({ 'public.labels': 16 });
    expect((await purge(forked(), { batchSize: 2 })).purged).toEqual({ 'public.labels': 16 });
  });

  it('empties the journal when no row of a batch is left, which restore goes on to know', async () => {
    const { label } = await plantLabel(forked());
    const { batch } = await deleteRows(forked(), Label, { id: label.id });
    await age(45);
    expect((await purge(forked())).prunedBatches).toBe(0);
    await expect(restore(forked(), batch!)).rejects.toMatchObject({ code: 'DELETION.INCOMPLETE_BATCH' });
    await age(45);
    expect((await purge(forked())).prunedBatches).toBe(1);
    expect(await left('deletion_entries')).toBe(0);
    await expect(restore(forked(), batch!)).rejects.toMatchObject({ code: 'DELETION.PURGED_BATCH' });
    expect((await previewRestore(forked(), batch!)).restorable).toBe(false);
    await client.query(`update deletion_batches set purged_at = purged_at - interval '2 years'`);
    await purge(forked());
    await expect(restore(forked(), batch!)).rejects.toMatchObject({ code: 'DELETION.UNKNOWN_BATCH' });
  });

  it.each([
    [{ olderThan: '0 days' }, 'RETENTION.BAD_INTERVAL'],
    [{ olderThan: '-1 day' }, 'RETENTION.BAD_INTERVAL'],
    [{ olderThan: 'soon' }, 'RETENTION.BAD_INTERVAL'],
    [{ batchSize: 0 }, 'RETENTION.BAD_BATCH_SIZE'],
    [{ entities: ['Nobody'] }, 'RETENTION.UNKNOWN_ENTITY'],
    [{ entities: ['Contract'] }, 'RETENTION.NO_POLICY'],
    [{ entities: [Label], tenant: '1' }, 'RETENTION.NO_TENANT'],
  ])('refuses %j', async (options, code) => {
    await expect(purge(forked(), options)).rejects.toMatchObject({ code });
  });
});
