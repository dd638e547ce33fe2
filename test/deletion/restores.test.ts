import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { isDataError } from 'tombstone';
import {
  batchId,
  deleteRows,
  DeletionRestrictedError,
  previewRestore,
  restore,
  RestoreError,
  withDeletionContext,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Contract, Label, Producer, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';

let db: Music;
let client: Client;
beforeAll(async () => {
  db = await openMusic();
  client = await connect(db.url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(() =>
  client.query(
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries cascade',
  ),
);

/** The whole world, to tell that nothing has changed. */
const everything = async (): Promise<unknown> => {
  const tables = [
    'labels',
    'producers',
    'albums',
    'tracks',
    'contracts',
    'album_tags',
    'deletion_batches',
    'deletion_entries',
  ];
  const rows = tables.map((table) => `(select json_agg(t order by t::text) from ${table} t)`);
  return (await client.query(`select json_build_array(${rows.join(', ')}) as world`)).rows[0].world;
};

/** What is refused changes nothing. */
async function refused(work: () => Promise<unknown>): Promise<Error & { code: string }> {
  const before = await everything();
  const error = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(await everything()).toEqual(before);
  expect(isDataError(error)).toBe(true);
  expect((error as Error).message).toMatch(/\.$/);
  return error as Error & { code: string };
}

async function deletedLabel() {
  const em = db.orm.em.fork();
  const planted = await plantLabel(em);
  const { batch } = await deleteRows(em, Label, { id: planted.label.id });
  return { ...planted, em, batch: batch! };
}

describe('a deletion that is restricted', () => {
  it('changes nothing and names constraint and keys, by every way', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em);
    const contract = em.create(Contract, { label });
    await em.flush();
    const blockers = [
      { constraint: 'contracts_label_id_fkey', table: 'public.contracts', rows: 1, keys: [contract.id] },
    ];
    const ways = [
      () => deleteRows(db.orm.em.fork(), Label, { id: label.id }),
      () => db.orm.em.fork().nativeDelete(Label, { id: label.id }),
      () => db.orm.em.fork().getRepository(Label).softDelete(label.id),
      async () => {
        const own = db.orm.em.fork();
        own.remove(await own.findOneOrFail(Label, label.id));
        await own.flush();
      },
    ];
    for (const way of ways) {
      const error = await refused(way);
      expect(error).toBeInstanceOf(DeletionRestrictedError);
      expect(error).toMatchObject({
        code: 'DELETION.RESTRICTED',
        constraint: 'contracts_label_id_fkey',
        blockers,
      });
    }
  });

  it('passes when the restricting row is dead, or falls along in the same flush', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em);
    const contract = em.create(Contract, { label });
    await em.flush();
    em.remove(label).remove(contract);
    await em.flush();
    expect(await em.count(Label)).toBe(0);
  });

  it('leaves the work of an outer transaction that goes on', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em);
    em.create(Contract, { label });
    await em.flush();
    await em.begin();
    await em.nativeUpdate(Label, { id: label.id }, { name: 'renamed' });
    await expect(em.nativeDelete(Label, { id: label.id })).rejects.toMatchObject({
      code: 'DELETION.RESTRICTED',
    });
    await em.commit();
    expect((await client.query('select name, deleted_at from labels')).rows).toEqual([
      { name: 'renamed', deleted_at: null },
    ]);
  });
});

describe('a query builder', () => {
  it('does not delete past the policies', async () => {
    const em = db.orm.em.fork();
    expect(() => em.createQueryBuilder(Album).delete({ id: '1' })).toThrow(
      expect.objectContaining({ code: 'DELETION.QUERY_BUILDER' }),
    );
  });
});

describe('a restore', () => {
  it('leaves what was deleted before, and what was deleted after', async () => {
    const em = db.orm.em.fork();
    const { label, tracks, albums } = await plantLabel(em);
    await deleteRows(em, Track, { id: tracks[0]!.id });
    const { batch } = await deleteRows(em, Label, { id: label.id });
    await restore(em, batch!);
    expect((await em.find(Track, {}, { orderBy: { id: 1 } })).map(({ id }) => id)).toEqual(
      tracks.slice(1).map(({ id }) => id),
    );
    await deleteRows(em, Album, { id: albums[1]!.id });
    expect(await em.fork().count(Track)).toBe(1);
  });

  it('takes a deleted row for its batch, and stores by whom', async () => {
    const { em, label, batch } = await deletedLabel();
    const dead = await em.onlyDeleted((trash) => trash.findOneOrFail(Label, label.id));
    const done = await withDeletionContext({ actor: 'user:9', reason: 'mistake' }, () => restore(em, dead));
    expect(done.batch).toBe(batch);
    const { rows } = await client.query(
      'select restored_by, restore_reason, restored_at is not null as restored from deletion_batches',
    );
    expect(rows).toEqual([{ restored_by: 'user:9', restore_reason: 'mistake', restored: true }]);
  });

  it('links again only what is still unlinked, and whose target lives', async () => {
    const em = db.orm.em.fork();
    const { producer, tracks } = await plantLabel(em);
    const other = em.create(Producer, { name: 'other' });
    await em.flush();
    const { batch, unlinked } = await deleteRows(em, Producer, { id: producer.id });
    expect(unlinked).toEqual({ tracks_producer_id_fkey: 4 });
    await client.query('update tracks set producer_id = $1 where id = $2', [other.id, tracks[0]!.id]);
    await client.query('delete from tracks where id = $1', [tracks[1]!.id]);
    expect(await previewRestore(em, batch!)).toMatchObject({
      restorable: true,
      relinks: { tracks_producer_id_fkey: 2 },
      vanishedTargets: [
        {
          constraint: 'tracks_producer_id_fkey',
          table: 'public.tracks',
          rows: 2,
          keys: [tracks[0]!.id, tracks[1]!.id],
        },
      ],
    });
    expect((await restore(em, batch!)).relinked).toEqual({ tracks_producer_id_fkey: 2 });
    const { rows } = await client.query('select id, producer_id from tracks order by id');
    expect(rows.map(({ producer_id }) => producer_id)).toEqual([other.id, producer.id, producer.id]);
  });

  it('is refused by a live twin, which the preview shows, and works when it is gone', async () => {
    const { em, label, batch } = await deletedLabel();
    const twin = em.create(Label, { name: 'Verve' });
    await em.flush();
    const twins = [{ constraint: 'labels_name_live', table: 'public.labels', rows: 1, keys: [label.id] }];
    expect(await previewRestore(em, batch)).toMatchObject({ restorable: false, liveTwins: twins });
    const error = await refused(() => restore(em, batch));
    expect(error).toMatchObject({
      code: 'DELETION.RESTORE_CONFLICT',
      constraint: 'labels_name_live',
      preview: { liveTwins: twins },
    });
    expect(error.message).not.toContain('Verve');
    em.remove(twin);
    await em.flush();
    await restore(em, batch);
    expect(await em.count(Label)).toBe(1);
  });

  it('finds twins by an expression, and among the restored rows themselves', async () => {
    const em = db.orm.em.fork();
    const { label, albums } = await plantLabel(em);
    const { batch } = await deleteRows(em, Album, { label: label.id });
    await client.query(`update albums set title = 'SAME' where id = $1`, [albums[0]!.id]);
    await client.query(`update albums set title = 'same' where id = $1`, [albums[1]!.id]);
    expect(await previewRestore(em, batch!)).toMatchObject({
      liveTwins: [{ constraint: 'albums_title_live', rows: 2, keys: albums.map(({ id }) => id) }],
    });
    expect(await refused(() => restore(em, batch!))).toMatchObject({ code: 'DELETION.RESTORE_CONFLICT' });
  });

  it('is refused by a dead ancestor, which the preview shows', async () => {
    const em = db.orm.em.fork();
    const { label, albums, producer } = await plantLabel(em);
    const { batch } = await deleteRows(em, Album, { id: albums[0]!.id });
    await deleteRows(em, Label, { id: label.id });
    const deadAncestors = [
      { constraint: 'albums_label_id_fkey', table: 'public.labels', rows: 1, keys: [label.id] },
      { constraint: 'tracks_producer_id_fkey', table: 'public.producers', rows: 1, keys: [producer.id] },
    ];
    expect(await previewRestore(em, batch!)).toMatchObject({ restorable: false, deadAncestors });
    expect(await refused(() => restore(em, batch!))).toMatchObject({
      code: 'DELETION.RESTORE_CONFLICT',
      constraint: 'albums_label_id_fkey',
    });
  });

  it('of what is not there is a typed error: unknown, twice, purged, half', async () => {
    const { em, batch, tracks } = await deletedLabel();
    expect(await refused(() => restore(em, batchId('00000000-0000-4000-8000-000000000000')))).toMatchObject({
      code: 'DELETION.UNKNOWN_BATCH',
      status: 404,
    });
    expect(() => batchId('what; drop table')).toThrow(RestoreError);
    await client.query('delete from tracks where id = $1', [tracks[0]!.id]);
    const half = await refused(() => restore(em, batch));
    expect(half).toMatchObject({
      code: 'DELETION.INCOMPLETE_BATCH',
      preview: { changed: [{ table: 'public.tracks', state: 'gone', rows: 1, keys: [tracks[0]!.id] }] },
    });
    expect((await restore(em, batch, { changed: 'skip' })).rows['public.tracks']).toBe(3);
    expect(await refused(() => restore(em, batch))).toMatchObject({ code: 'DELETION.ALREADY_RESTORED' });
    const { batch: again } = await deleteRows(em, Track, {});
    await client.query('delete from tracks');
    expect(await refused(() => restore(em, again!))).toMatchObject({ code: 'DELETION.PURGED_BATCH' });
  });

  it('of a live row, of a child of a cascade, of a row without journal', async () => {
    const { em, batch, tracks, producer, label } = await deletedLabel();
    const [child, root] = await em.onlyDeleted((trash) =>
      Promise.all([trash.findOneOrFail(Track, tracks[0]!.id), trash.findOneOrFail(Label, label.id)]),
    );
    expect(await refused(() => restore(em, child))).toMatchObject({ code: 'DELETION.PART_OF_BATCH', batch });
    expect(await refused(() => em.getRepository(Producer).restoreByKey(producer.id))).toMatchObject({
      code: 'DELETION.PART_OF_BATCH',
    });
    await restore(em, batch);
    expect(await refused(() => restore(em, root))).toMatchObject({ code: 'DELETION.NEVER_DELETED' });
    expect(await em.getRepository(Producer).restoreByKey(producer.id)).toBe(false);
    await client.query(`update tracks set deleted_at = now() where id = $1`, [tracks[0]!.id]);
    expect(await refused(() => restore(em, child))).toMatchObject({ code: 'DELETION.NOT_JOURNALED' });
    expect(await em.getRepository(Track).restoreByKey(tracks[0]!.id)).toBe(true);
  });

  it('is what the repository does with the row that was deleted', async () => {
    const { em, label } = await deletedLabel();
    expect(await em.getRepository(Label).restoreByKey(label.id)).toBe(true);
    expect(await em.count(Track)).toBe(4);
  });

  it('rolls back with the transaction around it', async () => {
    const { em, batch } = await deletedLabel();
    await em
      .transactional(async (tx) => {
        await restore(tx, batch);
        throw new Error('no');
      })
      .catch(() => undefined);
    expect(await em.fork().count(Label)).toBe(0);
    await restore(em, batch);
    expect(await em.fork().count(Label)).toBe(1);
  });
});
