import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { LOCK_ID, MigrationFailedError } from 'tombstone/migrations';
import { refusal, setup, THREE } from './fixtures/shop.ts';

describe('a statement that fails', () => {
  it('is named by file, line and SQLSTATE; its file leaves nothing, earlier ones stay', async () => {
    const { migrator, folder, names, tables } = await setup();
    folder.write(
      '002_prices.sql',
      '-- +goose Up\ncreate table half (id int);\n\nselect\n  1,\n  nosuchcolumn;\n',
    );
    const error = await refusal(migrator().up());
    expect(error).toBeInstanceOf(MigrationFailedError);
    expect(error).toMatchObject({
      code: 'MIGRATION.FAILED',
      file: 'shop/002_prices.sql',
      line: 6,
      sqlState: '42703',
      done: ['shop/001_items.sql'],
    });
    expect(error.message).toContain('shop/002_prices.sql:6: column "nosuchcolumn" does not exist [42703]');
    expect([await names(), await tables()]).toEqual([['shop/001_items.sql'], ['items']]);
  });

  it('shows no value of a row', async () => {
    const { migrator, folder } = await setup();
    folder.write(
      '004_a.sql',
      `-- +goose Up\ninsert into items (id, name) values (7, 's3cret'), (8, 's3cret');\ncreate unique index items_name on items (name);\n`,
    );
    const error = await refusal(migrator().up());
    expect(error.message).toContain('unique constraint (items_name) [23505]');
    expect(error.message + String(error.stack) + JSON.stringify(error)).not.toContain('s3cret');
  });

  it('may be a constraint that is checked at the commit', async () => {
    const { migrator, folder, names } = await setup();
    folder.write(
      '004_a.sql',
      '-- +goose Up\ncreate table child (id int references items (id) deferrable initially deferred);\ninsert into child values (99);\n',
    );
    const error = await refusal(migrator().up());
    expect(error).toMatchObject({ code: 'MIGRATION.FAILED', sqlState: '23503' });
    expect(await names()).toHaveLength(3);
  });
});

describe('several runs at once', () => {
  it('apply every file once, and all succeed', async () => {
    const { migrator, names } = await setup();
    const results = await Promise.all(Array.from({ length: 12 }, () => migrator({ lockPollMs: 20 }).up()));
    expect(results.flatMap((result) => result.steps)).toHaveLength(3);
    expect(await names()).toHaveLength(3);
  });

  it('wait for the lock, tell so, and give up at the deadline', async () => {
    const { migrator, client, events, names } = await setup();
    await client.query(`select pg_advisory_lock(${LOCK_ID})`);
    const error = await refusal(migrator({ lockTimeoutMs: 300, lockPollMs: 50 }).up());
    expect(error.code).toBe('MIGRATION.LOCK_TIMEOUT');
    expect(events.some((event) => event.type === 'waiting-for-lock')).toBe(true);
    const waiting = migrator({ lockPollMs: 50 }).up();
    await sleep(150);
    await client.query(`select pg_advisory_unlock(${LOCK_ID})`);
    expect((await waiting).steps).toHaveLength(3);
    expect(await names()).toHaveLength(3);
  });

  it('find the lock free after a run that failed', async () => {
    const { migrator, folder } = await setup();
    folder.write('002_prices.sql', 'select nosuchcolumn;');
    await refusal(migrator().up());
    folder.write('002_prices.sql', THREE['002_prices.sql']);
    expect((await migrator({ lockTimeoutMs: 0 }).up()).steps).toHaveLength(2);
  });

  it('survive a connection that the server ends in the middle: the next run completes', async () => {
    const { migrator, folder, client, names, tables } = await setup();
    folder.write('002_prices.sql', '-- +goose Up\ncreate table slow (id int);\nselect pg_sleep(20);\n');
    const running = refusal(migrator().up());
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%pg_sleep(20)%' and pid <> pg_backend_pid()`;
    while ((await client.query(kill)).rows.length === 0) await sleep(20);
    const error = await running;
    expect(error.code).toBe('MIGRATION.FAILED');
    expect([await names(), await tables()]).toEqual([['shop/001_items.sql'], ['items']]);
    folder.write('002_prices.sql', THREE['002_prices.sql']);
    expect((await migrator().up()).steps).toHaveLength(2);
  });
});
