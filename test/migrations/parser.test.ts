import { describe, expect, it } from '@jest/globals';
import { checksumOf, MigrationSyntaxError, parseMigration } from 'tombstone/migrations';

const up = (text: string): string[] =>
  parseMigration('m/001_a.sql', text).up.map((statement) => statement.text);
const down = (text: string): string[] | undefined =>
  parseMigration('m/001_a.sql', text).down?.map((statement) => statement.text);
const refusal = (text: string): MigrationSyntaxError => {
  try {
    parseMigration('m/001_a.sql', text);
  } catch (error) {
    if (error instanceof MigrationSyntaxError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
};

describe('goose annotations', () => {
  it('G1: split Up and Down, and two statements on one line', () => {
    const text =
      '-- +goose Up\ncreate table a (id int); -- why\nselect 1; select 2;\n\n-- +goose Down\ndrop table a;\n';
    expect(up(text)).toEqual(['create table a (id int);', 'select 1;', 'select 2;']);
    expect(down(text)).toEqual(['drop table a;']);
  });

  it('G2: allow an Up without statements', () => {
    expect(up('-- +goose Up\n-- nothing yet\n\n')).toEqual([]);
  });

  it('G3: take a file without annotations as Up only', () => {
    expect(parseMigration('m/001_a.sql', 'select 1;\nselect 2')).toMatchObject({
      down: undefined,
      transactional: true,
    });
    expect(up('select 1;\nselect 2')).toEqual(['select 1;', 'select 2']);
  });

  it.each([
    ['G4: in any case', '-- +goose UP\nselect 1;'],
    ['G4: padded', '--   +goose   Up   \nselect 1;'],
    ['G5: without a blank', '--+goose Up\nselect 1;'],
    ['G30: with CRLF', '-- +goose Up\r\nselect 1;\r\n'],
    ['G31: behind a byte order mark', '\uFEFF-- +goose Up\nselect 1;'],
    ['G26: below a licence', '/* licence; of the file */\n-- +goose Up\nselect 1;'],
    ['G32: below a line with a no-break space', '\u00a0\n-- +goose Up\nselect 1;'],
    ['G32: below a line with U+0085', '\u0085\n-- +goose Up\nselect 1;'],
  ])('%s', (_name, text) => {
    expect(up(text)).toEqual(['select 1;']);
  });

  it.each([
    ['G6: an indented annotation', ' -- +goose Up\nselect 1;', 1, 2],
    ['G7: a misspelt one', '-- +goose Upp\nselect 1;', 1, 1],
    ['G7: an empty one', '-- +goose\nselect 1;', 1, 1],
    ['G7: a third dash', '--- +goose Up\nselect 1;', 1, 1],
    ['G7: a word before', '-- x +goose Up\nselect 1;', 1, 1],
    ['G7: a comment behind', '-- +goose Up -- note\nselect 1;', 1, 1],
    [
      'G7: a semicolon behind',
      '-- +goose Up\n-- +goose StatementBegin\nselect 1;\n-- +goose StatementEnd;',
      4,
      1,
    ],
    ['G7: two in one', '-- +goose Up +goose Down\nselect 1;', 1, 1],
    ['G10: Down first', '-- +goose Down\nselect 1;', 1, 1],
    ['G10: two Ups', '-- +goose Up\nselect 1;\n-- +goose Up\nselect 2;', 3, 1],
    ['G10: two Downs', '-- +goose Up\nselect 1;\n-- +goose Down\nselect 1;\n-- +goose Down\nselect 2;', 5, 1],
    ['G10: Down inside a block', '-- +goose Up\n-- +goose StatementBegin\n-- +goose Down\n', 3, 1],
    ['G11: StatementEnd alone', '-- +goose Up\n-- +goose StatementEnd\n', 2, 1],
    ['G11: a nested block', '-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementBegin\n', 3, 1],
    ['G11: a block that is never closed', '-- +goose Up\n-- +goose StatementBegin\nselect 1;\n', 2, 1],
    ['G11: a block before Up', '-- +goose StatementBegin\nselect 1;\n', 1, 1],
    ['G12: no semicolon before Down', '-- +goose Up\nselect 1\n-- +goose Down\nselect 2;', 2, 1],
    ['G12: no semicolon at the end', '-- +goose Up\nselect 1;\n\n  select 2', 4, 3],
    ['G13: no semicolon in the other direction', '-- +goose Up\nselect 1;\n-- +goose Down\nselect 2', 4, 1],
    [
      'G14: unfinished text before a block',
      '-- +goose Up\nselect\n-- +goose StatementBegin\n1;\n-- +goose StatementEnd',
      2,
      1,
    ],
    ['G27: SQL before Up', 'select 1;\n-- +goose Up\nselect 2;', 2, 1],
    ['a string without end', "-- +goose Up\nselect 'a;\n", 2, 8],
    ['a dollar quote without end', '-- +goose Up\nselect $x$ a;\n', 2, 8],
    ['a comment without end', '-- +goose Up\n/* a /* b */ select 1;\n', 2, 1],
    ['an open parenthesis', '-- +goose Up\nselect (1;\nselect 2;', 2, 1],
    ['NO TRANSACTION without Up', '-- +goose NO TRANSACTION\n', 1, 1],
    ['G39: ENVSUB', '-- +goose ENVSUB ON\n-- +goose Up\nselect 1;', 1, 1],
    ['G42: COPY from the client', "-- +goose Up\n  copy a (b) from stdin;\nit's data\n\\.\n", 2, 3],
    ['G45: a command of psql', '\\restrict abc\nselect 1;', 1, 1],
    ['G45: a command of psql between statements', '-- +goose Up\nselect 1;\n\\i other.sql\n', 3, 1],
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
  ])('refuse %s, with line and column', (_name, text, line, column) => {
    const error = refusal(text);
    expect([error.line, error.column]).toEqual([line, column]);
    expect(error.message).toMatch(new RegExp(`^m/001_a\\.sql:${line}:${column}: .*\\.$`));
  });

  it('refuse transaction control in a file that has a transaction of its own', () => {
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

  it('G8: leave prose that mentions the word alone', () => {
    expect(up('-- +goose Up\n-- files of +goose are read here\nselect 1;')).toEqual(['select 1;']);
  });

  it('G9: take one behind a statement for a comment', () => {
    expect(up('-- +goose Up\nselect 1; -- +goose Downn\nselect 2;')).toEqual(['select 1;', 'select 2;']);
  });

  it('G15, G16: take a block as one statement, and an empty one as none', () => {
    const block = (body: string): string =>
      `-- +goose Up\n-- +goose StatementBegin\n${body}\n-- +goose StatementEnd\n`;
    expect(up(block(''))).toEqual([]);
    expect(up(block('-- only this'))).toEqual([]);
    expect(up(block('select 1;\nselect 2'))).toEqual(['select 1;\nselect 2']);
    expect(up(block('-- why\nselect 1;'))).toEqual(['select 1;']);
  });

  it('G28: take annotation text inside a literal for data', () => {
    const body = "select '\n-- +goose Down\n';";
    expect(up(`-- +goose Up\n${body}`)).toEqual([body]);
    expect(down(`-- +goose Up\n${body}`)).toBeUndefined();
  });

  it('G36: take NO TRANSACTION for the whole file wherever it stands', () => {
    for (const text of [
      '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;',
      '-- +goose Up\nselect 1;\n-- +goose Down\n-- +goose no transaction\nselect 2;',
    ]) {
      expect(parseMigration('m/001_a.sql', text).transactional).toBe(false);
    }
  });

  it('G48: tell an empty Down from none', () => {
    expect(down('-- +goose Up\nselect 1;\n-- +goose Down\n')).toEqual([]);
    expect(down('-- +goose Up\nselect 1;\n')).toBeUndefined();
  });
});

describe('statements', () => {
  const one = [
    [
      'G17: a body without a block',
      'create function f() returns int language plpgsql as $$\nbegin\n  return 1; -- ;\nend\n$$;',
    ],
    ['G18: a tagged body with an inner tag', 'select $Fö$ a; $$ b; $$ -- c\n$Fö$;'],
    ['G19: a quoted body', "create function f() returns text language sql as 'select ''a; b'';\nselect 1;';"],
    ['G20: a literal that ends its line with a semicolon', "select 'a;\nb';"],
    ['G22: dashes inside a literal', "select '-- a' ;"],
    ['G24: nested comments with semicolons', 'select /* a; /* b; */ c;\n */ 1;'],
    [
      'G43: BEGIN ATOMIC with CASE',
      'create function f() returns int begin atomic select case when true then 1 else 2 end; select 2; end;',
    ],
    ['G43: a rule with two actions', 'create rule r as on insert to a do also (select 1; select 2);'],
    ['G44: a quoted identifier', 'select "a;b";'],
    ['G44: an escape string', String.raw`select E'\';' ;`],
    ['G44: a Unicode string, in which a backslash escapes no quote', String.raw`select U&'d\0061t\' ;`],
    ['G44: an identifier with dollars', 'select foo$bar$baz from t;'],
    ['G44: literals over lines', "select 'a'\n  'b;';"],
    ['G44: an escape string over lines', "select E'a' -- c\n 'b\\';' ;"],
    ['G21: a PEM key', "select '-----BEGIN KEY-----\n\n-- a;\n-----END KEY-----';"],
    ['a COPY to a file', "copy (select 'from stdin') to '/dev/null';"],
    ['an array slice and a cast', "select (array[1, 2])[1:2]::text, ':x';"],
    ['a body that commits', 'do $$ begin commit; end $$;'],
    [
      'an atomic body in a block of its own',
      'create procedure p() begin atomic insert into t select 1; end;',
    ],
    ['a parameter sign', 'prepare p as select $1;'],
    ['a plain string that ends in a backslash', String.raw`select '\' ;`],
    ['a word that begins with e', "select * from e where e.note='x;';"],
  ] as const;

  it.each(one)('%s is one statement', (_name, sql) => {
    expect(up(`-- +goose Up\n${sql}\nselect 1;`)).toEqual([sql, 'select 1;']);
  });

  it('G23: end at a semicolon with a comment behind it', () => {
    expect(up('-- +goose Up\nselect 1; /* a */\nselect 2;')).toEqual(['select 1;', 'select 2;']);
  });

  it('G25, G33, G34: lose comments around them and keep comments inside', () => {
    const text = '-- +goose Up\n-- before\n   \nselect -- inside\n  1;\n-- between\nselect 2;\n/* after */';
    expect(up(text)).toEqual(['select -- inside\n  1;', 'select 2;']);
  });

  it('end a comment at a carriage return, as the server does', () => {
    expect(up('-- +goose Up\n-- why\rselect 1;\r-- and\rselect 2;')).toEqual(['select 1;', 'select 2;']);
  });

  it('G29: drop an empty statement', () => {
    expect(up('-- +goose Up\nselect 1;;\n;\nselect 2;')).toEqual(['select 1;', 'select 2;']);
  });

  it('know the line on which they begin', () => {
    const { up: statements } = parseMigration(
      'm/001_a.sql',
      '-- +goose Up\n\n-- why\nselect 1;\n  select\n2;',
    );
    expect(statements.map((statement) => statement.line)).toEqual([4, 5]);
  });

  it('G46: are found in a file of 10 MB with one line of 5 MB', () => {
    const text = `-- +goose Up\nselect '${'x;'.repeat(2_500_000)}';\n${'select 1;\n'.repeat(500_000)}`;
    expect(up(text)).toHaveLength(500_001);
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
