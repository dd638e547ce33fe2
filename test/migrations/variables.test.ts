import { describe, expect, it } from '@jest/globals';
import { checksumOf } from 'tombstone/migrations';
import { refusal, setup } from './fixtures/shop.ts';

const FILE = "-- +goose ENVSUB ON\n-- +goose Up\ncreate table people as select '${OWNER}' as owner;\n";

describe('variables of the environment', () => {
  it('come into the statements that run, and not into the checksum', async () => {
    const { migrator, client } = await setup({ '001_people.sql': FILE });
    await migrator({ variables: { lookup: () => "O'Hara" } }).up();
    expect((await client.query('select owner from people')).rows).toEqual([{ owner: "O'Hara" }]);
    const { rows } = await client.query('select checksum from schema_migrations');
    expect(rows).toEqual([{ checksum: checksumOf(FILE) }]);
    expect((await migrator().up()).steps).toEqual([]);
  });

  it('that are missing stop the run before its first file, and only in the direction that runs', async () => {
    const files = { '001_a.sql': '-- +goose Up\ncreate table a (id int);\n', '002_people.sql': FILE };
    const { migrator, tables } = await setup(files);
    const error = await refusal(migrator().up());
    expect(error.message).toMatch(/^shop\/002_people\.sql:3: The variable OWNER is not set\./);
    expect(await tables()).toEqual([]);
    const down = '-- +goose ENVSUB ON\n-- +goose Up\nselect 1;\n-- +goose Down\nselect ${GONE};\n';
    const second = await setup({ '001_a.sql': down });
    expect((await second.migrator().up()).steps).toHaveLength(1);
    expect((await refusal(second.migrator().down())).code).toBe('MIGRATION.VARIABLE');
  });

  it('stand in no error, although the server repeats them', async () => {
    const { migrator, folder, client } = await setup({ '001_people.sql': FILE });
    const variables = { lookup: () => 's3cret' };
    for (const sql of [
      'select ${V};',
      'select "${V}" from pg_class;',
      "do $$\n-- +goose ENVSUB ON\nbegin raise '${V}'; end $$;",
      "select '${V}'::int;",
    ]) {
      folder.write('002_bad.sql', `-- +goose ENVSUB ON\n-- +goose Up\n${sql}\n`);
      const error = await refusal(migrator({ variables }).up());
      expect(error.code).toBe('MIGRATION.FAILED');
      expect(error.message + String(error.stack) + JSON.stringify(error)).not.toContain('s3cret');
    }
    // The server does repeat it, so the test above can fail.
    await expect(client.query("select 's3cret'::int")).rejects.toThrow('s3cret');
  });

  it('are not read from the environment by the engine', async () => {
    process.env['OWNER'] = 'somebody';
    const { migrator } = await setup({ '001_people.sql': FILE });
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.VARIABLE');
  });
});

it('a file that is passed over, and a note on a line, are told', async () => {
  const { migrator, events } = await setup({
    '1-a.sql': 'select 1;',
    '002_b.sql': 'select 1; -- +goose Down',
  });
  await migrator().up();
  expect(events.filter(({ type }) => type === 'note')).toMatchObject([
    { file: 'shop/1-a.sql' },
    { file: 'shop/002_b.sql', line: 1 },
  ]);
});
