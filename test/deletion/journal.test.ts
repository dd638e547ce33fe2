import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { deleteRows, deletionOf, withDeletionContext } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Label, Producer, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';
import { statementsOf } from './fixtures/statements.ts';

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

const rowsOf = async (batch: string) =>
  (
    await client.query(
      'select step, kind, table_name, edge, key, cause, detail from deletion_rows where batch_id = $1 order by step, table_name, key',
      [batch],
    )
  ).rows;

describe('the journal', () => {
  it('has actor, reason, tenant, cause and the clock of the rows', async () => {
    const em = db.orm.em.fork();
    const { producer, tracks } = await plantLabel(em);
    const facts = { actor: 'user:7', reason: 'left', tenant: '3' };
    const batch = await withDeletionContext(facts, async (context) => {
      em.remove(producer);
      await em.flush();
      expect(context.batches).toHaveLength(1);
      return context.batches[0]!;
    });
    const { rows } = await client.query(
      `select b.actor, b.reason, b.tenant, b.restored_at, b.deleted_at = p.deleted_at as "sameClock"
       from deletion_batches b, producers p where b.id = $1 and p.id = $2`,
      [batch, producer.id],
    );
    expect(rows).toEqual([{ ...facts, restored_at: null, sameClock: true }]);
    const unlinked = tracks.map(({ id }) => ({
      step: 1,
      kind: 'unlinked',
      table_name: 'public.tracks',
      edge: 'tracks_producer_id_fkey',
      key: id,
      cause: producer.id,
      detail: { producer_id: Number(producer.id) },
    }));
    expect(await rowsOf(batch)).toEqual([
      {
        step: 0,
        kind: 'fell',
        table_name: 'public.producers',
        edge: '',
        key: producer.id,
        cause: null,
        detail: null,
      },
      ...unlinked,
    ]);
  });

  it('tells of a dead row why it is dead', async () => {
    const em = db.orm.em.fork();
    const { label, tracks } = await plantLabel(em, 'ECM');
    const { batch } = await withDeletionContext({ actor: 'user:8' }, () =>
      deleteRows(em, Label, { id: label.id }),
    );
    const dead = await em.onlyDeleted((trash) => trash.findOneOrFail(Track, tracks[0]!.id));
    expect(await deletionOf(em, dead)).toMatchObject({
      batch,
      actor: 'user:8',
      reason: null,
      edge: 'tracks_album_id_fkey',
      cause: tracks[0]!.album.id,
    });
  });

  it('is filled by every way to delete: flush, em.nativeDelete and the repository', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em, 'Okeh');
    const { albums: others } = await plantLabel(em, 'Brunswick');
    const batches = await withDeletionContext({}, async (context) => {
      em.remove(albums[0]!);
      await em.flush();
      expect(await em.getRepository(Album).softDelete(albums[1]!.id)).toBe(true);
      expect(await em.nativeDelete(Album, { id: others.map(({ id }) => id) })).toBe(2);
      return context.batches;
    });
    const counts = await client.query(
      `select count(*)::int as rows from deletion_rows where batch_id = any($1) and table_name = 'public.tracks' group by batch_id order by 1`,
      [batches],
    );
    expect(counts.rows).toEqual([{ rows: 2 }, { rows: 2 }, { rows: 4 }]);
    expect(await em.getRepository(Album).softDelete(albums[1]!.id)).toBe(false);
  });

  it('has one batch for what one flush removes, also of several classes', async () => {
    const em = db.orm.em.fork();
    const { albums, producer } = await plantLabel(em, 'Vocalion');
    const batches = await withDeletionContext({}, async (context) => {
      em.remove(albums[0]!).remove(producer);
      await em.flush();
      return context.batches;
    });
    expect(batches).toHaveLength(1);
    const kinds = (await rowsOf(batches[0]!)).map(({ kind, table_name }) => `${kind} ${table_name}`);
    expect(kinds.toSorted()).toEqual([
      'fell public.albums',
      'fell public.producers',
      'fell public.tracks',
      'fell public.tracks',
      'removed public.album_tags',
      'unlinked public.tracks',
      'unlinked public.tracks',
    ]);
  });

  it('keeps two contexts of one transaction apart, and writes nothing for a deletion that finds nothing', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em, 'Savoy');
    const [first, second] = await em.transactional(async (tx) => [
      await withDeletionContext({ actor: 'a' }, () => deleteRows(tx, Album, { id: albums[0]!.id })),
      await withDeletionContext({ actor: 'b' }, () => deleteRows(tx, Album, { id: albums[1]!.id })),
    ]);
    expect(first.batch).not.toBe(second.batch);
    const again = await deleteRows(em, Album, { id: albums[0]!.id });
    expect(again).toEqual({ batch: undefined, fell: {}, unlinked: {}, removed: {} });
  });

  it('goes with a transaction that is rolled back, and its savepoint', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em, 'Dial');
    let batch: string | undefined;
    await em
      .transactional(async (tx) => {
        ({ batch } = await deleteRows(tx, Album, { id: albums[0]!.id }));
        throw new Error('no');
      })
      .catch(() => undefined);
    expect(await rowsOf(batch!)).toEqual([]);
    expect(await em.fork().count(Album, { id: albums[0]!.id })).toBe(1);
  });
});

describe('the statements of a deletion', () => {
  it('are one for each level, however many rows there are, and no row is loaded', async () => {
    const em = db.orm.em.fork();
    const [few, many] = [await plantLabel(em, 'Few'), await plantLabel(em, 'Many')];
    await client.query(
      `insert into albums (title, label_id) select 'album ' || n, $1::bigint from generate_series(1, 500) n`,
      [many.label.id],
    );
    await client.query(
      `insert into tracks (title, album_id) select 't', a.id from albums a, generate_series(1, 4) where a.label_id = $1 and a.deleted_at is null`,
      [many.label.id],
    );
    const own = db.orm.em.fork();
    const small = await statementsOf(db, () => deleteRows(own, Label, { id: few.label.id }));
    const large = await statementsOf(db, async () => {
      const { fell } = await deleteRows(own, Label, { id: many.label.id });
      expect(fell['public.tracks']).toBe(2012);
    });
    // Restrict first, three levels of marks, restrict again, and one for links and unlinking.
    expect(small.map((sql) => /^with recursive|^with|^select/.exec(sql)?.[0])).toEqual([
      'with recursive',
      'with',
      'with',
      'with',
      'select',
      'with',
    ]);
    expect(large).toHaveLength(small.length);
    expect(own.getUnitOfWork().getIdentityMap().values()).toHaveLength(0);
  });

  it('are as few as the levels where nothing restricts, unlinks or links', async () => {
    const em = db.orm.em.fork();
    const { tracks } = await plantLabel(em, 'Leaf');
    const sent = await statementsOf(db, () => deleteRows(db.orm.em.fork(), Track, { id: tracks[0]!.id }));
    expect(sent).toHaveLength(1);
    expect(await em.fork().count(Producer, {})).toBeGreaterThan(0);
  });
});

describe('a flush that removes', () => {
  it('takes what has fallen along out of the identity map', async () => {
    const em = db.orm.em.fork();
    const { label, albums, tracks } = await plantLabel(em, 'Prestige');
    em.remove(label);
    await em.flush();
    expect(await em.findOne(Album, albums[0]!.id)).toBeNull();
    expect(await em.findOne(Track, tracks[0]!.id)).toBeNull();
  });

  it('leaves live rows of the same classes in it', async () => {
    const em = db.orm.em.fork();
    const { albums, tracks } = await plantLabel(em, 'Riverside');
    em.remove(albums[0]!);
    await em.flush();
    expect(await em.findOne(Track, tracks[3]!.id)).toBe(tracks[3]);
  });
});

describe('em.nativeDelete and deleteRows', () => {
  it('take what has fallen out of the identity map, in a transaction and outside', async () => {
    const em = db.orm.em.fork();
    const planted = await plantLabel(em, 'Verve II');
    const other = await plantLabel(em, 'Verve III');
    const own = db.orm.em.fork();
    await own.find(Track, {});
    await deleteRows(own, Label, { id: planted.label.id });
    expect(await own.findOne(Track, planted.tracks[0]!.id)).toBeNull();
    expect(await own.findOne(Track, other.tracks[0]!.id)).not.toBeNull();
    await own.transactional(async (tx) => {
      await tx.nativeDelete(Album, { id: other.albums[0]!.id });
      expect(await tx.findOne(Track, other.tracks[0]!.id)).toBeNull();
    });
  });
});
