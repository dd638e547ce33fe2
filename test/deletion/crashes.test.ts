import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { deleteRows, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { listenToStatements } from '../../src/kit/orm/index.ts';
import { Label } from './fixtures/label-model.ts';
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

const everything = async (): Promise<string> => {
  const tables = [
    'labels',
    'producers',
    'albums',
    'tracks',
    'album_tags',
    'deletion_batches',
    'deletion_entries',
  ];
  const rows = tables.map(
    (table) => `(select json_agg(to_jsonb(t) - 'updated_at' order by t::text) from ${table} t)`,
  );
  return JSON.stringify(
    (await client.query(`select json_build_array(${rows.join(', ')}) as world`)).rows[0].world,
  );
};

/** Ends the sessions of everybody else when the `count`-th statement is about to be sent. */
async function cutAt(count: number, work: () => Promise<unknown>): Promise<'cut' | 'done'> {
  let sent = 0;
  const cut: Promise<unknown>[] = [];
  const stop = listenToStatements(db.orm.config, () => {
    sent += 1;
    if (sent !== count) return;
    cut.push(
      client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      ),
    );
  });
  try {
    await work();
    return 'done';
  } catch (error) {
    expect(error).toMatchObject({ code: 'DATA.UNAVAILABLE' });
    return 'cut';
  } finally {
    stop();
    await Promise.all(cut);
  }
}

it('a deletion and a restore whose connection is cut before any statement are all or nothing', async () => {
  const em = db.orm.em.fork();
  const { label } = await plantLabel(em);
  const ends = new Set<string>();
  for (let count = 1; count < 40; count += 1) {
    const before = await everything();
    let batch: string | undefined;
    const end = await cutAt(count, async () => {
      ({ batch } = await deleteRows(db.orm.em.fork(), Label, { id: label.id }));
    });
    const { rows } = await client.query<{ id: string }>(
      'select id from deletion_batches where restored_at is null',
    );
    const isDead = rows.length > 0;
    ends.add(`delete ${end} ${isDead}`);
    if (!isDead) {
      expect(await everything()).toBe(before);
      continue;
    }
    expect(batch ?? rows[0]!.id).toBe(rows[0]!.id);
    expect(
      (await client.query('select count(*)::int as n from tracks where deleted_at is null')).rows,
    ).toEqual([{ n: 0 }]);
    const dead = await everything();
    for (let step = 1; ; step += 1) {
      const restored = await cutAt(step, () => restore(db.orm.em.fork(), rows[0]!.id as never));
      const left = await client.query('select 1 from deletion_batches where restored_at is null');
      ends.add(`restore ${restored} ${left.rows.length === 0}`);
      if (left.rows.length === 0) break;
      expect(await everything()).toBe(dead);
    }
    expect(
      (await client.query('select count(*)::int as n from tracks where deleted_at is null')).rows,
    ).toEqual([{ n: 4 }]);
    if (end === 'done') break;
  }
  // It was cut in the middle, and it went through in the end.
  expect([...ends]).toEqual(
    expect.arrayContaining([
      'delete cut false',
      'delete done true',
      'restore cut false',
      'restore done true',
    ]),
  );
}, 120_000);
