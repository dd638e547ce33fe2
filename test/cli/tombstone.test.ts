import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { LOCK_ID } from 'tombstone/migrations';
import { startTestServer, type TestServer } from 'tombstone/testing';
import { type Ended, ROOT, run } from '../support/command.ts';
import { oldServer } from './fixtures/old-server.ts';
import { expectSentence, FILES, project } from './fixtures/project.ts';

describe('tombstone migrate', () => {
  it('applies, tells, reverts, in lines of text', async () => {
    const { tombstone } = await project();
    const up = await tombstone('migrate', 'up');
    expect(up).toMatchObject({ code: 0, err: '' });
    expect(up.out).toMatch(/^Migrating .*@?127\.0\.0\.1:\d+\/tombstone_test_/);
    expect(up.out).toMatch(/applied 1\/2 shop\/001_items\.sql in \d+ ms\napplied 2\/2 shop\/002_more\.sql/);
    expect(up.out).toContain('2 files applied in');
    expect((await tombstone('migrate', 'up')).out).toContain('Nothing to do');
    expect((await tombstone('migrate', 'version')).out).toContain('shop/002_more.sql');
    expect((await tombstone('migrate', 'down')).out).toContain('1 file reverted');
    const status = await tombstone('migrate', 'status');
    expect(status.out).toMatch(
      /applied +\d{4}-.*Z +shop\/001_items\.sql\npending +shop\/002_more\.sql\n1 recorded, 1 pending\./,
    );
    expect((await tombstone('migrate', 'down', '--to', '0')).code).toBe(0);
    expect((await tombstone('migrate', 'version')).out).toContain('No migration is applied.');
  });

  it('speaks JSON and nothing else with --json', async () => {
    const { tombstone } = await project();
    const json = async (...args: string[]): Promise<unknown> =>
      JSON.parse((await tombstone('migrate', ...args, '--json')).out);
    expect(await json('up', '--steps', '1')).toMatchObject({
      direction: 'up',
      files: [{ name: 'shop/001_items.sql' }],
    });
    expect(await json('version')).toMatchObject({
      versions: [{ module: 'shop', name: 'shop/001_items.sql' }],
    });
    expect(await json('status')).toMatchObject({ migrations: [{ state: 'applied' }, { state: 'pending' }] });
    expect(await json('up', '--to', '2')).toMatchObject({ files: [{ name: 'shop/002_more.sql' }] });
    expect(await json('down', '--to', '0')).toMatchObject({ direction: 'down', files: [{}, {}] });
  });

  it('says with --json on standard error, an object a line, what it waits for', async () => {
    const { tombstone, folder, query, url } = await project();
    folder.write('1-a.sql', 'select 1;');
    const holder = new Client({ connectionString: url });
    await holder.connect();
    await holder.query(`select pg_advisory_lock(${LOCK_ID})`);
    const waiting = tombstone('migrate', 'up', '--json');
    const asking = `select from pg_stat_activity where datname = current_database() and query like '%l.locktype = %' and state = 'idle'`;
    while ((await query(asking)).length === 0) await sleep(5);
    await holder.end();
    const { code, out, err } = await waiting;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ files: [{}, {}] });
    const lines = err
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { type: 'note', file: 'shop/1-a.sql' },
      { type: 'waiting-for-lock', ms: expect.any(Number), holder: { pid: expect.any(Number) } },
    ]);
  });

  it('shows a bar on a terminal', async () => {
    const { url, folder } = await project();
    const command = `${process.execPath} ${join(ROOT, 'bin/tombstone.js')} migrate up`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: folder.root,
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url, TERM: 'xterm' },
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/[█=]+ 2\/2 shop\/002_more\.sql/);
    expect(stdout).not.toContain('applied 1/2');
  });

  it('started six times at once applies each file once, and all end with 0', async () => {
    const { tombstone, query } = await project();
    const ended = await Promise.all(Array.from({ length: 6 }, () => tombstone('migrate', 'up')));
    expect(ended.map((each) => each.code)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(ended.filter((each) => each.out.includes('2 files applied'))).toHaveLength(1);
    expect(await query('select from schema_migrations')).toHaveLength(2);
  });

  it('killed in the middle leaves a ledger that agrees with the schema, and the next run completes', async () => {
    const { tombstone, folder, query } = await project();
    folder.write('002_more.sql', '-- +goose Up\ncreate table more (id int);\nselect pg_sleep(60);\n');
    const killed = tombstone('migrate', 'up');
    const sleeping = `select from pg_stat_activity where datname = current_database() and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`;
    while ((await query(sleeping)).length === 0) await sleep(30);
    folder.write('002_more.sql', FILES['002_more.sql']);
    const waiting = tombstone('migrate', 'up');
    const asking = `select from pg_stat_activity where datname = current_database() and query like '%l.locktype = %' and state = 'idle'`;
    while ((await query(asking)).length === 0) await sleep(5);
    const start = performance.now();
    killed.kill('SIGKILL');
    await killed;
    // The server still runs the dead client's statement and holds its lock; it looks after the client every second.
    const next = await waiting;
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(next).toMatchObject({ code: 0, err: '' });
    expect(next.out).toContain('waiting for another run to end, 0 s so far: pid ');
    expect(await query('select from schema_migrations')).toHaveLength(2);
    expect(await query(`select from pg_tables where tablename = 'more'`)).toHaveLength(1);
  });

  it('goes on when the reader of its output has left', async () => {
    const { url, folder, query } = await project();
    const command = `( sleep 0.3; ${process.execPath} ${join(ROOT, 'bin/tombstone.js')} migrate up; echo "ended with $?" >&2 ) | true`;
    const { stderr } = spawnSync('sh', ['-c', command], {
      cwd: folder.root,
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url },
      encoding: 'utf8',
    });
    expect(stderr).toContain('ended with 0');
    expect(stderr).not.toContain('EPIPE');
    expect(await query('select from schema_migrations')).toHaveLength(2);
  });

  it('tells by status what is wrong with a file or a row', async () => {
    const { tombstone, folder, query } = await project();
    await tombstone('migrate', 'up');
    folder.write('001_items.sql', 'select 1;');
    folder.remove('002_more.sql');
    folder.write('003_next.sql', 'select 1;');
    await query(`insert into schema_migrations values ('init.sql', 'x')`);
    const { out, code } = await tombstone('migrate', 'status');
    expect(code).toBe(0);
    expect(out).toMatch(/changed .* shop\/001_items\.sql  edited after it was applied\n/);
    expect(out).toMatch(/pending  +shop\/003_next\.sql  no Down\n/);
    expect(out).toMatch(/missing .* shop\/002_more\.sql  its file is gone\n/);
    expect(out).toMatch(/foreign .* init\.sql  recorded by another tool\n/);
    expect(out).toContain('3 recorded, 1 pending.');
  });
});

describe('wrong usage ends with 2 and one sentence', () => {
  it.each([
    ['an unknown command', ['migrate', 'sideways'], 'sideways'],
    ['an unknown group of commands', ['migrat'], 'migrat'],
    ['an unknown option', ['migrate', 'up', '--force'], '--force'],
    ['an argument too many', ['migrate', 'up', 'now'], 'too many arguments'],
    ['a number of steps that is none', ['migrate', 'up', '--steps', 'two'], '--steps'],
    ['an unknown option with a value', ['migrate', 'up', '--password=s3cret'], "'--password=...'"],
    ['an unknown option with a value of its own', ['migrate', 'up', '-ps3cret'], "'-p...'"],
    ['a command without a verb', ['migrate'], 'Usage: tombstone migrate'],
    ['a number of steps below one', ['migrate', 'down', '--steps=0'], '--steps'],
    ['a URL as the value of an option', ['migrate', 'up', '--to=postgres://ada:s3cret@h/d'], 'DATABASE_URL'],
    ['a URL as an argument', ['migrate', 'up', 'postgresql://ada:s3cret@h/d'], 'DATABASE_URL'],
    ['a configuration that is not there', ['migrate', 'up', '--config', 'nowhere.ts'], 'nowhere.ts'],
  ])('%s', async (_name, args, part) => {
    const { tombstone, query } = await project();
    const ended = await tombstone(...args);
    expect(ended.code).toBe(2);
    expectSentence(ended, part);
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
  });

  it('a missing or malformed DATABASE_URL', async () => {
    const { folder } = await project();
    const tombstone = join(ROOT, 'bin/tombstone.js');
    const missing = await run([tombstone, 'migrate', 'up'], {}, folder.root);
    expect(missing.code).toBe(2);
    expectSentence(missing, 'DATABASE_URL is not set');
    for (const url of [
      'mysql://ada:s3cret@h/d',
      'not a url s3cret',
      'http://x',
      'postgresql://ada:s3cret@h:99999/d',
      'postgresql://ada:s3cret%ZZ@h/d',
      'postgresql://ada:s3cret@h/d%ZZ',
      'host=h password=s3cret',
    ]) {
      const ended = await run([tombstone, 'migrate', 'up'], { DATABASE_URL: url }, folder.root);
      expect(ended.code).toBe(2);
      expectSentence(ended, 'not a PostgreSQL URL');
    }
  });

  it('a folder without configuration, and a configuration without modules', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'tombstone-empty-'));
    const tombstone = join(ROOT, 'bin/tombstone.js');
    const env = { DATABASE_URL: 'postgresql://localhost/x' };
    const none = await run([tombstone, 'migrate', 'status'], env, empty);
    expect(none.code).toBe(2);
    expectSentence(none, '--config');
    writeFileSync(join(empty, 'mikro-orm.config.mjs'), 'export default {};');
    const without = await run([tombstone, 'migrate', 'status'], env, empty);
    expect(without.code).toBe(2);
    expectSentence(without, 'defineDataConfig');
    rmSync(empty, { recursive: true });
  });

  it('a configuration that fails, with its own words but without the password', async () => {
    const { folder, query, tombstone } = await project();
    const config = join(folder.root, 'mikro-orm.config.mjs');
    writeFileSync(config, "import './nowhere.mjs';");
    const missing = await tombstone('migrate', 'up');
    expect(missing.code).toBe(2);
    expectSentence(missing, 'mikro-orm.config.mjs cannot be loaded', 'nowhere.mjs');
    writeFileSync(config, `throw new Error('no ' + process.env.DATABASE_URL + ' and no s3cret');`);
    const env = { DATABASE_URL: 'postgresql://ada:s3cret@127.0.0.1:1/x' };
    const bin = join(ROOT, 'bin/tombstone.js');
    const throwing = await run([bin, 'migrate', 'up', '--verbose'], env, folder.root);
    expect(throwing.code).toBe(2);
    expect(throwing.err).toContain('no *** and no ***');
    expect(throwing.err).toMatch(/^\s+at /m);
    expect(throwing.err + throwing.out).not.toContain('s3cret');
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
  });
});

describe('a database that refuses ends with a code of its own and one sentence', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.stop());

  const attempt = async (url: string): Promise<Ended> => {
    const { folder } = await project();
    return run([join(ROOT, 'bin/tombstone.js'), 'migrate', 'up'], { DATABASE_URL: url }, folder.root);
  };

  it('a refused connection', async () => {
    const ended = await attempt('postgresql://ada:s3cret@127.0.0.1:1/x');
    expect(ended.code).toBe(40);
    expectSentence(ended, 'ada@127.0.0.1:1/x', 'cannot be reached');
  });

  it('a wrong password', async () => {
    const url = new URL(server.url());
    url.password = 's3cret';
    const ended = await attempt(url.href);
    expect(ended.code).toBe(41);
    expectSentence(ended, 'refused the password');
    expect(ended.out).not.toContain('s3cret');
  });

  it('no password where one is asked for', async () => {
    const url = new URL(server.url());
    url.password = '';
    const ended = await attempt(url.href);
    expect(ended.code).toBe(41);
    expectSentence(ended, 'asks for a password');
  });

  it('a certificate that is not there', async () => {
    const ended = await attempt('postgresql://ada:s3cret@127.0.0.1:1/x?sslrootcert=/nowhere/ca.pem');
    expect(ended.code).toBe(40);
    expectSentence(ended, 'ENOENT');
  });

  it('a missing database', async () => {
    const ended = await attempt(server.url('no_such_database'));
    expect(ended.code).toBe(42);
    expectSentence(ended, 'no_such_database', 'no such database');
  });

  it('a server older than 14', async () => {
    const old = await oldServer();
    const ended = await attempt(
      `postgresql://ada:s3cret@127.0.0.1:${(old.address() as { port: number }).port}/x`,
    );
    old.close();
    expect(ended.code).toBe(43);
    expectSentence(ended, 'PostgreSQL 13', '14 or newer');
  });
});

describe('files that cannot be run end with a code of their own and one sentence, and nothing is half-done', () => {
  it('an edited one', async () => {
    const { tombstone, folder, query } = await project();
    await tombstone('migrate', 'up', '--steps', '1');
    folder.write('001_items.sql', 'create table items (id bigint);');
    const ended = await tombstone('migrate', 'up');
    expect(ended.code).toBe(10);
    expectSentence(ended, 'shop/001_items.sql', 'recorded', 'found', 'restore the text', 'new migration');
    expect(await query('select from schema_migrations')).toHaveLength(1);
  });

  it('one that is gone', async () => {
    const { tombstone, folder } = await project();
    await tombstone('migrate', 'up');
    folder.remove('002_more.sql');
    const ended = await tombstone('migrate', 'up');
    expect(ended.code).toBe(12);
    expectSentence(ended, 'shop/002_more.sql', 'the file is gone');
  });

  it('one with a mistake, with a stack trace only when asked', async () => {
    const { tombstone, folder, query } = await project();
    folder.write('002_more.sql', '-- +goose Up\ncreate table more (id int);\ncreate tabel x ();\n');
    const ended = await tombstone('migrate', 'up');
    expect(ended.code).toBe(30);
    expectSentence(ended, 'shop/002_more.sql:3', '[42601]', 'Applied before it: shop/001_items.sql');
    expect(await query(`select from pg_tables where tablename = 'more'`)).toEqual([]);
    expect((await tombstone('migrate', 'up', '--verbose')).err).toMatch(/^\s+at /m);
  });
});

describe('the launcher', () => {
  it('shows help with the exit codes, and the version', async () => {
    const { tombstone } = await project();
    expect((await tombstone('--help')).out).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage');
    expect((await tombstone('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the launcher on an old Node', () => {
  const pretend = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})`;

  it('says what it needs where no newer one is installed beside it', async () => {
    const alone = mkdtempSync(join(tmpdir(), 'tombstone-alone-'));
    cpSync(join(ROOT, 'bin/tombstone.js'), join(alone, 'bin/tombstone.js'));
    writeFileSync(join(alone, 'package.json'), '{ "type": "module" }');
    const ended = await run(['--import', pretend, join(alone, 'bin/tombstone.js'), '--version'], {}, alone);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expectSentence(ended, 'This is Node 20.20.2', '22.17 or newer');
    rmSync(alone, { recursive: true });
  });

  it('hands on to the one that is installed beside it', async () => {
    const alone = mkdtempSync(join(tmpdir(), 'tombstone-beside-'));
    cpSync(join(ROOT, 'bin/tombstone.js'), join(alone, 'bin/tombstone.js'));
    writeFileSync(join(alone, 'package.json'), '{ "type": "module" }');
    const beside = join(alone, `node_modules/node-${process.platform}-${process.arch}/bin`);
    mkdirSync(beside, { recursive: true });
    writeFileSync(join(beside, 'node'), '#!/bin/sh\necho "newer Node: $2"; exit 7\n', { mode: 0o755 });
    const ended = await run(['--import', pretend, join(alone, 'bin/tombstone.js'), 'migrate'], {}, alone);
    expect(ended).toMatchObject({ code: 7, out: 'newer Node: migrate\n' });
    rmSync(alone, { recursive: true });
  });
});
