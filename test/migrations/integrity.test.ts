import { describe, expect, it } from '@jest/globals';
import { parseMigration, tokenChecksumOf } from 'tombstone/migrations';
import { significantTokens } from '../../src/kit/migrations/token-checksum.ts';
import { refusal, type Setup, setup, THREE } from './fixtures/shop.ts';

const tokensOf = (text: string): string => tokenChecksumOf(parseMigration('m/001_a.sql', text));

describe('the checksum over tokens', () => {
  const text = "-- +goose Up\ncreate table a (n numeric(10, 2) default -1.5e-3, t text default 'a  b');\n";

  it.each([
    ['a comment', `-- why\n${text}`],
    ['a comment inside', text.replace('create', 'create /* now */')],
    [
      'white space',
      text.replace(' (n', '\n  (\tn').replace('(10, 2)', '( 10,2 )').replace('default -1', 'default  -1'),
    ],
    ['line ends', text.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${text}`],
    [
      'a block around the statement',
      `-- +goose Up\n-- +goose StatementBegin\n${text.slice(13)}-- +goose StatementEnd\n`,
    ],
  ])('does not see %s', (_name, edited) => {
    expect(edited).not.toBe(text);
    expect(tokensOf(edited)).toBe(tokensOf(text));
  });

  it.each([
    ['a number', text.replace('10, 2', '12, 2')],
    ['a number that falls apart', text.replace('10', '1 0')],
    ['white space in a literal', text.replace('a  b', 'a b')],
    ['a statement', `${text}select 1;\n`],
    ['a Down', `${text}-- +goose Down\n`],
    ['NO TRANSACTION', `-- +goose NO TRANSACTION\n${text}`],
    ['a statement that moves to Down', text.replace('-- +goose Up\n', '-- +goose Up\n-- +goose Down\n')],
    ['a word in a comment of a body', '-- +goose Up\ndo $$ begin /* b */ end $$;'],
    ['ENVSUB', text.replace("'a  b'", "'${A}'")],
  ])('sees %s', (_name, edited) => {
    expect(tokensOf(edited)).not.toBe(tokensOf(text));
  });

  it('tells tokens apart as the server does', () => {
    expect(significantTokens('a<=b')).toEqual(significantTokens('a <= b'));
    expect(significantTokens('a=-1')).toEqual(['a', '=', '-', '1']);
    expect(significantTokens('x@-1')).toEqual(['x', '@-', '1']);
    expect(significantTokens('1e-5, 0xFF, .5, a[1:2]::int;')).toEqual(
      significantTokens('1e-5,0xFF,.5,a[1 : 2] :: int'),
    );
    expect(significantTokens('1.5')).toEqual(['1.5']);
    expect(significantTokens('f(x := 1..2)')).toHaveLength(6);
  });

  it('of a file with values is that of the text as written', () => {
    const written = "-- +goose ENVSUB ON\n-- +goose Up\nselect '${A}';\n";
    expect(tokensOf(written)).not.toBe(tokensOf(written.replace('ON', 'OFF')));
  });
});

const applied = async (): Promise<Setup> => {
  const ready = await setup();
  await ready.migrator().up();
  return ready;
};
const first = THREE['001_items.sql'];

describe('an applied file', () => {
  it('of which only comments were edited is told from one whose statements were', async () => {
    const { migrator, folder } = await applied();
    folder.write('001_items.sql', `-- a remark\n${first}`);
    const comments = await refusal(migrator().up());
    expect(comments).toMatchObject({ code: 'MIGRATION.COMMENT_CHANGED', kind: 'comments' });
    expect(comments.message).toContain('migrate repair');
    folder.write('001_items.sql', first.replace('name text', 'name varchar'));
    const statements = await refusal(migrator().up());
    expect(statements).toMatchObject({ code: 'MIGRATION.CHECKSUM_MISMATCH', kind: 'statements' });
    expect((await migrator().status())[0]).toMatchObject({ state: 'changed', edited: 'statements' });
  });

  it('without a checksum over tokens may have any edit, and gets one by the next run', async () => {
    const { migrator, folder, client } = await applied();
    await client.query('drop table schema_migration_tokens');
    folder.write('001_items.sql', `-- a remark\n${first}`);
    expect(await refusal(migrator().up())).toMatchObject({
      code: 'MIGRATION.CHECKSUM_MISMATCH',
      kind: 'unknown',
    });
    folder.write('001_items.sql', first);
    await migrator().up();
    folder.write('001_items.sql', `-- a remark\n${first}`);
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.COMMENT_CHANGED');
  });

  it('that another runner has recorded since is not compared with our old checksum', async () => {
    const { migrator, folder, client } = await applied();
    await client.query(
      `update schema_migrations set checksum = 'theirs' where filename = 'shop/001_items.sql'`,
    );
    expect(await refusal(migrator().up())).toMatchObject({ kind: 'unknown' });
    folder.write('001_items.sql', first);
  });

  it('and its checksums are written together, and taken out together', async () => {
    const { migrator, folder, client } = await applied();
    folder.write('004_bad.sql', '-- +goose Up\nselect 1/0;\n');
    await refusal(migrator().up());
    const names = `select filename from schema_migration_tokens order by 1`;
    expect((await client.query(names)).rows).toHaveLength(3);
    await migrator().down();
    expect((await client.query(names)).rows).toHaveLength(2);
  });

  it('with another name is told from one that is gone', async () => {
    const { migrator, folder } = await applied();
    folder.remove('003_rows.sql');
    expect((await refusal(migrator().up())).code).toBe('MIGRATION.UNKNOWN');
    folder.write('003_lines.sql', `-- a remark\n${THREE['003_rows.sql']}`);
    const error = await refusal(migrator().up());
    expect(error).toMatchObject({ code: 'MIGRATION.RENAMED', file: 'shop/003_lines.sql' });
    expect(error.message).toContain('shop/003_rows.sql was applied and now has the name shop/003_lines.sql');
  });
});

describe('findings', () => {
  it('are all that is wrong, the worst first, and change nothing', async () => {
    const { migrator, folder, client } = await setup({ ...THREE, '010_ten.sql': 'select 10;' });
    const before = await migrator().findings();
    expect(before).toEqual([]);
    expect((await client.query(`select from pg_tables where schemaname = 'public'`)).rows).toEqual([]);
    await migrator().up();
    folder.write('001_items.sql', `-- a remark\n${first}`);
    folder.write('002_prices.sql', 'select 2;');
    folder.remove('003_rows.sql');
    folder.write('004_late.sql', 'select 4;');
    folder.write('011_bad.sql', "select '");
    folder.write('12_a.sql', 'select 12;');
    folder.write('012_b.sql', 'select 12;');
    expect((await migrator().findings()).map(({ code, file }) => [code.slice(10), file?.slice(5)])).toEqual([
      ['SYNTAX', '011_bad.sql'],
      ['DUPLICATE_VERSION', '12_a.sql'],
      ['CHECKSUM_MISMATCH', '002_prices.sql'],
      ['UNKNOWN', '003_rows.sql'],
      ['OUT_OF_ORDER', '004_late.sql'],
      ['COMMENT_CHANGED', '001_items.sql'],
    ]);
    await expect(migrator().verify()).rejects.toMatchObject({ code: 'MIGRATION.SYNTAX' });
  });

  it('do not call a file that cannot be read gone', async () => {
    const { migrator, folder } = await applied();
    folder.write('002_prices.sql', "select '");
    expect((await migrator().findings()).map(({ code }) => code)).toEqual(['MIGRATION.SYNTAX']);
  });
});

describe('repair', () => {
  const audit = async ({ client }: Setup): Promise<unknown[]> =>
    (await client.query('select who, action, filename from schema_migration_audit order by id'))
      .rows as unknown[];

  it('takes comments, and writes down who did it', async () => {
    const ready = await applied();
    const { migrator, folder } = ready;
    folder.write('001_items.sql', `-- a remark\n${first}`);
    folder.write('002_prices.sql', 'select 2;');
    expect(await migrator().repair({ files: 'comments', dryRun: true })).toHaveLength(1);
    expect(await migrator().findings()).toHaveLength(2);
    expect(await migrator().repair({ files: 'comments', by: 'ada' })).toMatchObject([
      { filename: 'shop/001_items.sql', kind: 'comments' },
    ]);
    expect((await migrator().findings()).map(({ file }) => file)).toEqual(['shop/002_prices.sql']);
    expect(await audit(ready)).toMatchObject([
      { action: 'repair', filename: 'shop/001_items.sql', who: expect.stringMatching(/ for ada$/) },
    ]);
  });

  it('refuses changed statements unless they are accepted, and then writes nothing at all', async () => {
    const { migrator, folder, client } = await applied();
    folder.write('001_items.sql', `-- a remark\n${first}`);
    folder.write('002_prices.sql', 'select 2;');
    const error = await refusal(migrator().repair({ files: ['1', '2'] }));
    expect(error).toMatchObject({ code: 'MIGRATION.CHECKSUM_MISMATCH', file: 'shop/002_prices.sql' });
    expect(await migrator().findings()).toHaveLength(2);
    expect(
      (await client.query(`select from pg_tables where tablename = 'schema_migration_audit'`)).rows,
    ).toEqual([]);
    await migrator().repair({ files: ['1', '2'], acceptChangedStatements: true });
    expect(await migrator().findings()).toEqual([]);
  });

  it('takes a new name, and the old time stays', async () => {
    const ready = await applied();
    const { migrator, folder, client, names } = ready;
    const time = `select applied_at from schema_migrations where filename like 'shop/003%'`;
    const before = (await client.query(time)).rows as unknown[];
    folder.remove('003_rows.sql');
    folder.write('003_lines.sql', THREE['003_rows.sql']);
    await migrator().repair({ files: ['003_lines'] });
    expect((await names())[2]).toBe('shop/003_lines.sql');
    expect((await client.query(time)).rows).toEqual(before);
    expect(await audit(ready)).toHaveLength(1);
    expect((await client.query('select from schema_migration_tokens')).rows).toHaveLength(3);
  });

  it('refuses a file that needs none', async () => {
    const { migrator } = await applied();
    expect((await refusal(migrator().repair({ files: ['1'] }))).code).toBe('MIGRATION.NO_SUCH_FILE');
  });
});

describe('baseline', () => {
  it('records files without running them, only in an empty ledger unless forced', async () => {
    const { migrator, tables, names, client } = await setup();
    expect(await migrator().baseline({ to: '2' })).toEqual(['shop/001_items.sql', 'shop/002_prices.sql']);
    expect([await tables(), await names()]).toEqual([[], ['shop/001_items.sql', 'shop/002_prices.sql']]);
    expect((await refusal(migrator().baseline({ to: '3' }))).code).toBe('MIGRATION.NOT_EMPTY');
    expect(await migrator().baseline({ to: '3', force: true })).toEqual(['shop/003_rows.sql']);
    expect((await client.query('select from schema_migration_audit')).rows).toHaveLength(3);
    expect(await migrator().findings()).toEqual([]);
  });
});

describe('redo', () => {
  it('reverts and applies the last file', async () => {
    const { migrator, client, names } = await applied();
    await client.query('insert into items values (2)');
    const results = await migrator().redo();
    expect(results.map(({ direction, steps }) => [direction, steps[0]?.name])).toEqual([
      ['down', 'shop/003_rows.sql'],
      ['up', 'shop/003_rows.sql'],
    ]);
    expect((await client.query('select id from items')).rows).toEqual([{ id: 1 }]);
    expect(await names()).toHaveLength(3);
  });
});
