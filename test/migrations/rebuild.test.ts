import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gateway } from 'tombstone/gateway';
import { rebuild, type RebuildVariant } from 'tombstone/migrations';
import { startTestServer, type TestServer } from 'tombstone/testing';
import { emptyTestDatabase } from '../support/database.ts';
import { FAKETIME, hasFaketime } from '../support/faketime.ts';
import { migrationFolder } from '../support/migration-folder.ts';
import { folders, refusal, setup } from './fixtures/shop.ts';

const outcomes = (variants: readonly RebuildVariant[]): Record<string, string> =>
  Object.fromEntries(variants.map(({ name, outcome }) => [name, outcome]));

describe('a rebuild from nothing', () => {
  it('leads to the same schema for our own files, in each way that can be gone here', async () => {
    const { url } = await emptyTestDatabase();
    expect(outcomes(await rebuild({ connection: url, modules: [gateway] }))).toEqual({
      'file order': 'equal',
      'arrival order': 'untested',
      'another time zone': 'equal',
      'another clock': 'untested',
    });
  });

  it('names the first file whose schema depends on the time zone', async () => {
    const { url, folder } = await setup({
      '001_a.sql': '-- +goose Up\ncreate table a (id int);\n',
      '002_b.sql': `-- +goose Up\ndo $$ begin execute format('create table b (at text default %L)', '2020-01-01 20:00+00'::timestamptz::date); end $$;\n`,
      '003_c.sql': '-- +goose Up\nalter table b add c int;\n',
    });
    const variants = await rebuild({ connection: url, modules: [folder] });
    expect(variants.find(({ name }) => name === 'another time zone')).toMatchObject({
      outcome: 'differs',
      file: 'shop/002_b.sql',
      differences: [
        {
          name: 'public.b.at',
          expected: `text default '2020-01-01'::text`,
          actual: `text default '2020-01-02'::text`,
        },
      ],
    });
  });

  it('goes the way in which files came, and names the file that made something else then', async () => {
    const { url, folder, client, migrator } = await setup({
      '001_a.sql': '-- +goose Up\ncreate table if not exists a (seconds int);\n',
      '002_b.sql': '-- +goose Up\ncreate table if not exists a (seconds bigint);\n',
    });
    await migrator().up();
    expect(outcomes(await rebuild({ connection: url, modules: [folder] }))['arrival order']).toBe('untested');
    await client.query(
      `update schema_migrations set applied_at = now() - interval '1 day' where filename like '%002%'`,
    );
    const variants = await rebuild({ connection: url, modules: [folder] });
    expect(variants[1]).toMatchObject({
      name: 'arrival order',
      outcome: 'differs',
      file: 'shop/001_a.sql',
      differences: [{ name: 'public.a.seconds', expected: 'integer', actual: 'bigint' }],
    });
    folder.write('001_a.sql', '-- +goose Up\ncreate table a (seconds int);\n');
    folder.write('002_b.sql', '-- +goose Up\nalter table a add b int;\n');
    expect((await rebuild({ connection: url, modules: [folder] }))[1]).toMatchObject({
      outcome: 'fails',
      file: 'shop/002_b.sql',
    });
  });

  it('turns modules round where no ledger tells another order, and takes no failure of that for a mistake', async () => {
    const { url, folder } = await setup({ '001_a.sql': '-- +goose Up\ncreate table a (id int);\n' });
    const other = migrationFolder(
      { '001_b.sql': '-- +goose Up\ncreate table b (id int);\n' },
      'other',
      folder.root,
    );
    folders.push(other);
    const modules = [folder, other];
    expect((await rebuild({ connection: url, modules }))[1]).toMatchObject({
      name: 'reverse module order',
      outcome: 'equal',
    });
    other.write('001_b.sql', '-- +goose Up\nalter table a add b int;\n');
    expect((await rebuild({ connection: url, modules }))[1]).toMatchObject({
      outcome: 'untested',
      sentence: 'The modules need their order: other/001_b.sql fails [42P01].',
    });
  });

  it('ends at a file that fails on an empty database', async () => {
    const { url, folder } = await setup({ '001_a.sql': '-- +goose Up\nselect 1/0;\n' });
    expect(await rebuild({ connection: url, modules: [folder] })).toMatchObject([
      { name: 'file order', outcome: 'fails', file: 'shop/001_a.sql' },
    ]);
  });

  it('takes no server for one with another clock that shows the same day', async () => {
    const { url, folder } = await setup();
    const error = await refusal(rebuild({ connection: url, modules: [folder], clock: url }));
    expect(error).toMatchObject({ code: 'MIGRATION.SCRATCH', message: expect.stringContaining('same time') });
  });
});

(hasFaketime() ? describe : describe.skip)('a rebuild under another clock', () => {
  let other: TestServer;
  let here: TestServer;
  beforeAll(async () => {
    // The server of the test run may be of another version.
    [here, other] = await Promise.all([
      startTestServer(),
      startTestServer({ fakeClock: { library: FAKETIME ?? '', offset: '+200d' } }),
    ]);
  }, 60_000);
  afterAll(() => Promise.all([here.stop(), other.stop()]));

  it('is the same for our own files', async () => {
    const variants = await rebuild({ connection: here.url(), modules: [gateway], clock: other.url() });
    expect(outcomes(variants)['another clock']).toBe('equal');
  });

  it('names the first file that makes something else', async () => {
    const folder = migrationFolder({
      '001_a.sql': '-- +goose Up\ncreate table a (at date) partition by range (at);\n',
      '002_b.sql': `-- +goose Up\ndo $$ begin execute format('create table b partition of a for values from (%L) to (%L)', current_date, current_date + 30); end $$;\n`,
      '003_c.sql': `-- +goose Up\ndo $$ begin if now() > '2020-01-01' then create table c (id int); end if; end $$;\n`,
    });
    folders.push(folder);
    const variants = await rebuild({ connection: here.url(), modules: [folder], clock: other.url() });
    expect(variants.at(-1)).toMatchObject({
      name: 'another clock',
      outcome: 'differs',
      file: 'shop/002_b.sql',
      differences: [{ kind: 'table', name: 'public.b' }],
    });
  });
});
