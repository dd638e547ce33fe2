import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { deleteRows, restore } from 'tombstone/deletion';
import { Label, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';

let db: Music;
beforeAll(async () => {
  db = await openMusic();
});
afterAll(() => db.close());

it('a restore that skips what has changed leaves the transaction of its caller whole', async () => {
  const em = db.orm.em.fork();
  const { label, tracks } = await plantLabel(em);
  const { batch } = await deleteRows(em, Label, { id: label.id });
  await em.skipSoftDelete((own) => own.nativeDelete(Track, { id: tracks[0]!.id }));
  await em.transactional(async (tx) => {
    await restore(tx, batch!, { changed: 'skip' });
    tx.create(Label, { name: 'beside it' });
  });
  expect(await db.orm.em.fork().count(Track, { album: { label: label.id } })).toBe(3);
  expect(await db.orm.em.fork().count(Label, { name: 'beside it' })).toBe(1);
});
