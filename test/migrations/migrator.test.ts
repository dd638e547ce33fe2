import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { checksumOf, Migrator } from 'tombstone/migrations';
import { migrationFolder } from '../support/migration-folder.ts';
import { folders, refusal, setup, THREE } from './fixtures/shop.ts';

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

  it('refuses to take a file and leave one below it, and steps that are no count', async () => {
    const { migrator, tables } = await setup();
    const error = await refusal(migrator().up({ only: ['003_rows'] }));
    expect([error.code, error.file]).toEqual(['MIGRATION.OUT_OF_ORDER', 'shop/001_items.sql']);
    for (const steps of [0, -1, 1.5, Number.NaN]) {
      await expect(migrator().up({ steps })).rejects.toThrow(RangeError);
      await expect(migrator().down({ steps })).rejects.toThrow(RangeError);
    }
    expect(await tables()).toEqual([]);
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

describe('a file that leaves something behind', () => {
  it('in its session does not change what the next file sees', async () => {
    const { migrator, folder, client } = await setup();
    folder.write(
      '004_leftovers.sql',
      `-- +goose Up
create temporary table items as select 1 as fake;
prepare items as select 1;
declare items cursor with hold for select 1;
set standard_conforming_strings to off;
set session_replication_role to replica;
set lock_timeout to 1;
`,
    );
    folder.write(
      '005_after.sql',
      `-- +goose Up
create table seen as select (select count(*) from items) as rows, (select count(*) from pg_prepared_statements where name = 'items') as prepared,
  current_setting('lock_timeout') as timeout, current_setting('session_replication_role') as role, length('\\n') as length;
`,
    );
    await migrator().up();
    expect((await client.query('select * from seen')).rows).toEqual([
      { rows: '1', prepared: '0', timeout: '3s', role: 'origin', length: 2 },
    ]);
  });

  it('on the ledger itself is refused, and nothing of it stays', async () => {
    const { migrator, folder, names } = await setup();
    folder.write('004_a.sql', '-- +goose Up\ncreate table x (id int);\ndrop table schema_migrations;\n');
    const error = await refusal(migrator().up());
    expect([error.code, error.file]).toEqual(['MIGRATION.LEDGER', 'shop/004_a.sql']);
    expect(error.message).toContain('A migration has dropped or renamed it');
    expect(await names()).toHaveLength(3);
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

  it('goes no further than steps, whatever the target', async () => {
    const { migrator, names } = await setup();
    await migrator().up();
    await migrator().down({ to: 0, steps: 1 });
    expect(await names()).toHaveLength(2);
    const error = await refusal(migrator().down({ to: '3' }));
    expect([error.code, error.file]).toEqual(['MIGRATION.NO_SUCH_FILE', 'shop/003_rows.sql']);
  });

  it('reverts between modules by time, inside one by number', async () => {
    const { url, folder } = await setup();
    const second = migrationFolder(
      { '001_y.sql': '-- +goose Up\ncreate table y (id int);\n-- +goose Down\ndrop table y;\n' },
      'second',
    );
    folders.push(second);
    const migrator = new Migrator({ connection: url, modules: [folder, second] });
    await migrator.up();
    folder.write('004_late.sql', '-- +goose Up\nselect 1;\n-- +goose Down\nselect 1;\n');
    await migrator.up();
    const { steps } = await migrator.down({ steps: 3 });
    expect(steps.map((step) => step.name)).toEqual([
      'shop/004_late.sql',
      'second/001_y.sql',
      'shop/003_rows.sql',
    ]);
  });

  it('is open while a file is out of order, because it may be the way out', async () => {
    const { migrator, folder, names } = await setup({
      '002_b.sql': '-- +goose Up\nselect 1;\n-- +goose Down\nselect 1;\n',
    });
    await migrator().up();
    folder.write('001_a.sql', 'select 1;');
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.OUT_OF_ORDER');
    await migrator().down();
    await migrator().up();
    expect(await names()).toEqual(['shop/001_a.sql', 'shop/002_b.sql']);
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
    folder.write('001_items.sql', `${THREE['001_items.sql']}select 1;`);
    const error = await refusal(migrator().up());
    expect(error.code).toBe('MIGRATION.CHECKSUM_MISMATCH');
    for (const part of [
      'shop/001_items.sql',
      checksumOf(THREE['001_items.sql']),
      checksumOf(`${THREE['001_items.sql']}select 1;`),
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

  it('are missed even when no file of the module is left', async () => {
    const { migrator, folder } = await setup();
    await migrator().up({ to: '1' });
    for (const name of Object.keys(THREE)) folder.remove(name);
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.UNKNOWN');
    expect((await migrator().status()).map((row) => row.state)).toEqual(['missing']);
  });

  it('can be recorded and taken out by hand, but not twice', async () => {
    const { migrator, folder, names, tables } = await setup();
    await migrator().log('001_items');
    expect([await names(), await tables()]).toEqual([['shop/001_items.sql'], []]);
    expect((await refusal(migrator().log('1'))).message).toContain('is recorded as applied already');
    folder.remove('001_items.sql');
    await migrator().unlog('shop/001_items.sql');
    expect((await refusal(migrator().unlog('2'))).message).toContain('is not recorded as applied');
    expect(await names()).toEqual([]);
  });

  it('do not count as out of order across modules', async () => {
    const { url, folder, migrator } = await setup();
    const second = migrationFolder({ '900_y.sql': 'select 1;' }, 'second');
    folders.push(second);
    await new Migrator({ connection: url, modules: [second] }).up();
    expect((await new Migrator({ connection: url, modules: [folder, second] }).up()).steps).toHaveLength(3);
    expect((await migrator().status()).at(-1)).toMatchObject({ name: 'second/900_y.sql', state: 'foreign' });
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
    ['the number zero', '000_a.sql', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
    ['a number twice', '1_again.sql', 'select 1;', 'MIGRATION.DUPLICATE_VERSION'],
    ['a suffix in capitals', '004_a.SQL', 'select 1;', 'MIGRATION.ILLEGAL_NAME'],
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
