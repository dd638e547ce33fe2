import { basename } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { Migrator, parseMigration, type MigrationSource } from 'tombstone/migrations';
import { readFileSync } from 'node:fs';
import { generateFiles } from '../../bench/migration-files.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { refusal, setup } from './fixtures/shop.ts';

describe('a module whose file names order by themselves', () => {
  it('of 400 files and 1,500 statements in the shapes of a long history is applied, each file once and in order', async () => {
    const module = generateFiles(400, 1500);
    const { url } = await emptyTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const names = module.paths.map((path) => basename(path));
      const parsed = module.paths.map((path) => parseMigration(path, readFileSync(path, 'utf8')));
      expect([names.length, parsed.flatMap(({ up }) => up).length]).toEqual([400, 1500]);
      const numbers = names.map((name) => /\d+/.exec(name)?.[0]);
      expect(new Set(numbers).size).toBeLessThan(names.length);
      expect(names.filter((name) => name.endsWith('_notx.sql')).length).toBeGreaterThan(10);
      const { steps } = await new Migrator({ connection: url, modules: [module] }).up();
      expect(steps.map(({ path }) => path)).toEqual(module.paths);
      expect(
        (await client.query<{ name: string }>('select name from audit')).rows.map(({ name }) => name),
      ).toEqual(names);
      expect((await client.query('select from pg_index where not indisvalid')).rows).toEqual([]);
      expect((await new Migrator({ connection: url, modules: [module] }).up()).steps).toEqual([]);
    } finally {
      await client.end();
      module.delete();
    }
  }, 120_000);

  const FILES = {
    '010_b.sql': 'insert into log values (10);',
    '010_a.sql': 'create table log (at int);',
    '9_c.sql': 'insert into log values (9);',
    'tk_001_d_notx.sql': 'vacuum log;',
  };

  it('takes names in the order of their bytes, and a number of which there are two names none', async () => {
    const { migrator, folder, names } = await setup(FILES);
    const modules: MigrationSource[] = [{ ...folder, migrationOrder: 'filename' }];
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.DUPLICATE_VERSION');
    const { steps } = await migrator({ modules }).up();
    expect(steps.map(({ name }) => name)).toEqual(
      Object.keys(FILES)
        .toSorted()
        .map((name) => `shop/${name}`),
    );
    expect((await refusal(migrator({ modules }).up({ to: '10' }))).code).toBe('MIGRATION.NO_SUCH_FILE');
    expect(await names()).toHaveLength(4);
  });

  it('refuses a new file whose name sorts before an applied one, and names that no shell likes', async () => {
    const { migrator, folder } = await setup(FILES);
    const modules: MigrationSource[] = [{ ...folder, migrationOrder: 'filename' }];
    await migrator({ modules }).up();
    folder.write('9_d.sql', 'select 1;');
    const error = await refusal(migrator({ modules }).up());
    expect([error.code, error.file]).toEqual(['MIGRATION.OUT_OF_ORDER', 'shop/9_d.sql']);
    expect(error.message).toContain('Give it a name that sorts behind it.');
    folder.remove('9_d.sql');
    folder.write('zz new.sql', 'select 1;');
    expect((await refusal(migrator({ modules }).up())).code).toBe('MIGRATION.ILLEGAL_NAME');
  });

  it('lets a file that ends in _notx have transactions of its own, as NO TRANSACTION does, without annotations', async () => {
    const text = 'create table log (at int);\nbegin;\ninsert into log values (1);\ncommit;\nvacuum log;';
    const { migrator, folder, client } = await setup({ '001_a_notx.sql': text });
    const modules: MigrationSource[] = [{ ...folder, migrationOrder: 'filename' }];
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.SYNTAX');
    await migrator({ modules }).up();
    expect((await client.query('select at from log')).rows).toEqual([{ at: 1 }]);
    folder.write('002_b.sql', 'begin;\ncommit;');
    expect((await refusal(migrator({ modules }).up())).code).toBe('MIGRATION.SYNTAX');
  });
});
