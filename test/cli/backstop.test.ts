import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { type Ended, ROOT, run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { connect, stateOf } from '../kit/fixtures/backstop.ts';
import { ARCHIVE } from './fixtures/archive.ts';

const folders: MigrationFolder[] = [];
afterAll(() => folders.forEach((folder) => folder.delete()));

interface Project {
  readonly folder: MigrationFolder;
  files(): string[];
  text(name: string): string;
  tombstone(...args: string[]): Promise<Ended>;
}

/** The archive as the module `archive`, and an empty one beside it. No database is named, and none is needed. */
function project(files: Readonly<Record<string, string>> = {}, url?: string): Project {
  const folder = migrationFolder(files, 'archive');
  folders.push(folder);
  const empty = join(folder.root, 'empty');
  mkdirSync(empty);
  const modules = [
    `{ name: 'archive', migrations: ${JSON.stringify(folder.migrations)}, entities: archiveEntities }`,
    `{ name: 'empty', migrations: ${JSON.stringify(empty)}, entities: [] }`,
  ];
  writeFileSync(
    join(folder.root, 'mikro-orm.config.ts'),
    `import { defineDataConfig } from ${JSON.stringify(join(ROOT, 'src/index.ts'))};
     import { archiveEntities } from ${JSON.stringify(join(ROOT, 'test/cli/fixtures/archive.ts'))};
     export default defineDataConfig({ clientUrl: '', modules: [${modules.join(', ')}] });`,
  );
  const env = url === undefined ? {} : { DATABASE_URL: url };
  return {
    folder,
    files: () => readdirSync(folder.migrations).toSorted(),
    text: (name) => readFileSync(join(folder.migrations, name), 'utf8'),
    tombstone: (...args) => run([join(ROOT, 'bin/tombstone.js'), ...args], env, folder.root),
  };
}

const TABLES = 'folder,north.box,south.box,sheet,Paper "A4"';
const FILE = '001_add_soft_delete_backstop.sql';

describe('tombstone backstop', () => {
  it('writes the next file, whose Up guards the tables and whose Down leaves nothing', async () => {
    const { url } = await emptyTestDatabase();
    const first = `-- +goose Up\n${ARCHIVE}`;
    const { tombstone, files } = project({ '001_archive.sql': first }, url);
    const written = await tombstone('backstop', 'archive', '--tables', TABLES);
    expect(written).toMatchObject({ code: 0, err: '' });
    expect(written.out).toMatch(/^Wrote \/.*archive\/002_add_soft_delete_backstop\.sql\nIt guards folder, /);
    expect(files()).toEqual(['001_archive.sql', '002_add_soft_delete_backstop.sql']);
    expect((await tombstone('migrate', 'up')).code).toBe(0);

    const client = await connect(url);
    const names = ['folder', 'north.box', 'south.box', 'sheet', '"old Files"."Paper ""A4"""'];
    const states = () => Promise.all(names.map((name) => stateOf(client, `delete from ${name}`)));
    expect(await states()).toEqual(names.map(() => 'TS001'));
    const dead = `update "old Files"."Paper ""A4""" set id = 2`;
    expect(await stateOf(client, dead)).toBe('TS002');
    expect((await tombstone('migrate', 'down')).code).toBe(0);
    expect(await stateOf(client, dead)).toBeUndefined();
    expect(await states()).toEqual(names.map(() => undefined));
    const left = await client.query(`select from pg_proc where proname like 'tombstone%'`);
    expect(left.rowCount).toBe(0);
    await client.end();
  });

  it('gives a hierarchy in one table one pair of triggers', async () => {
    const { tombstone, text } = project();
    await tombstone('backstop', 'archive', '--tables', 'sheet');
    expect(text(FILE).match(/CREATE TRIGGER/g)).toHaveLength(2);
    expect(text(FILE)).toContain('BEFORE DELETE ON "sheet"');
  });

  it('names the roles in the triggers', async () => {
    const { tombstone, text } = project();
    const { out } = await tombstone(
      'backstop',
      'archive',
      '--tables',
      'folder',
      '--role',
      'app',
      '--role',
      "o'x",
      '--json',
    );
    expect(JSON.parse(out)).toEqual({
      path: expect.stringContaining(FILE),
      module: 'archive',
      tables: ['folder'],
      roles: ['app', "o'x"],
    });
    expect(text(FILE)).toContain(`EXECUTE FUNCTION "tombstone_backstop"('app', 'o''x');`);
  });

  it('takes the tables that no file covers, and a dropped backstop again', async () => {
    const { tombstone, folder, text, files } = project();
    await tombstone('backstop', 'archive', '--tables', TABLES);
    const again = await tombstone('backstop', 'archive', '--tables', 'sheet');
    expect(again.code).toBe(2);
    expect(again.err).toContain('sheet is guarded by a migration of archive.');
    folder.write('002_no_more.sql', '-- +goose Up\nDROP TRIGGER "tombstone_backstop_delete" ON "sheet";\n');
    expect((await tombstone('backstop', 'archive', '--tables', 'sheet')).code).toBe(0);
    expect(files()).toHaveLength(3);
    expect(text('003_add_soft_delete_backstop.sql')).toContain('ON "sheet"');
  });

  it('says that there is nothing left to do', async () => {
    const { folder, tombstone } = project();
    await tombstone('backstop', 'archive', '--tables', TABLES);
    // The one that is left is guarded by hand.
    folder.write(
      '002_rest.sql',
      '-- +goose Up\nCREATE TRIGGER "tombstone_backstop_delete" BEFORE DELETE ON "*"."tenant_file"\n  FOR EACH ROW EXECUTE FUNCTION f();\n',
    );
    const ended = await tombstone('backstop', 'archive');
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.err).toContain('Every soft-deletable table of archive is guarded');
  });

  it.each<[string, string[], string]>([
    ['no module', [], "missing required argument 'module'"],
    ['an unknown module', ['archives'], 'There is no module archives'],
    ['a module without a soft-deletable entity', ['empty'], 'Module empty has no soft-deletable entity.'],
    [
      'an unknown table',
      ['archive', '--tables', 'folder,folders'],
      '"folders" is no table of a soft-deletable entity',
    ],
    [
      'a table of another kind',
      ['archive', '--tables', 'visit'],
      '"visit" is no table of a soft-deletable entity',
    ],
    ['a name that two tables have', ['archive', '--tables', 'box'], 'north.box, south.box'],
    ['a table twice', ['archive', '--tables', 'folder,folder'], 'occurs twice'],
    ['an empty list', ['archive', '--tables', ''], '"" is no table'],
    ['a schema that is chosen at run time', ['archive'], 'tenant_file is chosen at run time'],
    [
      'a role that is no name',
      ['archive', '--tables', 'folder', '--role', ''],
      'no name that PostgreSQL stores',
    ],
    ['a missing configuration', ['archive', '--config', 'nowhere.ts'], 'There is no configuration file'],
  ])('refuses %s, and writes nothing', async (_, args, sentence) => {
    const { tombstone, files } = project();
    const ended = await tombstone('backstop', ...args);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain(sentence);
    expect(ended.err).not.toMatch(/^\s+at /m);
    expect(files()).toEqual([]);
  });

  it('refuses a configuration that does not tell the entities', async () => {
    const { tombstone, folder } = project();
    const modules = JSON.stringify([{ name: 'archive', migrations: folder.migrations }]);
    const path = join(folder.root, 'plain.config.mjs');
    writeFileSync(path, `export default { migrations: { modules: ${modules} } };`);
    const ended = await tombstone('backstop', 'archive', '--config', path);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain('does not tell the entities of archive');
    expect(existsSync(join(folder.migrations, basename(FILE)))).toBe(false);
  });
});
