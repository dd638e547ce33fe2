import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { LOCK_ID, Migrator } from 'tombstone/migrations';
import { statementChecksum } from '../../src/kit/migrations/statement-checksum.ts';
import { EXIT, EXIT_OF, exitCodeLines } from '../../src/cli/exit-codes.ts';
import { ROOT, run } from '../support/command.ts';
import { cloneTestDatabase } from '../support/database.ts';
import { expectSentence, FILES, type Project, project } from './fixtures/project.ts';

const FIRST = FILES['001_items.sql'];
const applied = async (): Promise<Project> => {
  const ready = await project();
  await new Migrator({ connection: ready.url, modules: [ready.folder] }).up();
  return ready;
};

/** What is wrong, the code, and the command that finds it. Unreachable servers and the rest are in tombstone.test.ts. */
const CASES: readonly [string, number, readonly string[], (ready: Project) => unknown][] = [
  ['changed statements', 10, ['up'], ({ folder }) => folder.write('001_items.sql', 'select 1;')],
  ['changed comments', 11, ['up'], ({ folder }) => folder.write('001_items.sql', `-- why\n${FIRST}`)],
  ['a file that is gone', 12, ['up'], ({ folder }) => folder.remove('002_more.sql')],
  [
    'a file with another name',
    13,
    ['up'],
    ({ folder }) => {
      folder.remove('001_items.sql');
      folder.write('001_things.sql', FIRST);
    },
  ],
  ['one number twice', 15, ['up'], ({ folder }) => folder.write('2_again.sql', 'select 1;')],
  ['an illegal name', 16, ['up'], ({ folder }) => folder.write('0_zero.sql', 'select 1;')],
  ['a file that cannot be read', 17, ['up'], ({ folder }) => folder.write('003_bad.sql', "select '")],
  [
    'a variable without value',
    18,
    ['up'],
    ({ folder }) =>
      folder.write('003_v.sql', "-- +goose ENVSUB ON\n-- +goose Up\nselect '${NOT_SET_ANYWHERE}';\n"),
  ],
  [
    'a file without Down',
    19,
    ['down', '--to', '0'],
    async ({ folder, url }) => {
      folder.write('003_one_way.sql', 'select 1;');
      await new Migrator({ connection: url, modules: [folder] }).up();
    },
  ],
  ['a name that fits no file', 20, ['up', '--to', '77'], () => undefined],
  ['a ledger that has rows', 21, ['baseline', '--to', '2'], () => undefined],
  [
    'a ledger of another shape',
    22,
    ['up'],
    ({ query }) => query('alter table schema_migrations rename applied_at to at'),
  ],
  ['a statement that fails', 30, ['up'], ({ folder }) => folder.write('003_bad.sql', 'select 1/0;')],
];

describe('an exit code of its own for', () => {
  it.each(CASES)('%s is %i', async (_name, code, args, spoil) => {
    const ready = await applied();
    await spoil(ready);
    const ended = await ready.tombstone('migrate', ...args);
    expectSentence(ended);
    expect(ended.code).toBe(code);
  });

  it('a file below an applied one is 14', async () => {
    const { folder, url, tombstone } = await project({ '002_b.sql': 'select 2;' });
    await new Migrator({ connection: url, modules: [folder] }).up();
    folder.write('001_a.sql', 'select 1;');
    const ended = await tombstone('migrate', 'up');
    expectSentence(ended, 'shop/001_a.sql');
    expect(ended.code).toBe(14);
  });
});

describe('the command', () => {
  it('verify lists all findings, ends with the code of the worst, and with 0 when there is none', async () => {
    const { folder, tombstone } = await applied();
    expect(await tombstone('migrate', 'verify')).toMatchObject({ code: 0, err: '' });
    folder.write('001_items.sql', `-- why\n${FIRST}`);
    folder.remove('002_more.sql');
    const text = await tombstone('migrate', 'verify');
    expect(text.code).toBe(12);
    expect(text.out).toMatch(
      /MIGRATION\.UNKNOWN: shop\/002[^]*MIGRATION\.COMMENT_CHANGED: shop\/001[^]*2 found/,
    );
    const json = await tombstone('migrate', 'verify', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      findings: [
        { exitCode: 12, file: 'shop/002_more.sql' },
        { exitCode: 11, code: 'MIGRATION.COMMENT_CHANGED' },
      ],
    });
  });

  it('repair shows what it would do, and writes only with --yes', async () => {
    const { folder, tombstone } = await applied();
    folder.write('001_items.sql', `-- why\n${FIRST}`);
    const shown = await tombstone('migrate', 'repair', '--all-comment-only');
    expect(shown.code).toBe(2);
    expect(shown.out).toContain('would repair shop/001_items.sql (comments)');
    expect((await tombstone('migrate', 'verify')).code).toBe(11);
    const written = await tombstone('migrate', 'repair', '001_items', '--yes', '--json');
    expect(JSON.parse(written.out)).toMatchObject({ written: true, repairs: [{ kind: 'comments' }] });
    expect((await tombstone('migrate', 'verify')).code).toBe(0);
    expect((await tombstone('migrate', 'repair', '--yes')).code).toBe(2);
  });

  it('repair takes changed statements only when they are accepted', async () => {
    const { folder, tombstone } = await applied();
    folder.write('001_items.sql', 'select 1;');
    expect((await tombstone('migrate', 'repair', '1', '--yes')).code).toBe(10);
    expect((await tombstone('migrate', 'repair', '1', '--yes', '--accept-changed-statements')).code).toBe(0);
    expect((await tombstone('migrate', 'verify')).code).toBe(0);
  });

  it('baseline, up-by-one, redo and new do what they say', async () => {
    const { folder, tombstone, query } = await project();
    expect((await tombstone('migrate', 'baseline', '--to', '1')).out).toContain(
      'recorded shop/001_items.sql',
    );
    expect((await tombstone('migrate', 'up-by-one')).out).toContain('applied 1/1 shop/002_more.sql');
    expect((await tombstone('migrate', 'redo')).out).toContain(
      'shop/002_more.sql reverted and applied again.',
    );
    const { out } = await tombstone('migrate', 'new', 'shop', 'add', 'notes');
    expect(out.trim()).toBe(join(folder.migrations, '003_add_notes.sql'));
    expect(readFileSync(out.trim(), 'utf8')).toBe('-- +goose Up\n\n-- +goose Down\n');
    expect((await tombstone('migrate', 'new', 'nowhere', 'x')).code).toBe(2);
    expect(await query(`select from pg_tables where tablename = 'items'`)).toEqual([]);
  });

  it('plan lists statements with their locks, and runs nothing', async () => {
    const { tombstone, query } = await project({
      '001_a.sql': '-- +goose Up\ncreate table a (id int);\n',
      '002_b.sql': '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently b on a (id);\n',
    });
    const { out, code } = await tombstone('migrate', 'plan');
    expect(code).toBe(0);
    expect(out).toMatch(
      /shop\/001_a\.sql\n +2: create table a \(id int\);\n +ACCESS EXCLUSIVE on a\nshop\/002_b\.sql +without a transaction\n +3: .*\n +SHARE UPDATE EXCLUSIVE on a, scans\n2 pending/,
    );
    const json = await tombstone('migrate', 'plan', '--to', '1', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ files: [{ name: 'shop/001_a.sql', transactional: true }] });
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
  });

  it('puts the environment into files that ask for it', async () => {
    process.env['TOMBSTONE_TEST_OWNER'] = "O'Hara";
    const { tombstone, query, folder } = await project({
      '001_a.sql':
        "-- +goose ENVSUB ON\n-- +goose Up\ncreate table a as select '${TOMBSTONE_TEST_OWNER}' as owner;\n",
      '002_b.sql': "-- +goose ENVSUB ON\n-- +goose Up\nselect '${DATABASE_URL}';\n",
    });
    expect((await tombstone('migrate', 'up', '--steps', '1')).code).toBe(0);
    expect(await query('select owner from a')).toEqual([{ owner: "O'Hara" }]);
    expect((await tombstone('migrate', 'up')).code).toBe(18);
    folder.write('002_b.sql', '-- +goose ENVSUB ON\n-- +goose Up\nselect $TOMBSTONE_TEST_SQL;\n');
    process.env['TOMBSTONE_TEST_SQL'] = '1 + 1';
    expect((await tombstone('migrate', 'up')).code).toBe(18);
    expect((await tombstone('migrate', 'up', '--allow-raw-values')).code).toBe(0);
    delete process.env['TOMBSTONE_TEST_SQL'];
    delete process.env['TOMBSTONE_TEST_OWNER'];
  });
});

describe('lint', () => {
  it('ends with 3 and the remedy for an error, with 0 for a warning, and needs no database', async () => {
    const { folder, tombstone, query } = await project();
    folder.write('003_warn.sql', 'do $$ begin end $$;');
    const warned = await tombstone('migrate', 'lint', '3');
    expect(warned.code).toBe(0);
    expect(warned.out).toContain('shop/003_warn.sql:1: warning L516 DO');
    folder.write('004_drop.sql', 'drop table items;');
    const ended = await tombstone('migrate', 'lint', '--json');
    expect(ended.code).toBe(3);
    const { findings } = JSON.parse(ended.out) as { findings: object[] };
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'L401', about: 'items', line: 1 }));
    expect((await tombstone('migrate', 'lint', '77')).code).toBe(20);
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
  });

  it('asks the database when it is told to', async () => {
    const { folder, tombstone, query } = await project();
    await query('create table parts (id int) partition by range (id)');
    folder.write(
      '003_index.sql',
      '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently i on parts (id);\n',
    );
    expect((await tombstone('migrate', 'lint', '3')).code).toBe(0);
    const asked = await tombstone('migrate', 'lint', '3', '--database');
    expect(asked.code).toBe(3);
    expect(asked.out).toContain('shop/003_index.sql:3: error L109 parts');
    const bin = join(ROOT, 'bin/tombstone.js');
    const nowhere = await run([bin, 'migrate', 'lint', '--database'], {}, folder.root);
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('DATABASE_URL is not set')]);
  });

  it('and verify end with 0 on our own files', async () => {
    const { url } = await cloneTestDatabase();
    for (const command of ['lint', 'verify']) {
      const ended = await run([join(ROOT, 'bin/tombstone.js'), 'migrate', command], { DATABASE_URL: url });
      expect(ended).toMatchObject({ code: 0, err: '' });
    }
  });
});

describe('the table of exit codes', () => {
  it('gives every code of the engine a number of its own', () => {
    const own = Object.values(EXIT_OF).filter((code) => code !== EXIT.usage);
    expect(new Set(own).size).toBe(own.length);
    expect(own.filter((code) => code <= 3)).toEqual([]);
    const listed = exitCodeLines().map((line) => Number.parseInt(line, 10));
    expect(listed.toSorted((a, b) => a - b)).toEqual(
      [...Object.values(EXIT), ...own].toSorted((a, b) => a - b),
    );
  });

  it('is listed by --help', async () => {
    const { tombstone } = await project();
    const { out } = await tombstone('migrate', '--help');
    for (const line of exitCodeLines()) expect(out).toContain(line);
  });

  it('stands in docs/migrations.md with the same numbers', () => {
    const page = readFileSync(join(ROOT, 'docs/migrations.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `MIGRATION\.(\w+)` +\| (\d+) +\|/gm)].map(([, code, exit]) => [
      `MIGRATION.${code}`,
      Number(exit),
    ]);
    expect(Object.fromEntries(rows)).toEqual(EXIT_OF);
  });

  it('has 32 for a half-done file that is gone, and 33 for one of which nothing tells what was done', async () => {
    const head = '-- +goose NO TRANSACTION\n-- +goose Up\n';
    const { folder, tombstone, query } = await project({
      '001_a.sql': `${head}select 1;\nselect nothing;\n`,
    });
    expect((await tombstone('migrate', 'up')).code).toBe(30);
    const status = await tombstone('migrate', 'status');
    expect(status.out).toContain('shop/001_a.sql  1 of 2 statements done; "migrate up" goes on');
    expect(status.out).toContain('0 recorded, 0 pending, 1 unfinished.');
    folder.remove('001_a.sql');
    const gone = await tombstone('migrate', 'up');
    expectSentence(gone, 'the file is gone');
    expect(gone.code).toBe(32);
    folder.write('001_a.sql', `${head}select 1;\ncall nothing();\n`);
    await query(
      `insert into schema_migrations_journal (filename, direction, statement, checksum)
       values ('shop/001_a.sql', 'up', 2, '${statementChecksum('call nothing();')}')`,
    );
    const doubtful = await tombstone('migrate', 'up');
    expectSentence(doubtful, '--in-doubt done');
    expect(doubtful.code).toBe(33);
    expect((await tombstone('migrate', 'up', '--in-doubt', 'done')).code).toBe(0);
  });

  it('has 31 for a lock that is not given', async () => {
    const { url, folder } = await project();
    const holder = new Client({ connectionString: url });
    await holder.connect();
    await holder.query(`select pg_advisory_lock(${LOCK_ID})`);
    const migrator = new Migrator({ connection: url, modules: [folder], lockTimeoutMs: 50, lockPollMs: 10 });
    const error = await migrator.up().catch((reason: unknown) => reason);
    await holder.end();
    expect(EXIT_OF[(error as { code: 'MIGRATION.LOCK_TIMEOUT' }).code]).toBe(31);
  });
});
