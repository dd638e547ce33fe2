import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import {
  checksumOf,
  LOCK_ID,
  MigrationError,
  type MigrationEvent,
  MigrationFailedError,
  Migrator,
  type MigratorOptions,
} from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';

const THREE = {
  '001_items.sql':
    '-- +goose Up\ncreate table items (id int primary key, name text);\n-- +goose Down\ndrop table items;\n',
  '002_prices.sql':
    '-- +goose Up\nalter table items add price numeric;\n-- +goose Down\nalter table items drop price;\n',
  '003_rows.sql':
    "-- +goose Up\ninsert into items values (1, 'first', 2);\n-- +goose Down\ndelete from items;\n",
};

const folders: MigrationFolder[] = [];
const clients: Client[] = [];
afterAll(async () => {
  for (const folder of folders) folder.delete();
  await Promise.all(clients.map((client) => client.end()));
});

interface Setup {
  readonly url: string;
  readonly folder: MigrationFolder;
  readonly client: Client;
  readonly events: MigrationEvent[];
  migrator(options?: Partial<MigratorOptions>): Migrator;
  names(): Promise<string[]>;
  tables(): Promise<string[]>;
}

async function setup(files: Readonly<Record<string, string>> = THREE): Promise<Setup> {
  const { url } = await emptyTestDatabase();
  const folder = migrationFolder(files);
  folders.push(folder);
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  const events: MigrationEvent[] = [];
  const column = async (sql: string): Promise<string[]> =>
    (await client.query<{ value: string }>(sql)).rows.map((row) => row.value);
  return {
    url,
    folder,
    client,
    events,
    migrator: (options) =>
      new Migrator({
        connection: url,
        modules: [folder],
        onProgress: (event) => events.push(event),
        ...options,
      }),
    names: () => column('select filename as value from schema_migrations order by filename'),
    tables: () =>
      column(
        `select table_name as value from information_schema.tables where table_schema = 'public' and table_name <> 'schema_migrations' order by 1`,
      ),
  };
}

const refusal = async (attempt: Promise<unknown>): Promise<MigrationError> => {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof MigrationError) return error;
  throw error instanceof Error ? error : new Error('it was accepted');
};

describe('up', () => {
  it('applies pending files in order, tells each, and does nothing the second time', async () => {
    const { migrator, names, events, client } = await setup();
    const { steps, direction } = await migrator().up();
    expect(direction).toBe('up');
    expect(steps.map((step) => step.name)).toEqual([
      'shop/001_items.sql',
      'shop/002_prices.sql',
      'shop/003_rows.sql',
    ]);
    expect(await names()).toEqual(steps.map((step) => step.name));
    expect(events.flatMap((event) => (event.type === 'applied' ? [event.index] : []))).toEqual([0, 1, 2]);
    const { rows } = await client.query<{ checksum: string }>(
      `select checksum from schema_migrations where filename = 'shop/001_items.sql'`,
    );
    expect(rows[0]?.checksum).toBe(checksumOf(THREE['001_items.sql']));
    expect((await migrator().up()).steps).toEqual([]);
  });

  it('stops at a file, by name, number or count, and takes only the named ones', async () => {
    const { migrator, names } = await setup();
    await migrator().up({ to: '001_items' });
    expect(await names()).toEqual(['shop/001_items.sql']);
    await migrator().up({ steps: 1 });
    expect(await names()).toHaveLength(2);
    await migrator().up({ only: ['shop/003_rows.sql'] });
    expect(await names()).toHaveLength(3);
    expect((await refusal(migrator().up({ to: 'nothing' }))).code).toBe('MIGRATION.NO_SUCH_FILE');
  });

  it('runs modules in the order in which they are listed', async () => {
    const { url, folder } = await setup({ '005_late.sql': 'create table z (id int);' });
    const second = migrationFolder(
      { '001_early.sql': 'create table y (id int references z2 (id));' },
      'second',
    );
    const third = migrationFolder({ '001_first.sql': 'create table z2 (id int primary key);' }, 'third');
    folders.push(second, third);
    const { steps } = await new Migrator({ connection: url, modules: [folder, third, second] }).up();
    expect(steps.map((step) => step.name)).toEqual([
      'shop/005_late.sql',
      'third/001_first.sql',
      'second/001_early.sql',
    ]);
  });

  it('runs NO TRANSACTION files statement by statement', async () => {
    const { migrator, folder, client } = await setup();
    folder.write(
      '004_index.sql',
      '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently items_name on items (name);\nvacuum items;\n',
    );
    await migrator().up();
    expect((await client.query(`select from pg_indexes where indexname = 'items_name'`)).rows).toHaveLength(
      1,
    );
  });

  it('leaves the rows of other tools alone', async () => {
    const { migrator, client, names } = await setup();
    await client.query(`create table schema_migrations (filename text primary key, checksum text not null, applied_at timestamptz not null default now());
      insert into schema_migrations values ('001_init.sql', 'x'), ('other/007_a.sql', 'y')`);
    await migrator().up();
    await migrator().down({ to: 0 });
    expect(await names()).toEqual(['001_init.sql', 'other/007_a.sql']);
    expect((await migrator().status()).filter((row) => row.state === 'foreign')).toHaveLength(2);
  });

  it('writes its ledger although a file changes the session, and starts the next one in a clean session', async () => {
    const { migrator, folder, names, client } = await setup();
    folder.write(
      '004_session.sql',
      `-- +goose Up\ncreate schema away; set search_path to away; create role "migrations test ${process.pid}"; set role "migrations test ${process.pid}"; set timezone to 'Asia/Tokyo';\n`,
    );
    folder.write(
      '005_after.sql',
      `-- +goose Up\ncreate table after_it as select current_user as who, current_setting('timezone') as zone;\n`,
    );
    await migrator().up();
    await client.query(`drop role "migrations test ${process.pid}"`);
    expect(await names()).toHaveLength(5);
    expect((await client.query('select zone, who = session_user as same from public.after_it')).rows).toEqual(
      [{ zone: 'UTC', same: true }],
    );
  });
});

describe('down', () => {
  it('reverts the last file, several, down to one, or all', async () => {
    const { migrator, names, tables } = await setup();
    await migrator().up();
    expect((await migrator().down()).steps.map((step) => step.name)).toEqual(['shop/003_rows.sql']);
    await migrator().up();
    await migrator().down({ to: '001_items' });
    expect(await names()).toEqual(['shop/001_items.sql']);
    await migrator().up();
    await migrator().down({ steps: 2 });
    expect(await names()).toHaveLength(1);
    await migrator().down({ to: 0 });
    expect(await tables()).toEqual([]);
    expect((await migrator().down()).steps).toEqual([]);
  });

  it('refuses a file without Down before anything is reverted', async () => {
    const { migrator, folder, names } = await setup();
    folder.write('002_prices.sql', '-- +goose Up\nalter table items add price numeric;\n');
    await migrator().up();
    const error = await refusal(migrator().down({ to: 0 }));
    expect([error.code, error.file]).toEqual(['MIGRATION.IRREVERSIBLE', 'shop/002_prices.sql']);
    expect(await names()).toHaveLength(3);
  });
});

describe('files that do not agree with the ledger', () => {
  it('an edited one is named with both sums and the two remedies, and nothing runs', async () => {
    const { migrator, folder, names } = await setup();
    await migrator().up({ to: '2' });
    folder.write('001_items.sql', `${THREE['001_items.sql']}-- edited`);
    const error = await refusal(migrator().up());
    expect(error.code).toBe('MIGRATION.CHECKSUM_MISMATCH');
    for (const part of [
      'shop/001_items.sql',
      checksumOf(THREE['001_items.sql']),
      checksumOf(`${THREE['001_items.sql']}-- edited`),
      'restore the text',
      'new migration',
    ]) {
      expect(error.message).toContain(part);
    }
    expect((await refusal(migrator().down())).code).toBe('MIGRATION.CHECKSUM_MISMATCH');
    expect((await refusal(migrator().verify())).code).toBe('MIGRATION.CHECKSUM_MISMATCH');
    expect(await names()).toHaveLength(2);
    folder.write('001_items.sql', `\n\n${THREE['001_items.sql']}\n\n`);
    expect((await migrator().up()).steps).toHaveLength(1);
  });

  it('a missing one, and one below an applied one, are refused', async () => {
    const { migrator, folder } = await setup();
    await migrator().up();
    folder.remove('002_prices.sql');
    const gone = await refusal(migrator().up());
    expect([gone.code, gone.file]).toEqual(['MIGRATION.UNKNOWN', 'shop/002_prices.sql']);
    folder.write('002_prices.sql', THREE['002_prices.sql']);
    await migrator().down({ steps: 1 });
    folder.remove('003_rows.sql');
    folder.write('004_later.sql', 'select 1;');
    await migrator().up();
    folder.write('003_rows.sql', THREE['003_rows.sql']);
    const late = await refusal(migrator().up());
    expect([late.code, late.file]).toEqual(['MIGRATION.OUT_OF_ORDER', 'shop/003_rows.sql']);
    expect(late.message).toContain('number above 4');
  });

  it('are told by status and version, which run nothing', async () => {
    const { migrator, folder } = await setup();
    expect((await migrator().status()).map((row) => row.state)).toEqual(['pending', 'pending', 'pending']);
    expect(await migrator().version()).toEqual([]);
    await migrator().up({ to: '2' });
    folder.write('001_items.sql', 'create table other (id int);');
    folder.remove('002_prices.sql');
    const status = await migrator().status();
    expect(status.map(({ name, state, reversible }) => [name, state, reversible])).toEqual([
      ['shop/001_items.sql', 'changed', false],
      ['shop/003_rows.sql', 'pending', true],
      ['shop/002_prices.sql', 'missing', false],
    ]);
    expect(await migrator().version()).toEqual([{ module: 'shop', name: 'shop/001_items.sql' }]);
  });
});

describe('files that cannot be read', () => {
  it.each([
    ['a name without number', 'init.sql', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['the number zero', '000_a.sql', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['a number twice', '1_again.sql', 'select 1;', 'MIGRATION.DUPLICATE_VERSION'],
    ['a suffix in capitals', '004_a.SQL', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['a dash for the underscore', '4-a.sql', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['a number beyond all', `${'9'.repeat(19)}_a.sql`, 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['text that is not UTF-8', '004_a.sql', Buffer.from([0x2d, 0x2d, 0xff, 0xfe]), 'MIGRATION.SYNTAX'],
    ['U+0000', '004_a.sql', 'select 1; -- \0', 'MIGRATION.SYNTAX'],
    [
      'a Down without semicolon',
      '004_a.sql',
      '-- +goose Up\nselect 1;\n-- +goose Down\nselect 2',
      'MIGRATION.SYNTAX',
    ],
    [
      'COMMIT in a transactional file',
      '004_a.sql',
      '-- +goose Up\ncreate table x (id int);\ncommit;\nselect 1/0;',
      'MIGRATION.SYNTAX',
    ],
  ] as const)('%s is refused before any file runs', async (_name, file, text, code) => {
    const { migrator, folder, tables } = await setup();
    folder.write(file, text);
    const error = await refusal(migrator().up());
    expect(error.code).toBe(code);
    expect(await tables()).toEqual([]);
  });

  it('bytes that are not UTF-8 are named by line and column, and U+FFFD itself is a character', async () => {
    const { migrator, folder } = await setup();
    const text = Buffer.concat([Buffer.from("-- \uFFFD ä\nselect '\uFFFD"), Buffer.from([0xc3, 0x28])]);
    folder.write('004_a.sql', text);
    expect((await refusal(migrator().up())).message).toMatch(/^shop\/004_a\.sql:2:10: This is not UTF-8/);
    folder.write('004_a.sql', "\uFEFF-- +goose Up\nselect '\uFFFD'::text;\n");
    expect((await migrator().up()).steps).toHaveLength(4);
  });

  it('a folder in place of a file, and two modules of one name', async () => {
    const { migrator, folder, url } = await setup();
    mkdirSync(join(folder.migrations, '004_folder.sql'));
    expect((await refusal(migrator().up())).message).toContain(
      'shop/004_folder.sql cannot be read as a file',
    );
    const twice = new Migrator({ connection: url, modules: [folder, folder] });
    expect((await refusal(twice.up())).message).toContain('Two modules are named shop');
  });

  it('numbers order the files, not text: 10 comes behind 9', async () => {
    const { migrator } = await setup({ '10_b.sql': 'drop table a;', '9_a.sql': 'create table a (id int);' });
    expect((await migrator().up()).steps.map((step) => step.name)).toEqual(['shop/9_a.sql', 'shop/10_b.sql']);
  });

  it('a missing folder is named', async () => {
    const { url } = await setup();
    const error = await refusal(
      new Migrator({ connection: url, modules: [{ name: 'x', migrations: '/nowhere/x' }] }).up(),
    );
    expect(error.message).toContain('/nowhere/x');
  });
});

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
