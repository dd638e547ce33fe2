import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, expect, it } from '@jest/globals';
import { type LockHolder, type MigrationEvent, Migrator } from 'tombstone/migrations';
import { startProxy } from '../../crash/proxy.ts';
import { ROOT } from '../support/command.ts';
import { refusal, type Setup, setup } from './fixtures/shop.ts';

/** A run in a process of its own that holds the lock, and has just begun with its first file. */
async function holderOn(url: string, folder: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['--import', './tools/from-sources.js', 'test/migrations/fixtures/child.ts', folder],
    {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => line.includes('"type":"start"') && resolve());
    child.once('close', () => reject(new Error('the run ended before')));
  });
  return child;
}

/** Another run that waits, until it suspects the holder; it goes on waiting. */
function waiting({ url, folder }: Setup): { ended: Promise<unknown>; suspected: Promise<LockHolder> } {
  let told: (holder: LockHolder) => void;
  const suspected = new Promise<LockHolder>((resolve) => (told = resolve));
  const onProgress = (event: MigrationEvent): void => {
    if (event.type === 'waiting-for-lock' && event.holder?.suspicion) told(event.holder);
  };
  const options = { lockPollMs: 20, suspectIdleMs: 400, onProgress };
  return { ended: new Migrator({ connection: url, modules: [folder], ...options }).up(), suspected };
}

const SLOW = { '001_slow.sql': '-- +goose Up\ncreate table slow (id int);\nselect pg_sleep(0.2);\n' };

/** The advice of the sentence, done word by word. */
async function follow({ client }: Setup, { pid, state, suspicion }: LockHolder): Promise<void> {
  const pattern =
    /^It has been idle for \d+ s, so its program \(tombstone migrate\) is probably gone: (select pg_terminate_backend\((\d+)\))\.$/;
  const [, advice = '', named] = pattern.exec(suspicion ?? '') ?? [];
  expect([state, named]).toEqual(['idle', String(pid)]);
  expect((await client.query(advice)).rows).toEqual([{ pg_terminate_backend: true }]);
}

describe('a holder of the lock that is there no more', () => {
  it('is recognised where its process is frozen, and its session ended by the statement that is told', async () => {
    const ready = await setup(SLOW);
    const child = await holderOn(ready.url, ready.folder.migrations);
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.kill('SIGSTOP');
    try {
      const { ended, suspected } = waiting(ready);
      await follow(ready, await suspected);
      await ended;
      expect([await ready.names(), await ready.tables()]).toEqual([['shop/001_slow.sql'], ['slow']]);
    } finally {
      child.kill('SIGCONT');
    }
    // Awake again it finds its session gone, and does no harm.
    expect(await closed).toBe(1);
    expect(await ready.names()).toEqual(['shop/001_slow.sql']);
  });

  it('is recognised where its host is gone and the connection half open', async () => {
    const ready = await setup(SLOW);
    const proxy = await startProxy(ready.url);
    try {
      const child = await holderOn(proxy.url, ready.folder.migrations);
      const closed = new Promise((resolve) => child.once('close', resolve));
      proxy.freeze();
      child.kill('SIGKILL');
      await closed;
      const { ended, suspected } = waiting(ready);
      await follow(ready, await suspected);
      await ended;
      expect([await ready.names(), await ready.tables()]).toEqual([['shop/001_slow.sql'], ['slow']]);
    } finally {
      await proxy.close();
    }
  });

  it('is not suspected while it works, nor when it has been idle for less than a minute', async () => {
    const ready = await setup(SLOW);
    const child = await holderOn(ready.url, ready.folder.migrations);
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGSTOP');
    const error = await refusal(ready.migrator({ lockTimeoutMs: 600, lockPollMs: 50 }).up());
    child.kill('SIGCONT');
    await closed;
    expect(error.code).toBe('MIGRATION.LOCK_TIMEOUT');
    expect(error.details['holder']).toMatchObject({ application: 'tombstone migrate', suspicion: null });
  });
});
