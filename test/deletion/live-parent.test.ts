import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { softDelete, type DataEntityManager } from 'tombstone';
import { checkDeletion, deleteRows, restore } from 'tombstone/deletion';
import { defineEntity, p, TransactionPropagation } from '@mikro-orm/postgresql';
import { bigintId, defineModule } from 'tombstone';
import { liveParentRefusal } from '../../src/kit/errors/live-parent-refusal.ts';
import { connect } from '../kit/fixtures/backstop.ts';
import { guarantee, softTables } from './fixtures/guarantee.ts';
import { Album, Label, music, Producer, TABLES, Track } from './fixtures/label-model.ts';
import { databaseWith, type Music, openOrm, plantLabel } from './fixtures/music.ts';

const MODEL = softTables('labels', 'producers', 'albums', 'tracks');
const KEYS = [
  'labels_parent_id_fkey',
  'producers_label_id_fkey',
  'albums_label_id_fkey',
  'tracks_album_id_fkey',
  'tracks_producer_id_fkey',
];

async function untilWaiting(client: Client): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const { rows } = await client.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows.length > 0) return;
    await sleep(10);
  }
  throw new Error('Nobody waits for a lock.');
}

describe.each([['plain'], ['online']])('with the guarantee, %s', (form) => {
  let db: Music;
  let client: Client;
  let other: Client;
  let em: DataEntityManager;
  beforeAll(async () => {
    const url = await databaseWith(TABLES);
    [client, other] = [await connect(url), await connect(url)];
    for (const key of KEYS) await guarantee(client, url, key, { model: MODEL, online: form === 'online' });
    db = await openOrm(url, music);
  });
  afterAll(async () => {
    await client.end();
    await other.end();
    await db.close();
  });
  beforeEach(async () => {
    await client.query(
      'truncate labels, producers, albums, tracks, deletion_batches, deletion_entries cascade',
    );
    em = db.orm.em.fork();
  });

  it('a tree falls level by level and comes back', async () => {
    const { label } = await plantLabel(em);
    const { batch, fell } = await deleteRows(em, Label, { id: label.id });
    expect(fell).toEqual({
      'public.labels': 1,
      'public.producers': 1,
      'public.albums': 2,
      'public.tracks': 4,
    });
    expect((await restore(em, batch!)).rows).toEqual(fell);
    expect(await em.fork().count(Track)).toBe(4);
  });

  it('unlinks behind the parent, and links again', async () => {
    const { producer } = await plantLabel(em);
    const { batch, unlinked } = await deleteRows(em, Producer, { id: producer.id });
    expect(unlinked).toEqual({ tracks_producer_id_fkey: 4 });
    expect((await restore(em, batch!)).relinked).toEqual({ tracks_producer_id_fkey: 4 });
  });

  it('is asked at once, also behind a deletion in the same transaction', async () => {
    const { label, albums } = await plantLabel(em);
    await em.fork().transactional(async (tx) => {
      await deleteRows(tx, Album, { id: albums[0]!.id });
      const insert = () =>
        tx.transactional(
          (own) => own.execute('insert into tracks (title, album_id) values (?, ?)', ['late', albums[0]!.id]),
          { propagation: TransactionPropagation.NESTED },
        );
      await expect(insert()).rejects.toMatchObject({ code: 'DELETION.DEAD_PARENT', status: 409 });
    });
    expect(label.deletedAt ?? null).toBeNull();
  });

  it('refuses a row under a dead parent with a code and a constraint', async () => {
    const { albums } = await plantLabel(em);
    await deleteRows(em, Album, { id: albums[0]!.id });
    const own = db.orm.em.fork();
    own.create(Track, { title: 'late', album: own.getReference(Album, albums[0]!.id) });
    await expect(own.flush()).rejects.toMatchObject({
      code: 'DELETION.DEAD_PARENT',
      constraint: 'tracks_album_id_tombstone_live_fkey',
      sqlState: '23503',
    });
  });

  it('refuses the mark of a parent with live children, whoever sets it', async () => {
    const { albums } = await plantLabel(em);
    const marked = em.nativeUpdate(Album, { id: albums[0]!.id }, { deletedAt: new Date() });
    await expect(marked).rejects.toMatchObject({
      code: 'DELETION.LIVE_CHILDREN',
      status: 409,
      constraint: 'tracks_album_id_tombstone_live_fkey',
    });
  });

  it('makes the deletion wait for a child that is being inserted, and takes it along', async () => {
    const { albums } = await plantLabel(em);
    await other.query('begin');
    await other.query(`insert into tracks (title, album_id) values ('late', $1)`, [albums[0]!.id]);
    const deleting = deleteRows(db.orm.em.fork(), Album, { id: albums[0]!.id });
    await untilWaiting(client);
    await other.query('commit');
    expect((await deleting).fell['public.tracks']).toBe(3);
  });

  it('makes a child wait for a deletion, and refuses it then', async () => {
    const { albums } = await plantLabel(em);
    const own = db.orm.em.fork();
    await own.begin();
    await deleteRows(own, Album, { id: albums[0]!.id });
    const inserting = other
      .query(`insert into tracks (title, album_id) values ('late', $1)`, [albums[0]!.id])
      .then(
        () => 'stored',
        (error: { code?: string }) => error.code,
      );
    await untilWaiting(client);
    await own.commit();
    expect(await inserting).toBe('23503');
  });

  it('shows its column to no entity, and entities are written without it', async () => {
    const { label } = await plantLabel(em);
    const own = db.orm.em.fork();
    const loaded = await own.findOneOrFail(Label, label.id);
    expect(Object.keys(loaded)).not.toContain('tombstone_live');
    expect(JSON.stringify(loaded)).not.toContain('tombstone_live');
    loaded.name = 'another';
    await own.flush();
    expect((await db.orm.em.fork().findOneOrFail(Label, label.id)).name).toBe('another');
  });

  it('holds for rows written past its column', async () => {
    await plantLabel(em);
    const { rows } = await client.query<{ n: number }>(
      'select count(*)::int as n from albums where tombstone_live',
    );
    expect(rows).toEqual([{ n: 2 }]);
    if (form === 'plain') return;
    // Triggers are off for a session of a replica; the check is not.
    await client.query('begin; set local session_replication_role to replica');
    await expect(client.query('update tracks set deleted_at = now()')).rejects.toMatchObject({
      code: '23514',
    });
    await client.query('rollback');
  });
});

describe('a class that does not delete by policies', () => {
  const BoxSchema = defineEntity({
    name: 'Box',
    tableName: 'boxes',
    properties: { id: bigintId(), ...softDelete.properties() },
  });
  class Box extends BoxSchema.class {}
  BoxSchema.setClass(Box);
  const ToySchema = defineEntity({
    name: 'Toy',
    tableName: 'toys',
    properties: { id: bigintId(), box: () => p.manyToOne(Box), ...softDelete.properties() },
  });
  class Toy extends ToySchema.class {}
  ToySchema.setClass(Toy);
  softDelete.register(Box);
  softDelete.register(Toy);
  softDelete.deadTargets(Toy, { box: 'stub' });

  it('is told that there are live children, and removes both in one flush', async () => {
    const url = await databaseWith(`create table boxes (id bigserial primary key, deleted_at timestamptz);
      create table toys (id bigserial primary key, deleted_at timestamptz,
        box_id bigint not null constraint toys_box_id_fkey references boxes)`);
    const client = await connect(url);
    await guarantee(client, url, 'toys_box_id_fkey', { model: softTables('boxes', 'toys') });
    const module = defineModule({ name: 'toys', migrations: '/nowhere', entities: [Box, Toy] });
    const { orm, close } = await openOrm(url, module);
    const em = orm.em.fork();
    const box = em.create(Box, {});
    const toy = em.create(Toy, { box });
    await em.flush();
    const own = orm.em.fork();
    own.remove(await own.findOneOrFail(Box, box.id));
    await expect(own.flush()).rejects.toMatchObject({ code: 'DELETION.LIVE_CHILDREN' });
    const both = orm.em.fork();
    both.remove(await both.findOneOrFail(Box, box.id));
    both.remove(await both.findOneOrFail(Toy, toy.id));
    await both.flush();
    await expect(orm.em.fork().getRepository(Toy).restoreByKey(toy.id)).rejects.toMatchObject({
      code: 'DELETION.DEAD_PARENT',
    });
    await client.end();
    await close();
  });
});

it('a guarantee that cannot be deferred is refused', async () => {
  const url = await databaseWith(TABLES);
  const client = await connect(url);
  await guarantee(client, url, 'tracks_album_id_fkey', { model: MODEL });
  const { orm, close } = await openOrm(url, music);
  await checkDeletion(orm.em.fork());
  await client.query(
    'alter table tracks alter constraint tracks_album_id_tombstone_live_fkey not deferrable',
  );
  await expect(checkDeletion(orm.em.fork())).rejects.toMatchObject({
    code: 'DELETION.CONTRADICTION',
    constraint: 'tracks_album_id_tombstone_live_fkey',
  });
  await client.end();
  await close();
});

/** As the catalogues of PostgreSQL translate them. */
const SENTENCES = [
  [
    'update or delete on table "albums" violates foreign key constraint "KEY" on table "tracks"',
    'insert or update on table "tracks" violates foreign key constraint "KEY"',
  ],
  [
    'Aktualisieren oder Löschen in Tabelle »albums« verletzt Fremdschlüssel-Constraint »KEY« von Tabelle »tracks«',
    'Einfügen oder Aktualisieren in Tabelle »tracks« verletzt Fremdschlüssel-Constraint »KEY«',
  ],
  [
    'UPDATE ou DELETE sur la table « albums » viole la contrainte de clé étrangère « KEY » de la table « tracks »',
    'une instruction insert ou update sur la table « tracks » viole la contrainte de clé étrangère « KEY »',
  ],
  [
    'テーブル"albums"の更新または削除は、テーブル"tracks"の外部キー制約"KEY"に違反します',
    'テーブル"tracks"への挿入、更新は外部キー制約"KEY"に違反しています',
  ],
] as const;

it.each(SENTENCES)('tells the directions of a violation apart: %s', (above, below) => {
  const constraint = 'tracks_album_id_tombstone_live_fkey';
  const codeOf = (sentence: string, name = constraint) =>
    liveParentRefusal({
      name: 'error',
      code: '23503',
      constraint: name,
      table: 'tracks',
      message: sentence.replace('KEY', name),
    })?.code;
  expect([codeOf(above), codeOf(below)]).toEqual(['DELETION.LIVE_CHILDREN', 'DELETION.DEAD_PARENT']);
  expect(codeOf(above, 'tracks_album_id_fkey')).toBeUndefined();
});
