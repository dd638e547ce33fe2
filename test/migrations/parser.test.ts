import { describe, expect, it } from '@jest/globals';
import { checksumOf, MigrationSyntaxError, parseMigration } from 'tombstone/migrations';

const up = (text: string): string[] =>
  parseMigration('m/001_a.sql', text).up.map((statement) => statement.text);
const refusal = (text: string): MigrationSyntaxError => {
  try {
    parseMigration('m/001_a.sql', text);
  } catch (error) {
    if (error instanceof MigrationSyntaxError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
};

describe('a file', () => {
  it.each([
    ['a string without end', "-- +goose Up\nselect 'a;\n", 2, 8],
    ['a dollar quote without end', '-- +goose Up\nselect $x$ a;\n', 2, 8],
    ['a comment without end', '-- +goose Up\n/* a /* b */ select 1;\n', 2, 1],
    ['an open parenthesis', '-- +goose Up\nselect (1;\nselect 2;', 2, 1],
    ['NO TRANSACTION without Up', '-- +goose NO TRANSACTION\n', 1, 1],
    ['ENVSUB without Up', '-- +goose ENVSUB ON\nselect 1;', 2, 1],
    ['COMMIT behind a statement on its line', '-- +goose Up\nselect 1; commit;', 2, 11],
    [
      'COMMIT inside a block',
      '-- +goose Up\n-- +goose StatementBegin\nselect 1;\n commit;\n-- +goose StatementEnd',
      4,
      2,
    ],
    ['COMMIT in the other direction', '-- +goose Up\nselect 1;\n-- +goose Down\ncommit;', 4, 1],
    [
      'a BEGIN that is never committed',
      '-- +goose NO TRANSACTION\n-- +goose Up\nbegin;\nselect 1;\nrollback to a;\n',
      3,
      1,
    ],
    [
      'a chained transaction that is never committed',
      '-- +goose NO TRANSACTION\n-- +goose Up\nbegin;\ncommit and chain;\n',
      4,
      1,
    ],
  ])('with %s is refused, with line and column', (_name, text, line, column) => {
    const error = refusal(text);
    expect([error.line, error.column]).toEqual([line, column]);
    expect(error.message).toMatch(new RegExp(`^m/001_a\\.sql:${line}:${column}: .*\\.$`));
  });

  it('that has a transaction of its own may not control one', () => {
    for (const sql of [
      'commit;',
      'BEGIN;',
      'start transaction;',
      'rollback to a;',
      '/* a */ savepoint b;',
      'end;',
      "prepare transaction 'x';",
    ]) {
      expect(refusal(`-- +goose Up\nselect 1;\n${sql}`).line).toBe(3);
    }
    const pairs = ['begin;\nselect 1;\ncommit;', 'start transaction;\nsavepoint a;\nrollback to a;\nend;'];
    for (const sql of pairs) {
      expect(up(`-- +goose NO TRANSACTION\n-- +goose Up\n${sql}`).length).toBeGreaterThan(2);
    }
    expect(up("-- +goose Up\nprepare p as select 1;\nselect 'commit';")).toHaveLength(2);
  });

  it('ends a comment at a carriage return, as the server does', () => {
    expect(up('-- +goose Up\n-- why\rselect 1;\r-- and\rselect 2;')).toEqual(['select 1;', 'select 2;']);
  });

  it('knows the lines on which its statements begin', () => {
    const { up: statements } = parseMigration(
      'm/001_a.sql',
      '-- +goose Up\n\n-- why\nselect 1;\n  select\n2;',
    );
    expect(statements.map((statement) => statement.line)).toEqual([4, 5]);
  });
});

describe('one statement', () => {
  it.each([
    ['a body that commits', 'do $$ begin commit; end $$;'],
    ['an atomic body in a procedure', 'create procedure p() begin atomic insert into t select 1; end;'],
    ['a plain string that ends in a backslash', String.raw`select '\' ;`],
    ['a word that begins with e', "select * from e where e.note='x;';"],
  ])('is %s', (_name, sql) => {
    expect(up(`-- +goose Up\n${sql}\nselect 1;`)).toEqual([sql, 'select 1;']);
  });
});

describe('the checksum', () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

  it('is the SHA-256 of the trimmed text', () => {
    expect(checksumOf('abc')).toBe(abc);
    expect(checksumOf('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('trims what Go trims, which is not what JavaScript trims', () => {
    expect(checksumOf(' \t\r\n\v\f\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000abc\u2003\u0085\n')).toBe(
      abc,
    );
    expect('\u0085abc'.trim()).not.toBe('abc');
    expect(checksumOf('\ufeffabc')).not.toBe(abc);
    expect('\ufeffabc'.trim()).toBe('abc');
  });

  it('keeps line ends inside the text', () => {
    expect(checksumOf('a\r\nb')).not.toBe(checksumOf('a\nb'));
  });
});
