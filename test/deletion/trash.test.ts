import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import {
  type BatchId,
  batchOfKey,
  countUnjournaled,
  deleteRows,
  describeBatch,
  listBatches,
  listDeleted,
  restore,
  withDeletionContext,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { Album, Contract, Label, music, Producer, TABLES, Tag, Track } from './fixtures/label-model.ts';
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

const NOBODY = '00000000-0000-4000-8000-000000000000' as BatchId;

async function deletedLabel(name?: string) {
  const em = db.orm.em.fork();
  const planted = await plantLabel(em, name);
  const { batch } = await deleteRows(em, Label, { id: planted.label.id });
  return { ...planted, em, batch: batch! };
}

const stateOf = async (batch: BatchId) => {
  const { state, fell } = await describeBatch(db.orm.em.fork(), batch);
  return [state, ...fell.map(({ entity, rows, roots, left }) => `${entity} ${rows} ${roots} ${left}`)];
};

describe('the list of batches', () => {
  it('is newest first, by pages that miss and repeat none, also of one clock', async () => {
    const em = db.orm.em.fork();
    const labels = Array.from({ length: 7 }, (_, index) => em.create(Label, { name: `label ${index}` }));
    await em.flush();
    for (const { id } of labels.slice(0, 3)) await deleteRows(em, Label, { id });
    // Several contexts of one transaction are several batches of one clock.
    await em.transactional(async (tx) => {
      for (const { id } of labels.slice(3))
        await withDeletionContext({}, () => deleteRows(tx, Label, { id }));
    });
    const all = await listBatches(em);
    expect(all.next).toBeUndefined();
    expect(all.batches).toHaveLength(7);
    const order = await client.query('select id from deletion_batches order by deleted_at desc, id desc');
    const expected = order.rows.map(({ id }: { id: string }) => id);
    const seen: string[] = [];
    let after: BatchId | undefined;
    do {
      const page = await listBatches(em, { limit: 2, ...(after && { after }) });
      seen.push(...page.batches.map(({ batch }) => batch));
      after = page.next;
    } while (after);
    expect(seen).toEqual(expected);
    expect(all.batches.map(({ batch }) => batch)).toEqual(expected);
  });

  it('is filtered by entity, whatever it fell with, by actor and by time', async () => {
    const { em, producer, batch } = await deletedLabel();
    const other = await withDeletionContext({ actor: 'user:8' }, () =>
      deleteRows(em, Producer, { id: producer.id }),
    );
    const of = async (filter: Parameters<typeof listBatches>[1]) =>
      (await listBatches(em, filter)).batches.map((one) => one.batch);
    // The producer fell with its label, and was dead before it could be deleted itself.
    expect(other.batch).toBeUndefined();
    const { batch: second } = await withDeletionContext({ actor: 'user:8' }, async () => {
      const own = em.create(Producer, { name: 'free' });
      await em.flush();
      return deleteRows(em, Producer, { id: own.id });
    });
    expect(await of({ entity: Track })).toEqual([batch]);
    expect(await of({ entity: Producer })).toEqual([second, batch]);
    expect(await of({ actor: 'user:8' })).toEqual([second]);
    expect(await of({ actor: "' or true --" })).toEqual([]);
    await client.query(`update deletion_batches set deleted_at = '2026-01-02T03:04:05.678Z' where id = $1`, [
      batch,
    ]);
    expect(await of({ since: new Date('2026-01-02T03:04:05.678Z') })).toEqual([second, batch]);
    expect(await of({ since: new Date('2026-01-02T03:04:05.679Z') })).toEqual([second]);
    expect(await of({ entity: Track, actor: 'user:8' })).toEqual([]);
  });

  it('refuses a page behind a batch that there is not, an entity without a journal, and no time', async () => {
    const em = db.orm.em.fork();
    await expect(listBatches(em, { after: NOBODY })).rejects.toMatchObject({
      code: 'DELETION.UNKNOWN_BATCH',
    });
    await expect(listBatches(em, { entity: Contract })).rejects.toMatchObject({
      code: 'DELETION.NOT_REGISTERED',
    });
    await expect(listBatches(em, { since: new Date(Number.NaN) })).rejects.toMatchObject({
      code: 'VALIDATION',
    });
  });
});

describe('the state of a batch', () => {
  it('is whole, changed, purged or restored, by what each row is now', async () => {
    const { em, label, albums, tracks, batch } = await deletedLabel();
    const whole = ['whole', 'Label 1 1 1', 'Album 2 0 2', 'Producer 1 0 1', 'Track 4 0 4'];
    expect(await stateOf(batch)).toEqual(whole);
    await client.query('update tracks set deleted_at = null where id = $1', [tracks[0]!.id]);
    await client.query(`update tracks set deleted_at = now() + '1s' where id = $1`, [tracks[1]!.id]);
    await client.query('delete from tracks where id = $1', [tracks[2]!.id]);
    expect(await stateOf(batch)).toEqual(['changed', ...whole.slice(1, 4), 'Track 4 0 1']);
    await restore(em, batch, { changed: 'skip' });
    expect((await stateOf(batch))[0]).toBe('restored');
    const { batch: again } = await deleteRows(em, Label, { id: label.id });
    await client.query('delete from tracks; delete from albums; delete from producers');
    expect((await stateOf(again!))[0]).toBe('changed');
    await client.query('delete from labels');
    expect(await stateOf(again!)).toEqual([
      'purged',
      'Label 1 1 0',
      `Album ${albums.length} 0 0`,
      'Producer 1 0 0',
      'Track 2 0 0',
    ]);
  });

  it('is changed when a table has left the schema', async () => {
    const { batch } = await deletedLabel();
    await client.query(
      `update deletion_entries set table_name = 'public.gone' where table_name = 'public.tracks'`,
    );
    expect(await stateOf(batch)).toEqual([
      'changed',
      'Label 1 1 1',
      'Album 2 0 2',
      'undefined 4 0 0',
      'Producer 1 0 1',
    ]);
  });
});

describe('the description of a batch', () => {
  it('has levels, foreign keys, what was unlinked and removed, and the clock to the microsecond', async () => {
    const em = db.orm.em.fork();
    const { label, producer } = await plantLabel(em);
    const facts = { actor: 'user:7', reason: 'left', tenant: '3' };
    const batch = await withDeletionContext(facts, (context) =>
      em.transactional(async (tx) => {
        await deleteRows(tx, Producer, { id: producer.id });
        await deleteRows(tx, Label, { id: label.id });
        return context.batches[0]!;
      }),
    );
    const described = await describeBatch(em, batch);
    const { rows } = await client.query(
      `select to_char(deleted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from deletion_batches`,
    );
    expect(described).toMatchObject({ ...facts, batch, restoredAt: null });
    // JSON leaves zeros out at the end.
    expect(new Date(described.deletedAt)).toEqual(new Date(rows[0].at));
    expect(rows[0].at.replace(/0*Z$/, '')).toBe(described.deletedAt.replace(/Z$/, ''));
    expect(
      described.steps.map(({ level, kind, entity, constraint, rows: count }) => [
        level,
        kind,
        entity,
        constraint,
        count,
      ]),
    ).toEqual([
      [0, 'fell', 'Producer', null, 1],
      [0, 'fell', 'Label', null, 1],
      [1, 'fell', 'Album', 'albums_label_id_fkey', 2],
      [2, 'fell', 'Track', 'tracks_album_id_fkey', 4],
      [null, 'unlinked', 'Track', 'tracks_producer_id_fkey', 4],
      [null, 'removed', 'album_tags', 'album_tags_album_id_fkey', 1],
    ]);
    await expect(describeBatch(em, NOBODY)).rejects.toMatchObject({ code: 'DELETION.UNKNOWN_BATCH' });
  });
});

describe('a batch by the key of a row', () => {
  it('is that which the row began, and of the others the reason is told', async () => {
    const { em, label, tracks, batch } = await deletedLabel();
    expect(await batchOfKey(em, Label, label.id)).toBe(batch);
    await expect(batchOfKey(em, Track, tracks[0]!.id)).rejects.toMatchObject({
      code: 'DELETION.PART_OF_BATCH',
      batch,
    });
    await expect(batchOfKey(em, Label, '999')).rejects.toMatchObject({ code: 'DELETION.NEVER_DELETED' });
    await client.query(`insert into labels (name, deleted_at) values ('old', '2020-01-01')`);
    const { rows } = await client.query(`select id from labels where name = 'old'`);
    await expect(batchOfKey(em, Label, rows[0].id)).rejects.toMatchObject({ code: 'DELETION.NOT_JOURNALED' });
    await expect(batchOfKey(em, Contract, '1')).rejects.toMatchObject({ code: 'DELETION.NOT_REGISTERED' });
  });
});

describe('deleted rows without a journal', () => {
  it('are counted for each entity, and listed by key and time alone', async () => {
    const { em, label } = await deletedLabel();
    await client.query(
      `insert into contracts (label_id, deleted_at) select $1, '2026-01-01T00:00:00Z'::timestamptz + n / 2 * interval '1h'
       from generate_series(1, 5) n`,
      [label.id],
    );
    await client.query('insert into contracts (label_id) values ($1)', [label.id]);
    expect(await countUnjournaled(em)).toEqual([
      {
        entity: 'Contract',
        table: 'public.contracts',
        rows: 5,
        oldest: '2026-01-01T00:00:00Z',
        newest: '2026-01-01T02:00:00Z',
      },
    ]);
    const { rows } = await client.query(
      'select id from contracts where deleted_at is not null order by deleted_at desc, id desc',
    );
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await listDeleted(em, Contract, { limit: 2, ...(after && { after }) });
      for (const row of page.rows) expect(Object.keys(row)).toEqual(['key', 'deletedAt']);
      seen.push(...page.rows.map(({ key }) => key));
      after = page.next;
    } while (after);
    expect(seen).toEqual(rows.map(({ id }: { id: string }) => id));
    await expect(listDeleted(em, Contract, { after: '999' })).rejects.toMatchObject({
      code: 'DELETION.NEVER_DELETED',
    });
    await expect(listDeleted(em, Tag)).rejects.toMatchObject({ code: 'DELETION.NOT_REGISTERED' });
    expect((await listDeleted(em, Album)).rows).toHaveLength(2);
  });

  it('need no journal in the database', async () => {
    const { url } = await emptyTestDatabase();
    const own = await connect(url);
    await own.query(TABLES);
    await own.end();
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [music] }));
    expect(await countUnjournaled(orm.em.fork())).toMatchObject([{ entity: 'Contract', rows: 0 }]);
    expect((await listDeleted(orm.em.fork(), Label)).rows).toEqual([]);
    await expect(listBatches(orm.em.fork())).rejects.toMatchObject({ code: 'DELETION.NO_JOURNAL' });
    await orm.close();
  });
});
