import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { deleteRows, placeHold, purge, type PurgeReport, restore, retention } from 'tombstone/deletion';
import { runIn } from '../../src/kit/deletion/graph-of.ts';
import {
  circlesSql,
  lockNamed,
  lockNext,
  type LockedKeys,
} from '../../src/kit/deletion/retention/batch-sql.ts';
import { purgeBatch, type PurgeWork } from '../../src/kit/deletion/retention/purge-batch.ts';
import { purgeGraph, type PurgeTable } from '../../src/kit/deletion/retention/purge-graph.ts';
import { stuckSql } from '../../src/kit/deletion/retention/stuck-sql.ts';
import { subjectsOf } from '../../src/kit/deletion/retention/subject.ts';
import { connect, stateOf } from '../kit/fixtures/backstop.ts';
import { Album, Label, Producer, Track } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';
import { untilWaiting } from './fixtures/waiting.ts';

let db: Music;
let client: Client;
let other: Client;
beforeAll(async () => {
  retention.policy(Label, { olderThan: '30 days' });
  retention.policy(Producer, { olderThan: '30 days' });
  retention.policy(Album, { olderThan: '30 days' });
  retention.policy(Track, { olderThan: '30 days' });
  db = await openMusic();
  [client, other] = [await connect(db.url), await connect(db.url)];
});
afterAll(async () => {
  await client.end();
  await other.end();
  await db.close();
});
beforeEach(async () => {
  // What a failed test has left open would stop every other.
  await other.query('rollback');
  await client.query(`set lock_timeout = '10s';
    truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries, deletion_holds cascade`);
});

const forked = () => db.orm.em.fork();

/** Deletes a label with all its parts, ninety days ago. */
async function plantOld(name = 'Verve') {
  const planted = await plantLabel(forked(), name);
  const { batch } = await deleteRows(forked(), Label, { id: planted.label.id });
  await age();
  return { ...planted, batch: batch! };
}

async function age(): Promise<void> {
  for (const table of ['labels', 'producers', 'albums', 'tracks', 'deletion_batches'])
    await client.query(`update ${table} set deleted_at = deleted_at - interval '90 days'
      where deleted_at > now() - interval '1 day' /* soft-delete: dead rows, because they grow older */`);
}

const left = async (table: string): Promise<number> =>
  (await client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

async function workOf(): Promise<PurgeWork> {
  const driver = forked().getDriver();
  const graph = await purgeGraph(driver, runIn(driver), subjectsOf(forked(), {}), false);
  return { driver, graph, values: {} };
}

const tableOf = ({ graph }: PurgeWork, name: string): PurgeTable =>
  graph.tables.find((one) => one.name === `public.${name}`)!;

/** One batch of a purge, and what others do between its lock and its removal. */
async function batchOf(
  work: PurgeWork,
  name: string,
  between: (locked: readonly LockedKeys[]) => Promise<unknown>,
  size = 1000,
): Promise<number> {
  const table = tableOf(work, name);
  const { counts } = await purgeBatch(work, [table], async (ask) => {
    const locked = await ask<LockedKeys>(lockNext(table, true), { size });
    await between(locked);
    return locked;
  });
  return counts.find(({ kind }) => kind === 'row')?.rows ?? 0;
}

describe('two purges at once', () => {
  it('do not wait for each other: one finishes while the other is in the middle of a batch', async () => {
    await plantOld();
    let beside: PurgeReport | undefined;
    const between = async () => (beside = await purge(forked()));
    const removed = await batchOf(await workOf(), 'tracks', between, 3);
    expect([removed, beside?.purged]).toEqual([3, { 'public.tracks': 1 }]);
    // What the first one had not committed yet has blocked the parents.
    expect((await purge(forked())).purged).toEqual({
      'public.albums': 2,
      'public.producers': 1,
      'public.labels': 1,
    });
  });

  it('remove each row once', async () => {
    for (let round = 0; round < 10; round += 1) await plantOld(`label ${round}`);
    const both = await Promise.all([3, 2, 4].map((batchSize) => purge(forked(), { batchSize })));
    const all = [...both, await purge(forked())];
    const sum = (table: string) => all.reduce((rows, { purged }) => rows + (purged[table] ?? 0), 0);
    expect(['tracks', 'albums', 'producers', 'labels'].map((table) => sum(`public.${table}`))).toEqual([
      40, 20, 10, 10,
    ]);
    expect(all.reduce((sums, { prunedBatches }) => sums + prunedBatches, 0)).toBe(10);
    expect([await left('labels'), await left('deletion_entries')]).toEqual([0, 0]);
  });
});

describe('a restore during a purge', () => {
  it('keeps its rows, while it is open and afterwards', async () => {
    const { tracks } = await plantOld();
    await other.query('begin');
    await other.query('update tracks set deleted_at = null where id = $1 and deleted_at is not null', [
      tracks[0]!.id,
    ]);
    expect((await purge(forked())).purged).toMatchObject({ 'public.tracks': 3, 'public.albums': 1 });
    await other.query('commit');
    await purge(forked());
    expect([await forked().count(Track), await left('albums')]).toEqual([1, 1]);
  });

  it('that comes behind the lock waits, and tells that it came too late', async () => {
    const { batch } = await plantOld();
    let restoring: Promise<unknown> = Promise.resolve();
    await batchOf(await workOf(), 'tracks', async () => {
      restoring = restore(forked(), batch).catch((error: unknown) => error);
      await untilWaiting(client);
    });
    expect(await restoring).toMatchObject({ code: 'DELETION.INCOMPLETE_BATCH' });
    expect(await left('tracks')).toBe(0);
  });

  it('that came between the look and the lock keeps its row, and the circle that it is in', async () => {
    const em = forked();
    const [one, two] = ['one', 'two'].map((name) => em.create(Label, { name }));
    await em.flush();
    for (const [child, parent] of [
      [one, two],
      [two, one],
    ])
      await client.query('update labels set parent_id = $1 where id = $2 and deleted_at is null', [
        parent!.id,
        child!.id,
      ]);
    await deleteRows(forked(), Label, { id: one!.id });
    await age();
    const work = await workOf();
    const table = tableOf(work, 'labels');
    const [found] = await lookAtCircles(work, table);
    expect(found?.rows).toBe(2);
    await client.query('update labels set deleted_at = null where id = $1 and deleted_at is not null', [
      one!.id,
    ]);
    const { counts, locked } = await purgeBatch(work, [table], (ask) =>
      ask<LockedKeys>(lockNamed(table), { keys: found!.keys }),
    );
    expect([locked[0]?.rows, counts]).toEqual([1, [{ kind: 'row', name: 'public.labels', rows: 0 }]]);
    expect(await left('labels')).toBe(2);
  });
});

function lookAtCircles({ driver, graph }: PurgeWork, table: PurgeTable): Promise<LockedKeys[]> {
  const text = circlesSql([table], graph.edges, stuckSql({ tables: [table], edges: graph.edges }));
  return runIn(driver)<LockedKeys>(text.replace('$size', '10'));
}

describe('a live child that is inserted during a purge', () => {
  const insert = `insert into tracks (title, album_id) values ('late', $1)`;
  const bare = async () => {
    const planted = await plantOld();
    await client.query('delete from tracks where deleted_at is not null');
    return planted.albums.map(({ id }) => id);
  };

  it('would be removed with its parent by a plain DELETE that waits for it', async () => {
    const [id] = await bare();
    await other.query('begin');
    await other.query(insert, [id]);
    const plain = client.query(`delete from albums a where a.deleted_at < now() - interval '30 days'
      and not exists (select from tracks t where t.album_id = a.id /* soft-delete: dead rows too, because they refer to it */)`);
    const watcher = await connect(db.url);
    await untilWaiting(watcher);
    await watcher.end();
    await other.query('commit');
    await plain;
    expect([await left('albums'), await left('tracks')]).toEqual([0, 0]);
  });

  it('keeps its parent while it is open, and afterwards', async () => {
    const [id] = await bare();
    await other.query('begin');
    await other.query(insert, [id]);
    expect((await purge(forked())).purged).toMatchObject({ 'public.albums': 1 });
    await other.query('commit');
    expect((await purge(forked())).blocked).toMatchObject([{ constraint: 'albums_label_id_fkey' }, {}]);
    expect([await left('albums'), await forked().count(Track)]).toEqual([1, 1]);
  });

  it('keeps its parent when it came between the look and the lock, though ON DELETE would take it along', async () => {
    for (const isLooking of [true, false]) {
      const [id] = await bare();
      const work = await workOf();
      const table = tableOf(work, 'albums');
      await other.query(insert, [id]);
      // Without the second look the foreign keys of the graph are not asked.
      const graph = isLooking ? work.graph : { ...work.graph, edges: [] };
      const removal = purgeBatch({ ...work, graph }, [table], (ask) =>
        ask<LockedKeys>(lockNamed(table), { keys: `{${id}}` }),
      );
      const { counts } = await removal;
      expect(counts.find(({ kind }) => kind === 'row')?.rows).toBe(isLooking ? 0 : 1);
      expect(await forked().count(Track)).toBe(isLooking ? 1 : 0);
      await client.query('truncate labels cascade');
    }
  });

  it('waits when it comes behind the lock, and is refused', async () => {
    const [id] = await bare();
    let inserting: Promise<unknown> = Promise.resolve();
    const removed = await batchOf(await workOf(), 'albums', async () => {
      inserting = stateOf(other, insert, [id]);
      await untilWaiting(client);
    });
    expect([removed, await inserting, await left('tracks')]).toEqual([2, '23503', 0]);
  });
});

describe('a hold that is placed during a purge', () => {
  it('is waited for, and keeps its row and what leads to it', async () => {
    const { tracks } = await plantOld();
    const em = forked();
    await em.begin();
    await placeHold(em, Track, { key: tracks[0]!.id, reason: 'matter 12' });
    const purging = purge(forked());
    try {
      await untilWaiting(client);
    } finally {
      await em.commit();
    }
    const { purged, held } = await purging;
    expect(purged).toEqual({ 'public.tracks': 3, 'public.albums': 1 });
    expect(held).toEqual([{ table: 'public.tracks', rows: 1, keys: [tracks[0]!.id] }]);
  });

  it('between two of its batches keeps what is left', async () => {
    const { tracks } = await plantOld();
    const placing: Promise<unknown>[] = [];
    const place = () => placeHold(forked(), Track, { key: tracks[0]!.id, reason: 'matter 12' });
    const onProgress = () => {
      if (placing.length === 0) placing.push(place().catch(({ code }: { code: string }) => code));
    };
    await purge(forked(), { batchSize: 1, onProgress });
    const isTooLate = (await placing[0]) === 'HOLD.NO_ROW';
    expect(await left('tracks')).toBe(isTooLate ? 0 : 1);
  });

  it('waits when it comes behind the lock, and learns that its row is gone', async () => {
    const { tracks } = await plantOld();
    let placing: Promise<unknown> = Promise.resolve();
    await batchOf(await workOf(), 'tracks', async () => {
      placing = placeHold(forked(), Track, { key: tracks[0]!.id, reason: 'matter 12' }).catch(
        (error: unknown) => error,
      );
      await untilWaiting(client);
    });
    expect(await placing).toMatchObject({ code: 'HOLD.NO_ROW' });
  });
});
