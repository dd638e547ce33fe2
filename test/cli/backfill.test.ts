import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MigrationFolder } from '../support/migration-folder.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { backfillSetup, rowsOf } from '../migrations/fixtures/backfill.ts';

interface Project {
  readonly url: string;
  readonly folder: MigrationFolder;
  tombstone(...args: string[]): Promise<Ended>;
}

async function project(rows: number, statement?: string): Promise<Project> {
  const { url, folder } = await backfillSetup(rows, statement === undefined ? {} : { statement });
  const modules = JSON.stringify([{ name: folder.name, migrations: folder.migrations }]);
  writeFileSync(
    join(folder.root, 'mikro-orm.config.mjs'),
    `export default { migrations: { modules: ${modules} } };\n`,
  );
  const tombstone = (...args: string[]): Promise<Ended> =>
    run([join(ROOT, 'bin/tombstone.js'), 'migrate', ...args], { DATABASE_URL: url }, folder.root);
  return { url, tombstone, folder };
}

describe('tombstone migrate backfill', () => {
  it('tells of the rows of a back-fill while it runs, and of its counters behind it', async () => {
    const { tombstone } = await project(35);
    expect((await tombstone('backfill', 'status')).out).toContain('No back-fill was begun.');
    const up = await tombstone('up');
    expect([up.code, up.err]).toEqual([0, '']);
    expect(up.out).toMatch(/^shop\/002_copy\.sql: 10 of about 35 \(28 %\) rows, [\d,]+\/s, \d+ s left$/m);
    expect(up.out).toMatch(/^shop\/002_copy\.sql: 35 of about 35 \(100 %\) rows, [\d,]+\/s, 0 s left$/m);
    expect((await tombstone('backfill', 'status')).out).toContain(
      'verified   shop/002_copy.sql statement 2: 35 rows read, 35 written in 4 batches',
    );
  });

  it('pauses what is not verified and lets it go on, in text and in JSON', async () => {
    const { tombstone, url } = await project(
      35,
      'insert into copies select id, name from items where id between $1 and $2 and id > 3;',
    );
    const failed = await tombstone('up');
    expect([failed.code, failed.err]).toEqual([
      35,
      expect.stringContaining('is not verified: 3 rows missing.'),
    ]);
    expect((await tombstone('backfill', 'status')).out).toMatch(
      /^unverified shop\/002_copy\.sql statement 2: 35 rows read, 32 written in 4 batches, 3 missing$/m,
    );
    expect((await tombstone('backfill', 'pause', '002')).out).toContain('stops behind its batch');
    const stopped = await tombstone('up', '--json');
    expect([stopped.code, stopped.err]).toEqual([36, expect.stringContaining('is paused')]);
    expect(JSON.parse(stopped.out)).toMatchObject({
      error: { code: 'MIGRATION.BACKFILL_PAUSED', exitCode: 36 },
    });
    const { out } = await tombstone('backfill', 'status', '--json');
    expect(JSON.parse(out)).toMatchObject({
      backfills: [
        { state: 'paused', filename: 'shop/002_copy.sql', rowsRead: 35, differences: { missing: 3 } },
      ],
    });
    expect(out).not.toContain('cursor');
    const resumed = await tombstone('backfill', 'resume', '002', '--json');
    expect(JSON.parse(resumed.out)).toMatchObject({ file: '002', state: 'resumed' });
    await rowsOf(url, 'delete from copies');
    await rowsOf(url, 'delete from items where id <= 3');
    const done = await tombstone('up', '--json');
    const told = done.err
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(told.at(-1)).toMatchObject({
      type: 'backfill',
      name: 'shop/002_copy.sql',
      rows: 32,
      remainingMs: 0,
    });
    expect([done.code, JSON.parse(done.out)]).toMatchObject([0, { files: [{ name: 'shop/002_copy.sql' }] }]);
  });

  it('refuses what cannot be paused, and a missing name', async () => {
    const { tombstone } = await project(5);
    expect(await tombstone('backfill', 'pause', '002')).toMatchObject({ code: 20, out: '' });
    expect((await tombstone('backfill', 'pause')).code).toBe(2);
    await tombstone('up');
    expect((await tombstone('backfill', 'resume', '002')).err).toContain('no back-fill that is begun');
  });
});

describe('tombstone migrate up --waive', () => {
  it('takes a reason with it, and passes the contract step', async () => {
    const { tombstone, url, folder } = await project(5);
    const step =
      '-- +tombstone phase=contract requires-backfill=shop/009_other.sql\n-- +goose Up\ndrop table items;\n';
    folder.write('003_contract.sql', step);
    const refused = await tombstone('up');
    expect([refused.code, refused.err]).toEqual([
      37,
      expect.stringContaining('run with --waive shop/003_contract.sql --reason'),
    ]);
    for (const half of [
      ['--waive', '003'],
      ['--reason', 'why'],
    ])
      expect(await tombstone('up', ...half)).toMatchObject({ code: 2, out: '' });
    expect((await tombstone('up', '--waive', '003', '--reason', 'it never was here')).code).toBe(0);
    expect(await rowsOf(url, 'select filename, reason from schema_migration_waivers')).toEqual([
      { filename: 'shop/003_contract.sql', reason: 'it never was here' },
    ]);
  });
});
