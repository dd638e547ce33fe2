import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { MigrationEvent, StatementProgress } from 'tombstone/migrations';
import { describeStatement } from '../../src/cli/statement-progress.ts';
import { type Setup, setup } from './fixtures/shop.ts';

const ROWS = 400_000;

/** A run that is watched, and the first event that fits. */
function watched({ migrator }: Setup): {
  readonly events: StatementProgress[];
  readonly ended: Promise<unknown>;
  seen(fits: (event: StatementProgress) => boolean): Promise<StatementProgress>;
} {
  const events: StatementProgress[] = [];
  const waiting: (() => void)[] = [];
  const onProgress = (event: MigrationEvent): void => {
    if (event.type === 'statement-progress') events.push(event);
    for (const look of waiting) look();
  };
  const ended = migrator({ statementProgressMs: 10, onProgress }).up();
  return {
    events,
    ended,
    seen: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.find(fits);
          if (found) resolve(found);
        };
        waiting.push(look);
        look();
        ended.then(() => reject(new Error('the run ended before')), reject);
      }),
  };
}

/** A transaction that has changed the table. */
async function holder(url: string, sql: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'a report' });
  await client.connect();
  await client.query(`begin; ${sql}`);
  return client;
}

describe('the progress of a statement', () => {
  it('names who blocks an ALTER, and the run goes on when that has ended', async () => {
    const ready = await setup();
    await ready.migrator().up({ to: '1' });
    const client = await holder(ready.url, 'lock table items in access share mode');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const run = watched(ready);
    const event = await run.seen(({ blockedBy }) => blockedBy.length > 0);
    await client.query('commit');
    await client.end();
    await run.ended;
    expect(event).toMatchObject({
      name: 'shop/002_prices.sql',
      blockedBy: [{ pid: rows[0]?.pid, application: 'a report', state: 'idle in transaction' }],
    });
    expect(event.blockedBy[0]?.ms).toBeGreaterThan(0);
    expect(describeStatement(event)).toMatch(
      /^running for \d+ s, blocked by \d+ a report \(idle in transaction, \d+ s\)$/,
    );
  });

  it('counts a concurrent index build, and names what the build waits for', async () => {
    const ready = await setup({
      '001_rows.sql': `-- +goose Up\ncreate table items (id int, name text);\ninsert into items select n, md5(n::text) from generate_series(1, ${ROWS}) n;\n`,
      '002_index.sql':
        '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently items_name on items (name);\n',
    });
    await ready.migrator().up({ to: '1' });
    const client = await holder(ready.url, `insert into items values (0, '')`);
    const run = watched(ready);
    const blocked = await run.seen(({ phase }) => phase?.startsWith('waiting') === true);
    expect(blocked).toMatchObject({ phase: 'waiting for writers before build', total: 1, done: 0 });
    expect(blocked.blockedBy).toMatchObject([{ application: 'a report' }]);
    await client.query('commit');
    const counted = await run.seen(
      ({ phase, done }) => phase?.startsWith('building') === true && Number(done) > 0,
    );
    expect(counted.done).toBeLessThanOrEqual(counted.total ?? 0);
    expect(describeStatement({ ...counted, done: 1, total: 4 })).toMatch(/^building index.* 25 % for \d+ s$/);
    await client.end();
    await run.ended;
    expect(
      (await ready.client.query(`select indisvalid from pg_index where indexrelid = 'items_name'::regclass`))
        .rows,
    ).toEqual([{ indisvalid: true }]);
    // The watcher's connection is gone with the run.
    const left = await ready.client.query(
      `select from pg_stat_activity where application_name = 'tombstone progress' and datname = current_database()`,
    );
    expect(left.rows).toEqual([]);
  }, 60_000);

  it('is nothing for a run that does not ask, and its failure does not touch the run', async () => {
    const ready = await setup({
      '001_slow.sql': '-- +goose Up\nselect pg_sleep(0.3);\n',
    });
    const role = `one_${Math.random().toString(36).slice(2)}`;
    await ready.client.query(`create role ${role} login superuser password 'p' connection limit 1`);
    const one = new URL(ready.url);
    [one.username, one.password] = [role, 'p'];
    const told: MigrationEvent[] = [];
    const onProgress = (event: MigrationEvent): void => void told.push(event);
    await ready.client.query(`alter role ${role} nosuperuser; grant create on schema public to ${role}`);
    const { steps } = await ready
      .migrator({ connection: one.href, statementProgressMs: 10, onProgress })
      .up();
    expect(steps).toHaveLength(1);
    expect(told.map(({ type }) => type)).toEqual(['start', 'applied']);
    await ready.client.query(`drop owned by ${role} cascade; drop role ${role}`);
    // The same run, watched by a role that may connect twice, and one that does not ask.
    await ready.migrator({ statementProgressMs: 10, onProgress }).up();
    expect(told.map(({ type }) => type)).toContain('statement-progress');
    told.length = 0;
    ready.folder.write('002_slow.sql', '-- +goose Up\nselect pg_sleep(0.1);\n');
    await ready.migrator({ onProgress }).up();
    expect(told.map(({ type }) => type)).toEqual(['start', 'applied']);
  });
});
