import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { purgeBar } from '../../src/cli/purge-progress.ts';
import { TABLES } from '../deletion/fixtures/label-model.ts';
import { databaseWith } from '../deletion/fixtures/music.ts';
import { connect } from '../kit/fixtures/backstop.ts';
import { trash } from './fixtures/trash.ts';

let url: string;
let client: Client;
beforeAll(async () => {
  url = await databaseWith(TABLES);
  client = await connect(url);
});
afterAll(() => client.end());

/** Dead for longer than their policies say: two producers, contracts of which one is held, and a track that a play refers to. */
beforeEach(async () => {
  await client.query(`
    truncate labels, producers, albums, tracks, contracts, plays, deletion_holds restart identity cascade;
    insert into labels (name) values ('Verve'), ('ECM');
    insert into producers (name, label_id, deleted_at) select 'p', n, now() - interval '40 days' from generate_series(1, 2) n;
    insert into contracts (label_id, deleted_at) select 1, now() - interval '40 days' from generate_series(1, 3);
    insert into albums (title, label_id) values ('first', 1);
    insert into tracks (title, album_id, deleted_at) values ('a', 1, now() - interval '40 days');
    insert into plays (track_id) values (1);
    insert into deletion_holds (id, table_name, key, reason, placed_at)
      values ('00000000-0000-4000-8000-000000000000', 'public.contracts', '1', 'case 12', now())`);
});

const left = async (): Promise<string> => {
  const found = await client.query<{ left: string }>(
    `select (select count(*) from producers) || ' ' || (select count(*) from contracts) || ' ' || (select count(*) from tracks) as left
     /* soft-delete: dead rows too, because a purge removes them */`,
  );
  return found.rows[0]!.left;
};

describe('trash purge', () => {
  it('purges with an explicit word only, and tells what went, what is held and what is blocked by what', async () => {
    const unsure = await trash(url, 'purge');
    expect([unsure.code, unsure.err]).toEqual([2, expect.stringContaining('--yes')]);
    const dry = await trash(url, 'purge', '--dry-run');
    expect(dry.out.replaceAll(/ +/g, ' ').split('\n').slice(1)).toEqual([
      'what table rows by keys',
      'would go public.producers 2',
      'would go public.contracts 2',
      'held public.contracts 1 1',
      'blocked public.tracks 1 plays_track_id_fkey of public.plays 1',
      'Nothing was removed.',
      '',
    ]);
    expect(await left()).toBe('2 3 1');
    expect((await trash(url, 'purge', '--tenant', '1', '--yes')).code).toBe(0);
    expect(await left()).toBe('1 3 1');
    expect(
      (await trash(url, 'purge', '--entity', 'Producer,Contract', '--older-than', '50 days', '--yes')).code,
    ).toBe(0);
    expect(await left()).toBe('1 3 1');
    const done = await trash(url, 'purge', '--batch-size', '1', '--yes', '--json');
    expect([done.code, done.err]).toEqual([0, '']);
    expect(JSON.parse(done.out)).toMatchObject({
      report: {
        purged: { 'public.producers': 1, 'public.contracts': 2 },
        held: [{ table: 'public.contracts', rows: 1 }],
        blocked: [{ constraint: 'plays_track_id_fkey', table: 'public.plays', rows: 1 }],
        batches: 3,
        completed: true,
      },
    });
    expect(await left()).toBe('0 1 1');
  }, 120_000);

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'stops behind the batch that runs when it is interrupted by %s',
    async (signal, exit) => {
      // Whoever places a hold makes each batch wait at its beginning.
      await client.query('begin');
      await client.query('lock table deletion_holds in row exclusive mode');
      const running = trash(url, 'purge', '--entity', 'Contract', '--batch-size', '1', '--yes', '--json');
      const watcher = await connect(url);
      try {
        await until(async () => {
          const { rowCount } = await watcher.query(
            `select from pg_locks where not granted and relation = 'deletion_holds'::regclass`,
          );
          return rowCount === 1;
        });
        running.kill(signal);
        await until(() => Promise.resolve(running.printed().includes('Interrupted')));
      } finally {
        await client.query('rollback');
        await watcher.end();
      }
      const { code, out } = await running;
      expect(code).toBe(exit);
      expect(JSON.parse(out)).toMatchObject({
        report: { completed: false, batches: 1, purged: { 'public.contracts': 1 } },
      });
      expect(await left()).toBe('2 2 1');
    },
    120_000,
  );

  it('leaves whole batches when it is killed, and the next one goes on', async () => {
    await client.query(`truncate contracts, deletion_holds;
      insert into contracts (label_id, deleted_at) select 1, now() - interval '40 days' from generate_series(1, 20000)`);
    const contracts = async (): Promise<number> =>
      (
        await client.query<{ rows: number }>(
          'select count(*)::int as rows from contracts /* soft-delete: dead rows too, because a purge removes them */',
        )
      ).rows[0]!.rows;
    const purge = ['purge', '--entity', 'Contract', '--batch-size', '70', '--yes', '--json'];
    for (const stop of [19_900, 18_000, 15_000]) {
      const running = trash(url, ...purge);
      await until(async () => (await contracts()) < stop);
      running.kill('SIGKILL');
      expect((await running).code).not.toBe(0);
      await until(async () => {
        const others = `select from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
        return (await client.query(others)).rowCount === 0;
      });
      const rows = await contracts();
      expect(rows).toBeGreaterThan(0);
      expect((20_000 - rows) % 70).toBe(0);
    }
    expect((await trash(url, ...purge)).code).toBe(0);
    expect(await contracts()).toBe(0);
  }, 120_000);

  it('refuses what it cannot take', async () => {
    const before = await left();
    const ends = [];
    for (const args of [
      ['--entity', 'Contract,Nobody'],
      ['--entity', 'Label'],
      ['--older-than', '-1 days'],
      ['--batch-size', '0'],
      ['--entity', 'Contract', '--tenant', '1'],
      ['--dry-run'],
    ]) {
      const { code, out, err } = await trash(url, 'purge', '--yes', ...args, '--json');
      const { error } = JSON.parse(out) as { error: { code: string; message: string; exitCode: number } };
      expect(err).toContain(error.message);
      ends.push([code, error.exitCode, error.code]);
    }
    expect(ends).toEqual([
      [2, 2, 'CLI.USAGE'],
      [78, 78, 'RETENTION.NO_POLICY'],
      [76, 76, 'RETENTION.BAD_INTERVAL'],
      [77, 77, 'RETENTION.BAD_BATCH_SIZE'],
      [79, 79, 'RETENTION.NO_TENANT'],
      [2, 2, 'CLI.USAGE'],
    ]);
    expect(await left()).toBe(before);
  }, 120_000);
});

it('a bar on a terminal grows with what others delete meanwhile', () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 200 });
  let text = '';
  stream.on('data', (data: Buffer) => (text += data.toString()));
  const bar = purgeBar(stream as unknown as NodeJS.WriteStream, 2);
  bar.tell({ table: 'public.tracks', total: 3 });
  bar.end();
  expect(text).toContain('3/3 public.tracks');
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('It did not come to that.');
    await new Promise((done) => setTimeout(done, 20));
  }
}
