import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { refusal, setup } from './fixtures/shop.ts';

const withLockOn = async <T>(
  url: string,
  table: string,
  work: (free: () => Promise<void>) => Promise<T>,
): Promise<T> => {
  const other = new Client({ connectionString: url });
  await other.connect();
  await other.query(`begin; lock table ${table}`);
  let isOpen = true;
  const free = async (): Promise<void> => {
    if (isOpen) await other.end();
    isOpen = false;
  };
  try {
    return await work(free);
  } finally {
    await free();
  }
};

describe('a file that gets no lock in time', () => {
  const timeouts = { lockMs: 30, attempts: 50, backOffMs: 10 };

  it('is tried again as a whole, tells so, and succeeds when the lock is free', async () => {
    const { url, migrator, folder, names, events, client } = await setup();
    await migrator().up();
    folder.write('004_a.sql', 'create table fresh (id int);\nalter table items add note text;');
    await withLockOn(url, 'items', async (free) => {
      const running = migrator({ timeouts }).up();
      while (events.filter(({ type }) => type === 'retrying').length < 2) await sleep(10);
      expect((await client.query(`select to_regclass('fresh') is null as nothing`)).rows).toEqual([
        { nothing: true },
      ]);
      await free();
      await running;
    });
    expect(await names()).toHaveLength(4);
    expect(events).toContainEqual({
      type: 'retrying',
      name: 'shop/004_a.sql',
      attempt: 1,
      of: 50,
      pauseMs: expect.any(Number),
      sqlState: '55P03',
    });
  });

  it('fails after the last attempt and leaves nothing', async () => {
    const { url, migrator, folder, names, events } = await setup();
    await migrator().up();
    folder.write('004_a.sql', 'alter table items add note text;');
    const error = await withLockOn(url, 'items', () =>
      refusal(migrator({ timeouts: { ...timeouts, attempts: 3 } }).up()),
    );
    expect(error).toMatchObject({ code: 'MIGRATION.FAILED', sqlState: '55P03', line: 1 });
    expect(events.filter(({ type }) => type === 'retrying')).toHaveLength(2);
    expect(await names()).toHaveLength(3);
  });

  it('is tried again statement by statement when it has no transaction', async () => {
    const { url, migrator, folder, client, events } = await setup();
    await migrator().up();
    folder.write(
      '004_a.sql',
      '-- +goose NO TRANSACTION\n-- +goose Up\nset search_path to public;\ncreate table fresh (id int);\nalter table items add note text;',
    );
    await withLockOn(url, 'items', async (free) => {
      const running = migrator({ timeouts }).up();
      while (!events.some(({ type }) => type === 'retrying')) await sleep(10);
      expect((await client.query(`select to_regclass('fresh') is not null as done`)).rows).toEqual([
        { done: true },
      ]);
      await free();
      await running;
    });
  });

  it('decides itself how long it waits, by a comment or by SET LOCAL', async () => {
    for (const own of ['-- +tombstone lock_timeout=20ms', 'set local lock_timeout to 20;']) {
      const { url, migrator, folder } = await setup();
      await migrator().up();
      folder.write('004_a.sql', `-- +goose Up\n${own}\nalter table items add note text;`);
      const error = await withLockOn(url, 'items', () =>
        refusal(migrator({ timeouts: { lockMs: 0, attempts: 1 } }).up()),
      );
      expect(error).toMatchObject({ sqlState: '55P03' });
    }
  });

  it('is refused before anything runs when what it asks for is no time', async () => {
    const { migrator, folder, tables } = await setup();
    folder.write('004_a.sql', '-- +goose Up\n-- +tombstone lock_timeout=soon\nselect 1;');
    const error = await refusal(migrator().up());
    expect(error.message).toContain('shop/004_a.sql:2:1: This is no time. Write for example');
    expect(await tables()).toEqual([]);
    for (const lockMs of [-1, 0.5, Number.NaN])
      expect(() => migrator({ timeouts: { lockMs } })).toThrow(RangeError);
  });

  it('may be one that runs too long', async () => {
    const { migrator } = await setup({ '001_a.sql': 'select pg_sleep(30);' });
    const error = await refusal(migrator({ timeouts: { statementMs: 20 } }).up());
    expect(error).toMatchObject({ sqlState: '57014' });
  });
});
