import { describe, expect, it } from '@jest/globals';
import { LOCK_ID } from 'tombstone/migrations';
import { refusal, type Setup, setup, THREE } from './fixtures/shop.ts';
import { withLockOn } from './fixtures/with-lock.ts';

const FIRST = THREE['001_items.sql'];
const applied = async (files: Readonly<Record<string, string>> = THREE): Promise<Setup> => {
  const made = await setup(files);
  await made.migrator().up();
  return made;
};
/** The code with which a run ends while another session holds the lock; undefined when it had nothing to do. */
const underForeignLock = ({ url, migrator }: Setup): Promise<string | undefined> =>
  withLockOn(url, LOCK_ID, () =>
    migrator({ lockTimeoutMs: 0 })
      .up()
      .then(
        ({ steps }) => (expect(steps).toEqual([]), undefined),
        (error: unknown) => (error as { code: string }).code,
      ),
  );
const withTokens = async ({ client }: Setup): Promise<string[]> =>
  (
    await client.query<{ filename: string }>('select filename from schema_migration_tokens order by 1')
  ).rows.map(({ filename }) => filename.slice(5, 8));

describe('a run with nothing pending', () => {
  it('takes no lock, which a run with a pending file waits for', async () => {
    const made = await applied();
    expect(await underForeignLock(made)).toBeUndefined();
    made.folder.write('004_more.sql', 'select 1;');
    expect(await underForeignLock(made)).toBe('MIGRATION.LOCK_TIMEOUT');
  });

  it('takes none after a NO TRANSACTION file either, whose journal is empty by then', async () => {
    const made = await applied({ '001_a.sql': '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\n' });
    expect((await made.client.query('select from schema_migrations_journal')).rows).toEqual([]);
    expect(await underForeignLock(made)).toBeUndefined();
  });

  it.each<[string, string, (made: Setup) => unknown]>([
    ['an edited comment', 'COMMENT_CHANGED', ({ folder }) => folder.write('001_items.sql', `-- a\n${FIRST}`)],
    ['an edited statement', 'CHECKSUM_MISMATCH', ({ folder }) => folder.write('001_items.sql', 'select 1;')],
    ['a file that is gone', 'UNKNOWN', ({ folder }) => folder.remove('003_rows.sql')],
    [
      'a file with another name',
      'RENAMED',
      ({ folder }) => {
        folder.remove('003_rows.sql');
        folder.write('003_lines.sql', `-- a\n${THREE['003_rows.sql']}`);
      },
    ],
  ])('notices %s, and does not wait to say so', async (_name, code, spoil) => {
    const made = await applied();
    spoil(made);
    expect(await underForeignLock(made)).toBe(`MIGRATION.${code}`);
  });

  it('writes the token checksums that are missing under the lock, once, and only those', async () => {
    const made = await applied();
    const { client, migrator } = made;
    await client.query(`delete from schema_migration_tokens where filename like '%002%'`);
    const places = `select filename, ctid::text from schema_migration_tokens where filename not like '%002%' order by 1`;
    const before = (await client.query(places)).rows as unknown[];
    expect(await underForeignLock(made)).toBe('MIGRATION.LOCK_TIMEOUT');
    await migrator().up();
    expect(await withTokens(made)).toEqual(['001', '002', '003']);
    expect((await client.query(places)).rows).toEqual(before);
    expect(await underForeignLock(made)).toBeUndefined();
    await client.query('drop table schema_migration_tokens');
    await migrator().up();
    expect(await withTokens(made)).toEqual(['001', '002', '003']);
    expect(await underForeignLock(made)).toBeUndefined();
  });

  it('does not wait for the lock where the role may have no token checksums', async () => {
    const made = await applied();
    const role = `clerk_${process.pid}`;
    await made.client.query(
      `drop table schema_migration_tokens; revoke create on schema public from public;
       create role ${role} login password 'clerk'; grant select on schema_migrations to ${role}`,
    );
    const url = new URL(made.url);
    url.username = role;
    url.password = 'clerk';
    try {
      expect(
        await underForeignLock({
          ...made,
          migrator: (options) => made.migrator({ ...options, connection: url.href }),
        }),
      ).toBeUndefined();
    } finally {
      await made.client.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('is none while a file is half reverted', async () => {
    const down =
      '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\n-- +goose Down\nselect 1;\nselect nothing;\n';
    const { migrator } = await applied({ '001_a.sql': down });
    await refusal(migrator().down());
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.UNFINISHED');
  });
});

describe('both checksums of a file', () => {
  const both = async ({ client }: Setup): Promise<unknown[]> =>
    (
      await client.query(
        'select filename, l is not null as ledger, t is not null as tokens from schema_migrations l full join schema_migration_tokens t using (filename) order by 1',
      )
    ).rows;

  it('go and come with its transaction, also when it fails at the commit', async () => {
    const made = await applied({
      '001_a.sql': 'create table a (id int primary key deferrable initially deferred);',
    });
    made.folder.write('002_b.sql', 'insert into a values (1), (1);');
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual(['MIGRATION.FAILED', expect.stringContaining('23505')]);
    expect(await both(made)).toEqual([{ filename: 'shop/001_a.sql', ledger: true, tokens: true }]);
  });

  it('go and come together for a NO TRANSACTION file', async () => {
    const text = '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\n-- +goose Down\nselect 1;\n';
    const made = await applied({ '001_a.sql': text });
    expect(await both(made)).toEqual([{ filename: 'shop/001_a.sql', ledger: true, tokens: true }]);
    await made.migrator().down();
    expect(await both(made)).toEqual([]);
  });
});
