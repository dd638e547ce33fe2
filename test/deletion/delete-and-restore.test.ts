import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  checkDeletion,
  deleteRows,
  explainDelete,
  formatDeletePlan,
  previewRestore,
  restore,
} from 'tombstone/deletion';
import { Album, Label, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';

let db: Music;
beforeAll(async () => {
  db = await openMusic();
});
afterAll(() => db.close());

describe('a deletion by policies', () => {
  it('takes the children along and brings exactly them back', async () => {
    const em = db.orm.em.fork();
    await checkDeletion(em);
    const { label, albums, tracks } = await plantLabel(em);
    em.remove(tracks[0]!);
    await em.flush();
    const done = await deleteRows(em, Label, { id: label.id });
    expect(done).toEqual({
      batch: expect.any(String),
      fell: { 'public.labels': 1, 'public.albums': 2, 'public.producers': 1, 'public.tracks': 3 },
      unlinked: {},
      removed: { album_tags_album_id_fkey: 1 },
    });
    expect(await em.findOne(Track, tracks[1]!.id)).toBeNull();
    expect(await previewRestore(em, done.batch!)).toMatchObject({
      restorable: true,
      rows: { 'public.labels': 1, 'public.albums': 2, 'public.producers': 1, 'public.tracks': 3 },
      reinserts: { 'public.album_tags': 1 },
    });
    expect(await restore(em, done.batch!)).toEqual({
      batch: done.batch,
      rows: { 'public.labels': 1, 'public.albums': 2, 'public.producers': 1, 'public.tracks': 3 },
      relinked: {},
      reinserted: { 'public.album_tags': 1 },
    });
    expect(await em.count(Track)).toBe(3);
    expect(await em.count(Album)).toBe(albums.length);
  });

  it('tells its plan before, level by level', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em, 'Impulse');
    expect(formatDeletePlan(await explainDelete(em, Label, { id: label.id }))).toBe(
      `Delete Label: 1 of public.labels, 2 of public.albums, 1 of public.producers, 4 of public.tracks
  level 1  public.albums      cascade          2  by albums_label_id_fkey
  level 1  public.contracts   restrict         0  by contracts_label_id_fkey
  level 1  public.labels      cascade          0  by labels_parent_id_fkey
  level 1  public.producers   cascade          1  by producers_label_id_fkey
  level 2  public.album_tags  record           1  by album_tags_album_id_fkey
  level 2  public.tracks      cascade          4  by tracks_album_id_fkey
  level 2  public.tracks      unlink           0  by tracks_producer_id_fkey
  level 3  public.plays       keep             0  by plays_track_id_fkey`,
    );
  });
});
