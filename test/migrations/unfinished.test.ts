import { describe, expect, it } from '@jest/globals';
import { interrupt } from './fixtures/interrupt.ts';
import { migrationFolder } from '../support/migration-folder.ts';
import { folders, refusal, type Setup, setup } from './fixtures/shop.ts';

const HEAD = '-- +goose NO TRANSACTION\n-- +goose ENVSUB ON\n-- +goose Up\n';
const withFile = (sql: string): Promise<Setup> =>
  setup({ '001_items.sql': 'create table items (id int, name text);', '002_more.sql': `${HEAD}${sql}\n` });
const values = (value: string) => ({ variables: { lookup: () => value } });

describe('the journal of a file with values of the environment', () => {
  const sql = "insert into items values (1, '${V}');\nselect nothing;";

  it('knows a statement by what the file says, so other values are no edit', async () => {
    const { migrator, folder, client } = await withFile(sql);
    await refusal(migrator(values('s3cret')).up());
    folder.write(
      '002_more.sql',
      `${HEAD}${sql.replace('select nothing', "update items set id = 2 where name <> '${V}'")}\n`,
    );
    await migrator(values('other')).up();
    expect((await client.query('select id, name from items')).rows).toEqual([{ id: 2, name: 's3cret' }]);
  });

  it('sees an edit of what the file says although the values make the same of it', async () => {
    const { migrator, folder } = await withFile(sql);
    await refusal(migrator(values('s3cret')).up());
    folder.write('002_more.sql', `${HEAD}${sql.replace('${V}', 's3cret')}\n`);
    expect((await refusal(migrator(values('s3cret')).up())).code).toBe('MIGRATION.UNFINISHED');
  });

  it('is in doubt without a value in the message', async () => {
    const { migrator, client } = await withFile(
      'do $$\n-- +goose ENVSUB ON\nbegin perform pg_sleep(60), \'${V}\'; commit; end $$;\ncreate index concurrently on "${V}" (id);',
    );
    await interrupt(client, migrator(values('items')).up(), 'pg_sleep(60)');
    const error = await refusal(migrator(values('items')).up());
    expect(error.code).toBe('MIGRATION.IN_DOUBT');
    expect(error.message).toContain('002_more.sql:4: statement 1 (do ?)');
    expect(error.message.replaceAll('001_items', '')).not.toContain('items');
  });

  it('names no index of a failed build whose name may be a value', async () => {
    const { migrator, client, events } = await withFile(
      'create unique index concurrently "${V}" on items (id);',
    );
    await migrator(values('s3cret')).up({ to: '1' });
    await client.query('insert into items values (1), (1)');
    const error = await refusal(migrator(values('s3cret')).up());
    expect(error.message).toContain('The table has invalid indexes; the next run drops');
    await client.query('delete from items');
    await migrator(values('s3cret')).up();
    expect(events).toContainEqual({ type: 'removed-remains', name: 'shop/002_more.sql', index: null });
    expect(JSON.stringify([error.message, error, events])).not.toContain('s3cret');
  });
});

describe('a half-done file that was edited', () => {
  it('is found by verify, and stops a run before the files of other modules', async () => {
    const text = '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\nselect nothing;\n';
    const { migrator, folder, tables } = await setup({ '001_a.sql': text });
    await refusal(migrator().up());
    folder.write('001_a.sql', text.replace('select 1', 'select 2'));
    const other = migrationFolder({ '001_b.sql': 'create table b (id int);' }, 'other');
    folders.push(other);
    const both = migrator({ modules: [other, folder] });
    expect((await both.findings()).map(({ code, file }) => [code, file])).toEqual([
      ['MIGRATION.UNFINISHED', 'shop/001_a.sql'],
    ]);
    expect((await refusal(both.up())).code).toBe('MIGRATION.UNFINISHED');
    expect(await tables()).toEqual([]);
  });
});

describe('the status of a half-done file', () => {
  it('is a state of its own, in either direction, until the file is finished', async () => {
    const down = '-- +goose Down\nselect 1;\nselect 2;\nselect nothing;\n';
    const text = `-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\nselect nothing;\n${down}`;
    const { migrator, folder } = await setup({ '001_a.sql': text });
    const status = async () => (await migrator().status())[0];
    expect(await status()).toMatchObject({ state: 'pending' });
    await refusal(migrator().up());
    const half = { state: 'unfinished', appliedAt: undefined, progress: { direction: 'up', done: 1, of: 2 } };
    expect(await status()).toMatchObject(half);
    expect(await migrator().version()).toEqual([]);
    folder.write('001_a.sql', text.replace('select nothing', 'select 2'));
    await migrator().up();
    expect(await status()).not.toHaveProperty('progress');
    await refusal(migrator().down());
    expect(await status()).toMatchObject({
      state: 'unfinished',
      appliedAt: expect.any(Date),
      progress: { direction: 'down', done: 2, of: 3 },
    });
    expect((await migrator().findings()).map(({ code }) => code)).toEqual(['MIGRATION.UNFINISHED']);
  });

  it('ends when a person says that the file is applied', async () => {
    const { migrator, client } = await setup({
      '001_a.sql': '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\nselect nothing;\n',
    });
    await refusal(migrator().up());
    await migrator().baseline({ to: '1' });
    expect(await migrator().status()).toMatchObject([{ state: 'applied' }]);
    expect((await client.query('select from schema_migrations_journal')).rows).toEqual([]);
  });
});

describe('a directive of our own', () => {
  it.each([
    ['lok_timeout=3s', '"lok_timeout" is no directive of tombstone. Write one of: lock_timeout,'],
    ['', '"" is no directive of tombstone.'],
    ['lock_timeout=soon', 'This is no time.'],
  ])('"%s" is refused before anything runs', async (directive, problem) => {
    const { migrator, tables } = await setup({
      '001_a.sql': 'create table a (id int);',
      '002_b.sql': `select 1;\n-- +tombstone ${directive}\n`,
    });
    const error = await refusal(migrator().up());
    expect(error.message).toContain(`shop/002_b.sql:2:1: ${problem}`);
    expect(await tables()).toEqual([]);
  });
});
