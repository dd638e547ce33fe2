import { afterAll, describe, expect, it } from '@jest/globals';
import { MigrationSyntaxError, parseMigration } from 'tombstone/migrations';
import { decodeText } from '../../src/kit/migrations/decode-text.ts';
import {
  type Loaded,
  type MigrationSource,
  parseAll,
  readMigrations,
} from '../../src/kit/migrations/files.ts';
import { substitute } from '../../src/kit/migrations/substitute.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { ANNOTATIONS, type GooseCase, STATEMENTS, VARIABLES } from './fixtures/goose-cases.ts';

const FILE = 'm/001_a.sql';
const ALL = [...ANNOTATIONS, ...STATEMENTS, ...VARIABLES];
const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it was accepted');
};
const nameOf = ({ id, title }: GooseCase): string => `${id}: ${title}`;
const rows = (cases: readonly GooseCase[]): [string, GooseCase][] =>
  cases.map((each) => [nameOf(each), each]);

describe('a goose file is accepted', () => {
  it.each(rows(ALL.filter((each) => each.up)))('%s', (_name, each) => {
    const parsed = parseMigration(FILE, each.text, each.options);
    expect(parsed.up.map(({ text }) => text)).toEqual(each.up);
    if (each.down !== undefined) expect(parsed.down?.map(({ text }) => text) ?? null).toEqual(each.down);
    if (each.transactional !== undefined) expect(parsed.transactional).toBe(each.transactional);
    const expected = (each.notes ?? []).map(([line, part]) => [line, expect.stringContaining(part)]);
    expect(parsed.notes.map(({ line, text }) => [line, text])).toEqual(expected);
  });
});

describe('a goose file is refused, with line, column and what to do', () => {
  it.each(rows(ALL.filter((each) => each.refused)))('%s', (_name, each) => {
    const error = thrown(() => parseMigration(FILE, each.text, each.options)) as MigrationSyntaxError;
    expect(error).toBeInstanceOf(MigrationSyntaxError);
    const [line, column, part] = each.refused ?? [];
    expect([error.line, error.column]).toEqual([line, column]);
    expect(error.message).toContain(part);
    expect(error.message).toMatch(new RegExp(`^${FILE}:${line}:${column}: \\S.*[.] \\S.*[.]$|: "`));
  });
});

describe('values come in', () => {
  const upOf = (each: GooseCase): unknown => {
    const { values = {}, ...options } = each.variables ?? {};
    const { up, transactional } = parseMigration(FILE, each.text);
    const lookup = (name: string): string | undefined => values[name];
    return substitute({ name: FILE, transactional }, up, { lookup, ...options }).map(({ text }) => text);
  };

  it.each(rows(ALL.filter((each) => each.sent)))('%s', (_name, each) => {
    expect(upOf(each)).toEqual(each.sent);
  });

  it.each(rows(ALL.filter((each) => each.refusedValue)))('%s is refused without the value', (_name, each) => {
    const error = thrown(() => upOf(each)) as Error;
    expect(error).toMatchObject({ code: 'MIGRATION.VARIABLE', file: FILE });
    expect(error.message).toContain(each.refusedValue);
    expect(error.message).not.toContain('s3cret');
  });
});

describe('texts and names', () => {
  const folders: MigrationFolder[] = [];
  afterAll(() => folders.forEach((folder) => folder.delete()));
  const load = async (names: readonly string[], options: Partial<MigrationSource> = {}): Promise<Loaded> => {
    const folder = migrationFolder(Object.fromEntries(names.map((name) => [name, 'select 1;'])));
    folders.push(folder);
    return parseAll(await readMigrations([{ name: 'shop', migrations: folder.migrations, ...options }]));
  };

  it('G46: a file of 10 MB with one line of 5 MB', () => {
    const text = `-- +goose Up\nselect '${'x;'.repeat(2_500_000)}';\n${'select 1;\n'.repeat(500_000)}`;
    expect(parseMigration(FILE, text).up).toHaveLength(500_001);
  });

  it('G47: bytes that are not UTF-8, by their place', () => {
    const bytes = Buffer.from([0x2d, 0x2d, 0x0a, 0x61, 0xff]);
    expect(String(thrown(() => decodeText(FILE, bytes)))).toContain(`${FILE}:2:2: This is not UTF-8.`);
  });

  it.each([
    ['one number twice', ['1_a.sql', '01_b.sql'], 'DUPLICATE_VERSION'],
    ['the number zero', ['0_x.sql'], 'ILLEGAL_NAME'],
    ['a number beyond 64 bits', ['9223372036854775808_x.sql'], 'ILLEGAL_NAME'],
  ])('G49: %s is refused', async (_name, names, code) => {
    expect((await load(names)).problems).toMatchObject([{ code: `MIGRATION.${code}` }]);
  });

  it('G49: a name without number and underscore is passed over, and told', async () => {
    const { files, notes } = await load(['1-a.sql', '2_b.sql', 'init.sql']);
    expect(files.map(({ name }) => name)).toEqual(['shop/2_b.sql']);
    expect(notes.map(({ file }) => file)).toEqual(['shop/1-a.sql', 'shop/init.sql']);
    expect(notes[0]?.text).toContain('was passed over');
  });

  it('G50: numbers in numeric order, or names in the order of their bytes', async () => {
    const names = ['10_x.sql', '9_y.sql', 'tk_1.sql', 'B.sql', '9_z_notx.sql', 'é.sql'];
    const numbered = await load(names.slice(0, 2));
    expect(numbered.files.map(({ name }) => name)).toEqual(['shop/9_y.sql', 'shop/10_x.sql']);
    const { files } = await load(names, { migrationOrder: 'filename' });
    expect(files.map(({ name }) => name.slice(5))).toEqual(
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(files.filter((file) => !file.transactional).map(({ name }) => name)).toEqual([
      'shop/9_z_notx.sql',
    ]);
  });
});

describe('the table of cases', () => {
  it('has every case from G1 to G50', () => {
    const tested = new Set([...ALL.map(({ id }) => id), 'G46', 'G47', 'G49', 'G50']);
    expect(Array.from({ length: 50 }, (_, index) => `G${index + 1}`).filter((id) => !tested.has(id))).toEqual(
      [],
    );
  });
});
