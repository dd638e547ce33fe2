import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { Backfills, type MigrationEvent, Migrator, type ReplicaEvent } from 'tombstone/migrations';
import { lineAbout } from '../../src/cli/event-lines.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { hasStandby, type Pair, startPair } from '../support/standby.ts';
import { backfillFile, backfillSetup, itemsFile, notOnce } from './fixtures/backfill.ts';
import { refusal } from './fixtures/shop.ts';

const ROWS = 60;
const LIMIT = 'batch=1 throttle=20ms max-lag=300ms';

it('a back-fill with max-lag goes through where there is no standby', async () => {
  const made = await backfillSetup(25, { directive: 'batch=10 max-lag=0s' });
  await made.migrator().up();
  expect(made.events.map(({ type }) => type)).not.toContain('waiting-for-replica');
  expect(await notOnce(made.url)).toEqual([]);
});

(hasStandby('back-fills that wait for a standby') ? describe : describe.skip)(
  'a back-fill that spares a standby',
  () => {
    let pair: Pair;
    let standby: Client;
    let folder: MigrationFolder;
    beforeAll(async () => {
      pair = await startPair();
      standby = new Client({ connectionString: pair.standby });
      standby.on('error', () => undefined);
      await standby.connect();
      await until(
        pair.primary,
        `select from pg_stat_replication where state = 'streaming' and replay_lsn is not null`,
      );
    }, 120_000);
    afterAll(async () => {
      await standby.end();
      await pair.stop();
    });
    beforeEach(async () => {
      await ask(
        pair.primary,
        'drop schema public cascade; create schema public; grant all on schema public to public',
      );
      folder = migrationFolder({ '001_items.sql': itemsFile(ROWS) });
      await run(folder);
      // It has all so far, and stands still from now on.
      const [{ position } = { position: '' }] = await ask<{ position: string }>(
        pair.primary,
        'select pg_current_wal_flush_lsn()::text as position',
      );
      while (!(await holds(`pg_last_wal_replay_lsn() >= '${position}'`))) await sleep(10);
      await standby.query('select pg_wal_replay_pause()');
      while (!(await holds(`pg_get_wal_replay_pause_state() = 'paused'`))) await sleep(10);
    });
    afterEach(async () => {
      await standby.query('select pg_wal_replay_resume()');
      folder.delete();
    });

    const holds = async (condition: string): Promise<boolean> =>
      (await standby.query<{ holds: boolean }>(`select ${condition} as holds`)).rows[0]?.holds === true;
    const copies = async (): Promise<number> =>
      (await ask<{ n: number }>(pair.primary, 'select count(*)::int as n from copies'))[0]?.n ?? 0;
    const run = (
      module: MigrationFolder,
      onProgress: (event: MigrationEvent) => void = () => undefined,
      connection = pair.primary,
    ): Promise<unknown> => new Migrator({ connection, modules: [module], onProgress }).up();

    /** Starts the back-fill, and waits until it has waited for some looks. */
    async function waiting(looks = 1): Promise<{ events: ReplicaEvent[]; ended: Promise<unknown> }> {
      const events: ReplicaEvent[] = [];
      const state = { isEnded: false };
      const ended = run(folder, (event) => {
        if (event.type === 'waiting-for-replica') events.push(event);
      }).finally(() => (state.isEnded = true));
      while (events.length < looks && !state.isEnded) await sleep(10);
      return { events, ended };
    }

    it('runs on while nobody asks how far behind it is', async () => {
      folder.write('002_copy.sql', backfillFile({ directive: 'batch=1 throttle=20ms' }));
      await run(folder);
      expect([await copies(), await holds(`to_regclass('copies') is null`)]).toEqual([ROWS, true]);
    });

    it('waits while it stands still, and goes on when it has caught up', async () => {
      folder.write('002_copy.sql', backfillFile({ directive: LIMIT }));
      const { events, ended } = await waiting();
      const [event] = events as [ReplicaEvent];
      expect(event).toMatchObject({ name: 'shop/002_copy.sql', application: 'walreceiver', maxLagMs: 300 });
      expect(event.lagMs).toBeGreaterThan(300);
      expect(lineAbout(event)).toMatch(
        /^shop\/002_copy\.sql: waiting for the standby walreceiver, 0\.\d s behind, 0\.3 s allowed$/,
      );
      const before = await copies();
      expect(before).toBeLessThan(ROWS);
      while (events.length < 4) await sleep(10);
      expect(await copies()).toBe(before);
      await standby.query('select pg_wal_replay_resume()');
      await ended;
      expect([await copies(), await notOnce(pair.primary)]).toEqual([ROWS, []]);
    });

    it('waits for one that does not answer, of which the server shows its last measure only', async () => {
      folder.write('002_copy.sql', backfillFile({ directive: LIMIT }));
      await standby.query('select pg_wal_replay_resume()');
      const receiver = await standby.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
      const pid = receiver.rows[0]?.pid ?? 0;
      process.kill(pid, 'SIGSTOP');
      try {
        const { ended } = await waiting(3);
        const before = await copies();
        expect(before).toBeLessThan(ROWS);
        const shown = `select from pg_stat_replication where replay_lag > interval '300 ms'`;
        expect(await ask(pair.primary, shown)).toEqual([]);
        process.kill(pid, 'SIGCONT');
        await ended;
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      expect([await copies(), await notOnce(pair.primary)]).toEqual([ROWS, []]);
    });

    it('can be paused while it waits', async () => {
      folder.write('002_copy.sql', backfillFile({ directive: LIMIT }));
      const { ended } = await waiting();
      const refused = refusal(ended);
      await new Backfills({ connection: pair.primary, modules: [folder] }).pause('002');
      expect((await refused).code).toBe('MIGRATION.BACKFILL_PAUSED');
      expect(await copies()).toBeLessThan(ROWS);
    });

    it('is refused for a role that may not see standbys', async () => {
      folder.write('002_copy.sql', backfillFile({ directive: LIMIT }));
      await ask(
        pair.primary,
        `drop role if exists blind; create role blind login; grant all on all tables in schema public to blind`,
      );
      const url = new URL(pair.primary);
      url.username = 'blind';
      const error = await refusal(run(folder, undefined, url.href));
      expect(error).toMatchObject({ code: 'MIGRATION.UNSUPPORTED', details: { line: 5 } });
      expect(error.message).toContain('Grant it pg_monitor');
      expect(await copies()).toBe(0);
      await ask(pair.primary, 'grant pg_monitor to blind');
      await standby.query('select pg_wal_replay_resume()');
      await run(folder, undefined, url.href);
      expect(await copies()).toBe(ROWS);
      await ask(pair.primary, 'drop owned by blind; drop role blind');
    });
  },
);

async function ask<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}

async function until(url: string, sql: string): Promise<void> {
  while ((await ask(url, sql)).length === 0) await sleep(20);
}
