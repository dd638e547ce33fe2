import { expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type BatchId, deleteRows, deletion, explainDelete, restore } from 'tombstone/deletion';
import { Album, Label, Play, Tag, Track } from './fixtures/label-model.ts';

/** Never called: the compiler reads it, and an error that is expected and does not come is one itself. */
export async function wrongCalls(em: DataEntityManager, batch: BatchId, live: Track): Promise<void> {
  // @ts-expect-error a text is no batch: batchId() makes one of it
  await restore(em, 'some text');
  await restore(em, batch);
  // @ts-expect-error what normal code has found need not be deleted
  await restore(em, live);
  const [dead] = await em.onlyDeleted((trash) => trash.find(Track, {}));
  if (dead) await restore(em, dead);
  // @ts-expect-error a class without a mark has nothing to restore
  await deleteRows(em, Tag, { id: '1' });
  // @ts-expect-error there is no such property
  await deleteRows(em, Album, { colour: 'blue' });
  // @ts-expect-error there is no such property
  await explainDelete(em, Album, { colour: 'blue' });
  // @ts-expect-error a class without a mark cannot delete by policies
  deletion.register(Tag);
  // @ts-expect-error the relation is NOT NULL
  deletion.relations(Track, { album: 'unlink' });
  // @ts-expect-error rows with a mark fall, they are not removed
  deletion.relations(Track, { album: 'record' });
  // @ts-expect-error rows without a mark cannot fall
  deletion.relations(Play, { track: 'cascade' });
  // @ts-expect-error there is no such policy
  deletion.relations(Track, { producer: 'forget' });
  // @ts-expect-error there is no such relation
  deletion.relations(Track, { label: 'cascade' });
  // @ts-expect-error this is a column
  deletion.relations(Track, { title: 'keep' });
  // @ts-expect-error links have no mark
  deletion.relations(Album, { tags: 'cascade' });
  deletion.relations(Track, { album: 'cascade', producer: 'unlink' });
  deletion.relations(Album, { tags: 'record' });
  deletion.relations(Label, { parent: 'restrict' });
  deletion.relations(Play, { track: 'record' });
}

it('is read by the compiler', () => {
  expect(wrongCalls).toBeInstanceOf(Function);
});
