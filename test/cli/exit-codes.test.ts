import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Migrator } from 'tombstone/migrations';
import { statementChecksum } from '../../src/kit/migrations/statement-checksum.ts';
import { EXIT, EXIT_OF, exitCodeLines } from '../../src/cli/exit-codes.ts';
import { REMEDIES } from '../../src/cli/remedies.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { cloneTestDatabase } from '../support/database.ts';
import { type Failure, FAILURES } from './fixtures/failures/index.ts';
import { expectSentence, FILES, type Project, project } from './fixtures/project.ts';

const FIRST = FILES['001_items.sql'];
const applied = async (): Promise<Project> => {
  const ready = await project();
  await new Migrator({ connection: ready.url, modules: [ready.folder] }).up();
  return ready;
};

/** Runs the case with and without `--json`, with it first: a run may change what the next one finds. */
async function endsOf({ args, arrange }: Failure): Promise<{ json: Ended; text: Ended }> {
  const ready = await applied();
  const { env, end } = (await arrange(ready)) ?? {};
  const command = (...more: string[]): Promise<Ended> =>
    run(
      [join(ROOT, 'bin/tombstone.js'), ...args, ...more],
      { DATABASE_URL: ready.url, ...env },
      ready.folder.root,
    );
  try {
    return { json: await command('--json'), text: await command() };
  } finally {
    await end?.();
  }
}

describe('every exit code, by the real command:', () => {
  for (const each of FAILURES) {
    (each.skip ? it.skip : it)(`${each.exit} for ${each.name}`, async () => {
      const { json, text } = await endsOf(each);
      expect([json.code, text.code]).toEqual([each.exit, each.exit]);
      const document = JSON.parse(json.out) as {
        error?: { code: string; message: string; exitCode: number };
      };
      expect(document).toMatchObject(each.facts);
      for (const { out, err } of [json, text]) expect(out + err).not.toMatch(/s3cret/);
      const { error } = document;
      expect(error === undefined).toBe(!('error' in each.facts));
      if (!error) return expect(text.err).toBe('');
      expectSentence(text);
      expect(error.exitCode).toBe(each.exit);
      // The help that a command without its verb prints is its sentence.
      if (each.args.length > 1) expect(json.err).toContain(error.message);
      return undefined;
    });
  }

  it('none is left out', () => {
    const all = [...Object.values(EXIT), ...Object.values(EXIT_OF)];
    expect([...new Set(FAILURES.map(({ exit }) => exit))].toSorted((a, b) => a - b)).toEqual(
      [...new Set<number>(all)].toSorted((a, b) => a - b),
    );
    const codes = FAILURES.map(({ facts }) => (facts as { error?: { code: string } }).error?.code);
    expect(codes).toEqual(expect.arrayContaining(Object.keys(EXIT_OF)));
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
        {
          exitCode: 11,
          code: 'MIGRATION.COMMENT_CHANGED',
          edited: 'comments',
          remedy: 'restore its text, or repair',
        },
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

  it('plan --down and --redo list what these would run', async () => {
    const { tombstone, query } = await applied();
    const down = await tombstone('migrate', 'plan', '--down', '--to', '0');
    expect(down.out).toMatch(
      /shop\/002_more\.sql +Down\n +4: drop table more;\n +ACCESS EXCLUSIVE on more\nshop\/001_items\.sql +Down\n[^]*\n2 to revert\. Nothing was run\.\n$/,
    );
    const redo = await tombstone('migrate', 'plan', '--redo');
    expect(redo.out).toMatch(
      /002_more\.sql +Down\n[^]*002_more\.sql\n[^]*1 to revert and apply again\. Nothing/,
    );
    const json = await tombstone('migrate', 'plan', '--down', '--steps', '1', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ files: [{ name: 'shop/002_more.sql', direction: 'down' }] });
    for (const wrong of [
      ['--down', '--redo'],
      ['--redo', '--to', '1'],
      ['--down', '--steps', '0'],
    ])
      expect((await tombstone('migrate', 'plan', ...wrong)).code).toBe(2);
    expect(await query('select from schema_migrations')).toHaveLength(2);
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

  it('stands in docs/migrations.md with the same numbers and remedies', () => {
    const page = readFileSync(join(ROOT, 'docs/migrations.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `(MIGRATION\.\w+)` +\| (\d+) +\| .*? +\| (.*?) +\|$/gm)];
    expect(Object.fromEntries(rows.map(([, code, exit]) => [code, Number(exit)]))).toEqual(EXIT_OF);
    const remedies = rows.map(([, code, , remedy]) => [code, remedy?.replaceAll('`', '')]);
    expect(Object.fromEntries(remedies)).toEqual(REMEDIES);
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
});
