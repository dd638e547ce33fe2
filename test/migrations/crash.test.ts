import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { agrees, examine } from '../../crash/examine.ts';
import type { Victim } from '../../crash/faults.ts';
import { writeFiles } from '../../crash/files.ts';
import { fullDiskUnderDatabase, fullDiskUnderLog } from '../../crash/full-disk.ts';
import { prepareDatabase, withClient } from '../../crash/prepare.ts';
import { Random } from '../../crash/random.ts';
import { type CrashServer, startCrashServer } from '../../crash/server.ts';
import { Migrator } from 'tombstone/migrations';
import { createTestDatabase } from 'tombstone/testing';
import { run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';

const crash = (...args: string[]): ReturnType<typeof run> =>
  run(['--import', './tools/from-sources.js', 'crash/main.ts', ...args]);

const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
const withMount = canMount ? it : it.skip;

describe('the crash suite', () => {
  it('interrupts runs in each of its ways, and every next run completes', async () => {
    // Other points each time; where it fails, the error tells the seed.
    const { code, out, err } = await crash('migrations', '--trials', '10', '--json');
    expect({ code, err }).toEqual({
      code: 0,
      err: canMount ? '' : expect.stringMatching(/^SKIPPED: full disk under/),
    });
    expect(out).toMatch(/^\{"trials": 10, "completed": 10, "ledgerAgrees": 10, "appliedTwice": 0, .*\}\n$/);
    const { kinds, skipped } = JSON.parse(out) as { kinds: Record<string, object>; skipped: string[] };
    expect([...Object.keys(kinds), ...skipped]).toEqual([
      'SIGKILL of the client',
      'pg_terminate_backend',
      'dropped socket',
      'crash of a backend',
      'pg_ctl stop -m fast, then start',
      'pg_ctl stop -m immediate, then start',
      'raised 53100 behind a DDL statement',
      'raised 53100 in an index build',
      'full disk under the database',
      'full disk under the log',
    ]);
    expect(kinds['raised 53100 in an index build']).toEqual({ trials: 1, failedOf: { 53100: 1 } });
  }, 480_000);

  it('refuses arguments that it does not know', async () => {
    for (const args of [[], ['migrations', '--trials', '0'], ['other']])
      expect((await crash(...args)).code).toBe(1);
  });

  it('notices what a crash could have left', async () => {
    const { url } = await emptyTestDatabase();
    await prepareDatabase(url);
    const module = writeFiles();
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await new Migrator({ connection: url, modules: [module] }).up();
      const whole = await examine(client);
      expect([agrees(whole, await examine(client)), whole.twice, whole.ledger.length]).toEqual([
        true,
        [],
        12,
      ]);
      for (const damage of [
        `update pg_index set indisvalid = false where indexrelid = 'items_name'::regclass`,
        `delete from schema_migrations where filename like '%012%'`,
        `insert into schema_migrations_journal values ('crash/004_index.sql', 'up', 1, 'x')`,
        'update items set price = price + 1 where id = 1',
        'create table stray (id int)',
      ]) {
        await client.query('begin');
        await client.query(damage);
        expect([damage, agrees(await examine(client), whole)]).toEqual([damage, false]);
        await client.query('rollback');
      }
      await client.query(`insert into audit values ('003')`);
      expect((await examine(client)).twice).toEqual(['003']);
    } finally {
      await client.end();
      module.delete();
    }
  });
});

describe('the server of the crash suite', () => {
  let server: CrashServer;
  beforeAll(async () => {
    server = await startCrashServer();
  }, 60_000);
  afterAll(() => server.stop());

  it.each(['fast', 'immediate'] as const)('stops in the %s way and starts again', async (mode) => {
    const started = `select pg_postmaster_start_time()::text as value, (select count(*)::int from pg_stat_activity where application_name = 'victim') as victims`;
    const ask = (): Promise<unknown> =>
      withClient(server.url(), async (client) => (await client.query<object>(started)).rows[0]);
    const victim = new Client({ connectionString: server.url(), application_name: 'victim' });
    victim.on('error', () => undefined);
    await victim.connect();
    const before = await ask();
    expect(before).toMatchObject({ victims: 1 });
    const ended = victim.query('select pg_sleep(600)').catch((error: unknown) => error);
    await server.restart(mode);
    expect(await ended).toBeInstanceOf(Error);
    await victim.end().catch(() => undefined);
    const after = await ask();
    expect(after).toMatchObject({ victims: 0 });
    expect(after).not.toEqual(before);
  });

  withMount(
    'has a database on a disk that the operating system says is full, until it is freed',
    async () => {
      const fault = await fullDiskUnderDatabase(server);
      const { url, drop } = await createTestDatabase(server);
      try {
        await fault?.arm?.(url, new Random(1));
        await withClient(url, async (client) => {
          await client.query('create table t (x text)');
          const insert = 'insert into t select repeat(n::text, 100) from generate_series(1, 2000) n';
          await client.query(insert);
          await fault?.strike?.({ url } as Victim);
          await expect(client.query(insert)).rejects.toMatchObject({
            code: '53100',
            message: expect.stringContaining('No space left on device'),
          });
          await fault?.settle?.();
          await client.query(insert);
        });
      } finally {
        await drop();
        await withClient(server.url(), (client) => client.query('drop tablespace crash_small'));
        await fault?.close();
      }
    },
  );

  withMount('gives up where its log has no room, and comes back when it is freed', async () => {
    const fault = await fullDiskUnderLog(server);
    const { url = () => '', directory = '' } = fault?.server ?? {};
    const insert = 'insert into t select repeat(n::text, 100) from generate_series(1, 20000) n';
    try {
      await withClient(url(), (client) => client.query('create table t (x text)'));
      await fault?.strike?.({ url: url() } as Victim);
      await expect(withClient(url(), (client) => client.query(insert))).rejects.toThrow();
      await fault?.settle?.();
      await withClient(url(), (client) => client.query(insert));
      expect(readFileSync(join(directory, 'server.log'), 'utf8')).toMatch(
        /PANIC: {2}could not write to file "pg_wal\/xlogtemp\.\d+": No space left on device/,
      );
    } finally {
      await fault?.close();
    }
  });
});
