import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type Ended, ROOT, run } from '../support/command.ts';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { expectSentence, project } from './fixtures/project.ts';

const drift = (url: string, ...args: string[]): Promise<Ended> =>
  run([join(ROOT, 'bin/tombstone.js'), 'migrate', 'drift', ...args], { DATABASE_URL: url });

describe('tombstone migrate drift', () => {
  it('ends with 0 on our own files, entities included', async () => {
    const { url } = await cloneTestDatabase();
    const ended = await drift(url);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(/Database and applied files agree\.\nFiles and entities agree\.\n$/);
  });

  it('ends with 4 and names object, both sides and file', async () => {
    const { url } = await cloneTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('alter table users alter column notes drop not null');
    await client.end();
    const ended = await drift(url);
    expect(ended.code).toBe(4);
    expect(ended.out).toContain(
      `column public.users.notes\n  expected   text not null default ''::text\n  actual     text default ''::text\n  last file  gateway/001_create_users.sql\n`,
    );
    const { findings, entities } = JSON.parse((await drift(url, '--json')).out) as Record<string, unknown>;
    expect(findings).toEqual([
      {
        kind: 'column',
        name: 'public.users.notes',
        expected: `text not null default ''::text`,
        actual: `text default ''::text`,
        file: 'gateway/001_create_users.sql',
      },
    ]);
    expect(entities).toEqual([]);
  });

  it('ends with 4 when an entity has no table, and prints what it would need', async () => {
    const { url } = await cloneTestDatabase();
    const ended = await drift(url, '--config', join(ROOT, 'test/cli/fixtures/note.config.ts'));
    expect(ended).toMatchObject({ code: 4, err: '' });
    expect(ended.out).toMatch(
      /Database and applied files agree\.\nThe entities would need:\n {2}create table "notes"/,
    );
  });

  it('works in the database of SCRATCH_DATABASE_URL, and never in the target itself', async () => {
    const ready = await project();
    await ready.tombstone('migrate', 'up');
    const { url: scratch } = await emptyTestDatabase();
    const env = { DATABASE_URL: ready.url, SCRATCH_DATABASE_URL: scratch };
    const args = [join(ROOT, 'bin/tombstone.js'), 'migrate', 'drift'];
    const ended = await run(args, env, ready.folder.root);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toContain('The configuration has no entities to compare.');
    const same = await run(args, { ...env, SCRATCH_DATABASE_URL: ready.url }, ready.folder.root);
    expectSentence(same, 'SCRATCH_DATABASE_URL');
    expect(same.code).toBe(2);
    const { url: full } = await cloneTestDatabase();
    const refused = await run(args, { ...env, SCRATCH_DATABASE_URL: full }, ready.folder.root);
    expectSentence(refused, 'not empty');
    expect(refused.code).toBe(50);
    expect(await ready.query('select count(*)::int as n from schema_migrations')).toEqual([{ n: 2 }]);
  });
});

describe('a command with a scratch database', () => {
  it.each(['drift', 'rebuild', 'check-down'])('%s drops it when it is told to stop', async (command) => {
    const { tombstone, query } = await project({
      '001_slow.sql': `-- +goose Up\ndo $$ begin if current_database() ~ 'scratch' then perform pg_sleep(60); end if; end $$;\n-- +goose Down\nselect 1;\n`,
    });
    await tombstone('migrate', 'up');
    const running = tombstone('migrate', command);
    const asleep = `select datname from pg_stat_activity where datname ~ '^tombstone_scratch_' and wait_event = 'PgSleep'`;
    let found = await query(asleep);
    for (; found.length === 0; await sleep(30)) found = await query(asleep);
    running.kill('SIGTERM');
    const ended = await running;
    expectSentence(ended, 'Interrupted');
    expect(ended.code).toBe(50);
    const [{ datname } = { datname: '' }] = found as { datname: string }[];
    expect(await query(`select from pg_database where datname = '${datname}'`)).toEqual([]);
  });
});

describe('tombstone migrate check-down', () => {
  it('ends with 6 and names the lost values, and with 0 once they are admitted', async () => {
    const wipe = '-- +goose Up\nselect 1;\n-- +goose Down\nupdate items set id = 0;\n';
    const { folder, tombstone, query } = await project();
    folder.write('003_wipe.sql', wipe);
    const ended = await tombstone('migrate', 'check-down');
    expect(ended).toMatchObject({ code: 6, err: '' });
    expect(ended.out).toMatch(
      /shop\/002_more\.sql {2}ok\nshop\/003_wipe\.sql {2}FAILS\n {2}loss: Values of items\.\* /,
    );
    folder.write('003_wipe.sql', `-- +tombstone loses=items.*: nobody reads them\n${wipe}`);
    const json = await tombstone('migrate', 'check-down', '--json');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({ files: [{}, {}, { problems: [], expected: ['items.*'] }] });
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
  });
});

describe('tombstone migrate rebuild', () => {
  it('ends with 0 on our own files and says what could not be tested', async () => {
    const { url } = await emptyTestDatabase();
    const ended = await run([join(ROOT, 'bin/tombstone.js'), 'migrate', 'rebuild'], { DATABASE_URL: url });
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(
      /file order +equal .*\narrival order +untested .*\nanother time zone +equal .*\nanother clock +untested /,
    );
  });

  it('ends with 5 and names the file, the object and both sides', async () => {
    const { tombstone } = await project({
      '001_zone.sql': `do $$ begin execute format('create table t (z text default %L)', current_setting('timezone')); end $$;`,
    });
    const ended = await tombstone('migrate', 'rebuild');
    expect(ended).toMatchObject({ code: 5, err: '' });
    expect(ended.out).toMatch(
      /differs .*shop\/001_zone\.sql\.\n {2}column public\.t\.z\n {4}expected .*UTC.*\n {4}actual .*Kiritimati/,
    );
    const { variants } = JSON.parse((await tombstone('migrate', 'rebuild', '--json')).out) as {
      variants: unknown;
    };
    expect(variants).toContainEqual(
      expect.objectContaining({ outcome: 'differs', file: 'shop/001_zone.sql' }),
    );
  });
});
