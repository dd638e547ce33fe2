import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { describeHolder, LOCK_ID, LockTimeoutError, type MigrationEvent } from 'tombstone/migrations';
import { startProxy } from '../../crash/proxy.ts';
import { prepareDatabase } from '../../crash/prepare.ts';
import { FILE_COUNT, writeFiles } from '../../crash/files.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { refusal, setup } from './fixtures/shop.ts';
import { appliedBy, startTogether } from './fixtures/starters.ts';
import { withLockOn } from './fixtures/with-lock.ts';

type Waiting = Extract<MigrationEvent, { type: 'waiting-for-lock' }>;

describe('waiting for the lock', () => {
  it('tells who holds it, without any value of its query', async () => {
    const { client, migrator, events } = await setup();
    await client.query(`set application_name to 'night shift'; select pg_advisory_lock(${LOCK_ID})`);
    await client.query(
      `/* s3cret */ select 's3cret', 47114711, $$s3cret$$ as "column", pg_backend_pid() as pid -- s3cret`,
    );
    const error = (await refusal(migrator({ lockTimeoutMs: 200, lockPollMs: 40 }).up())) as LockTimeoutError;
    const { pid } = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0] ?? {};
    const holder = events.find((event): event is Waiting => event.type === 'waiting-for-lock')?.holder;
    expect(holder).toMatchObject({
      pid,
      application: 'night shift',
      state: 'idle',
      query: 'select ?, ?, ? as "column", pg_backend_pid() as pid',
      suspicion: null,
    });
    expect(holder?.ageSeconds).toBeGreaterThan(0);
    expect(error).toBeInstanceOf(LockTimeoutError);
    expect(error.code).toBe('MIGRATION.LOCK_TIMEOUT');
    expect(error.message).toContain(`Its session: pid ${pid}, night shift, open for`);
    expect(error.message + JSON.stringify([error, events])).not.toMatch(/s3cret|47114711/);
  });

  it('says how to end a session that nobody seems to be behind any more', () => {
    const idle = {
      pid: 7,
      application: null,
      ageSeconds: 900,
      state: 'idle',
      stateSeconds: 800,
      query: null,
    };
    const suspicion =
      'It has been idle for 800 s, so its program is probably gone: select pg_terminate_backend(7).';
    expect(describeHolder({ ...idle, suspicion })).toBe(`pid 7, open for 900 s, idle. ${suspicion}`);
  });

  it('ends when the session of the holder ends, whatever it was doing', async () => {
    const { url, client, migrator, events, names } = await setup();
    const dead = await withLockOn(url, LOCK_ID, async (pid) => {
      const running = migrator({ lockPollMs: 20 }).up();
      while (!events.some(({ type }) => type === 'waiting-for-lock')) await sleep(10);
      await client.query('select pg_terminate_backend($1)', [pid]);
      return running;
    });
    expect(dead.steps).toHaveLength(3);
    expect(await names()).toHaveLength(3);
  });

  it('through a mere tunnel is that for a session lock, which others see', async () => {
    const { url, client, migrator, names } = await setup();
    const proxy = await startProxy(url);
    try {
      await client.query(`select pg_advisory_lock(${LOCK_ID})`);
      const through = migrator({ connection: proxy.url, lockTimeoutMs: 100, lockPollMs: 20 });
      expect((await refusal(through.up())).code).toBe('MIGRATION.LOCK_TIMEOUT');
      await client.query(`select pg_advisory_unlock(${LOCK_ID})`);
      await through.up();
      expect(await names()).toHaveLength(3);
    } finally {
      await proxy.close();
    }
  });
});

describe('twenty processes that start on an empty database', () => {
  it('apply every file once, concurrent builds included, and all succeed', async () => {
    const { url } = await emptyTestDatabase();
    await prepareDatabase(url);
    const module = writeFiles();
    try {
      const ended = await startTogether(20, url, module.migrations);
      expect(ended.map(({ code, err }) => ({ code, err }))).toEqual(
        Array.from({ length: 20 }, () => ({ code: 0, err: '' })),
      );
      expect(new Set(appliedBy(ended)).size).toBe(FILE_COUNT);
      expect(appliedBy(ended)).toHaveLength(FILE_COUNT);
    } finally {
      module.delete();
    }
  }, 120_000);
});
