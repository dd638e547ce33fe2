import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { LOCK_ID, MigrationFailedError, Migrator } from 'tombstone/migrations';
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

describe('the line of a failure', () => {
  const attempt = async (up: string): Promise<MigrationFailedError> => {
    const { migrator } = await setup({ '001_a.sql': `-- +goose Up\n${up}` });
    return (await refusal(migrator().up())) as MigrationFailedError;
  };

  it('is counted in characters, not in what JavaScript makes of them', async () => {
    const error = await attempt(`select '${'😀'.repeat(40)}',\n 1,\n nosuchcolumn\n;\n\n\n\n\n`);
    expect([error.line, error.sqlState]).toEqual([4, '42703']);
  });

  it('is that inside a DO block', async () => {
    const error = await attempt(
      "select 1;\n\ndo language plpgsql\n$body$\nbegin\n  perform 1;\n  raise exception 'stop: % rows', 3;\nend\n$body$;\n",
    );
    expect([error.line, error.sqlState]).toEqual([8, 'P0001']);
    expect(error.message).toContain('001_a.sql:8: stop: 3 rows [P0001].');
  });

  it('is that of a body that does not compile', async () => {
    const error = await attempt(
      'create function f() returns int language plpgsql as $$\nbegin\n  retrun 1;\nend\n$$;\n',
    );
    expect([error.line, error.sqlState]).toEqual([4, '42601']);
  });

  it('comes with words that say what to do about waiting triggers and locks', async () => {
    const error = await attempt(
      'create table a (id int primary key, b int references a deferrable initially deferred);\ninsert into a values (1, 1);\nalter table a add c int;\n',
    );
    expect(error.message).toContain('pending trigger events [55006]');
  });
});

describe('what a failure leaves', () => {
  it('of a NO TRANSACTION file is said to stay', async () => {
    const { migrator, folder, names, tables } = await setup();
    folder.write(
      '004_a.sql',
      '-- +goose NO TRANSACTION\n-- +goose Up\ncreate table half (id int);\nbegin;\ncreate table inside (id int);\nselect nosuchcolumn;\ncommit;\n',
    );
    const error = await refusal(migrator().up());
    expect(error.message).toContain('Statement 1 of 5 stays done; the next run goes on at line 4.');
    expect([await names(), await tables()]).toEqual([
      ['shop/001_items.sql', 'shop/002_prices.sql', 'shop/003_rows.sql'],
      ['half', 'items'],
    ]);
  });

  it('on the way down is told as what was reverted', async () => {
    const { migrator, folder, names } = await setup();
    folder.write(
      '001_items.sql',
      '-- +goose Up\ncreate table items (id int primary key, name text);\n-- +goose Down\ndrop table item;\n',
    );
    await migrator().up();
    const error = await refusal(migrator().down({ to: 0 }));
    expect(error).toMatchObject({ file: 'shop/001_items.sql', line: 4, sqlState: '42P01' });
    expect(error.message).toContain('Reverted before it: shop/003_rows.sql, shop/002_prices.sql.');
    expect(await names()).toEqual(['shop/001_items.sql']);
  });
});

describe('a ledger that cannot be used', () => {
  it('is one that another tool has made under the same name', async () => {
    const { migrator, client, tables } = await setup();
    await client.query('create table schema_migrations (version bigint primary key, dirty boolean not null)');
    for (const attempt of [migrator().up(), migrator().down(), migrator().status(), migrator().log('1')]) {
      const error = await refusal(attempt);
      expect(error.code).toBe('MIGRATION.LEDGER');
      expect(error.message).toContain('another tool has made it');
    }
    expect(await tables()).toEqual([]);
  });

  it('is one that the role may not create, read or write', async () => {
    const { url, folder, client, tables } = await setup();
    const role = `migrations_test_${process.pid}`;
    await client.query(`create role ${role} login password 'S3cret-word'`);
    const connection = new URL(url);
    [connection.username, connection.password] = [role, 'S3cret-word'];
    const migrator = new Migrator({ connection: connection.href, modules: [folder] });
    try {
      const error = await refusal(migrator.up());
      expect(error.message).toContain('[42501]. This role may not create, read or write it. Grant');
      expect(await tables()).toEqual([]);
      await client.query(`grant create on schema public to ${role}`);
      expect((await migrator.up()).steps).toHaveLength(3);
      await client.query(`revoke create on schema public from ${role}`);
      expect((await migrator.up()).steps).toEqual([]);
    } finally {
      await client.query(`drop owned by ${role}; drop role ${role}`);
    }
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

  it('name a connection that the server ends while they wait', async () => {
    const { migrator, client } = await setup();
    await client.query(`select pg_advisory_lock(${LOCK_ID})`);
    const waiting = refusal(migrator({ lockPollMs: 50 }).up());
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'tombstone migrate'`;
    while ((await client.query(kill)).rows.length === 0) await sleep(20);
    const error = await waiting;
    expect(error.code).toBe('MIGRATION.UNREACHABLE');
    expect(error.message).toMatch(/^The connection to .* was lost\. Run again/);
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
