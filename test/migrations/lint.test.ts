import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { gateway } from 'tombstone/gateway';
import { LINT_RULES, type LintFinding, lintMigrations } from 'tombstone/migrations';
import { FILE_RULES } from '../../src/kit/migrations/lint/lint.ts';
import { CATALOGUE_RULES } from '../../src/kit/migrations/lint/rules/catalogue.ts';
import { ROOT } from '../support/command.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { LINT_CASES } from './fixtures/lint-cases.ts';

/** Those that need no database. */
const BY_TEXT = LINT_RULES.filter((rule) => !CATALOGUE_RULES.includes(rule));

const folders: MigrationFolder[] = [];
afterAll(() => folders.forEach((folder) => folder.delete()));

const lint = async (sql: string, head = ''): Promise<LintFinding[]> => {
  const top = sql.startsWith('[NT]') ? '-- +goose NO TRANSACTION\n' : '';
  const folder = migrationFolder({ '001_a.sql': `${top}${head}-- +goose Up\n${sql.replace('[NT] ', '')}\n` });
  folders.push(folder);
  return lintMigrations([folder]);
};
const rulesOf = (findings: readonly LintFinding[]): string[] => findings.map(({ rule }) => rule);

describe('a rule', () => {
  const cases = BY_TEXT.map((rule) => [rule.id, LINT_CASES[rule.id]] as const);

  it.each(cases)('%s fires on what breaks it', async (id, texts) => {
    expect(texts?.bad.length).toBeGreaterThan(0);
    for (const sql of texts?.bad ?? [])
      expect([sql, rulesOf(await lint(sql))]).toEqual([sql, expect.arrayContaining([id])]);
  });

  it.each(cases)('%s leaves alone what only comes close', async (id, texts) => {
    expect(texts?.good.length).toBeGreaterThan(0);
    for (const sql of texts?.good ?? []) {
      const found = rulesOf(await lint(sql));
      expect([sql, found.filter((rule) => rule === id || rule === 'L003')]).toEqual([sql, []]);
    }
  });

  it('has an id, a sentence and an alternative of its own', () => {
    expect(new Set(LINT_RULES.map(({ id }) => id)).size).toBe(LINT_RULES.length);
    for (const { sentence, alternative } of [...LINT_RULES, ...Object.values(FILE_RULES)]) {
      expect(sentence).toMatch(/^\S.*\.$/);
      expect(alternative).toMatch(/^\S.*\.$/);
    }
    expect(Object.keys(LINT_CASES)).toEqual(BY_TEXT.map(({ id }) => id));
  });
});

describe('a finding', () => {
  it('has file, line, and what it is about', async () => {
    const [finding] = await lint('select f();\n\ncreate index i on s.t (a);');
    expect(finding).toMatchObject({
      file: 'shop/001_a.sql',
      line: 4,
      rule: 'L101',
      severity: 'error',
      about: 's.t',
    });
  });

  it('comes from each statement of a block', async () => {
    const found = await lint('-- +goose StatementBegin\ndrop table a;\ntruncate b;\n-- +goose StatementEnd');
    expect(rulesOf(found)).toEqual(['L401', 'L403']);
  });

  it('tells a statement that the parser does not know, and a note of our own', async () => {
    expect(rulesOf(await lint('create tabel t ();'))).toEqual(['L003']);
    expect(rulesOf(await lint('select f(); -- +goose Down'))).toEqual(['L901']);
  });
});

describe('the Down', () => {
  const DOWN = {
    L104: ['drop index concurrently i;', 'drop index i;'],
    L105: ['[NT] create index concurrently on t (a);', '[NT] create index concurrently i on t (a);'],
    L503: [
      `[NT] set lock_timeout = '1s'; drop index concurrently i;`,
      `[NT] set lock_timeout = 0; drop index concurrently i;`,
    ],
    L510: ['set search_path = s;', `set local lock_timeout = '1s';`],
    L511: ['[NT] drop database d;', '[NT] drop database if exists d;'],
    L513: [
      `alter type e add value 'x' before 'y'; update t set a = 'x' where b = 1;`,
      `alter type e add value 'x' before 'y'; update t set a = 'z' where b = 1;`,
    ],
    L606: ['update t set a = 1, a = 2 where b = 1;', 'update t set a = 1, b = 2 where b = 1;'],
    L802: ['select from schema_migrations;', 'select from t;'],
  } as const;
  const down = (sql: string, head = ''): Promise<LintFinding[]> =>
    lint(
      `${sql.startsWith('[NT]') ? '[NT] ' : ''}-- nothing\n-- +goose Down\n${sql.replace('[NT] ', '')}`,
      head,
    );

  it.each(Object.entries(DOWN))('breaks %s, and its finding says where', async (id, [bad, good]) => {
    const found = await down(bad);
    expect([bad, found.map(({ rule, isInDown }) => [rule, isInDown])]).toEqual([bad, [[id, true]]]);
    expect([good, await down(good)]).toEqual([good, []]);
    expect(await down(bad, `-- +tombstone waive ${id}: reviewed\n`)).toEqual([]);
  });

  it('may lock and lose: that is what it is for', async () => {
    const sql = 'drop index i; alter table t drop a; drop table v cascade;';
    expect(await down(sql)).toEqual([]);
    expect((await lint(sql)).every(({ isInDown }) => !isInDown)).toBe(true);
  });

  it('has statements that the parser does not know', async () => {
    expect((await down('create tabel t ();')).map(({ rule, isInDown }) => [rule, isInDown])).toEqual([
      ['L003', true],
    ]);
  });
});

describe('a waiver', () => {
  const waive = (line: string): Promise<string[]> => lint('drop table t;', `${line}\n`).then(rulesOf);

  it('with a reason lifts its rule for the file', async () => {
    expect(await waive('-- nothing')).toEqual(['L401']);
    expect(await waive('-- +tombstone waive L401: nobody reads it')).toEqual([]);
    expect(await waive('--  +tombstone  waive  l401  nobody reads it')).toEqual([]);
  });

  it('without a reason, for a rule that is not broken, or for none is a finding', async () => {
    expect(await waive('-- +tombstone waive L401')).toEqual(expect.arrayContaining(['L401', 'L001']));
    expect(await waive('-- +tombstone waive L401:  ')).toEqual(expect.arrayContaining(['L401', 'L001']));
    expect(await waive('-- +tombstone waive L101: why not')).toEqual(['L002', 'L401']);
    expect(await waive('-- +tombstone waive L999: why not')).toEqual(['L002', 'L401']);
    expect(await waive('-- +tombstone waive')).toEqual(['L001', 'L401']);
  });

  it('inside a literal waives nothing', async () => {
    const found = await lint("select '\n-- +tombstone waive L401: no\n', f();\ndrop table t;");
    expect(rulesOf(found)).toEqual(['L401']);
  });

  it('of a finding about the file itself is none', async () => {
    const found = await lint('select f(); -- +goose Down', '-- +tombstone waive L002: no\n');
    expect(rulesOf(found)).toEqual(['L002', 'L901']);
  });
});

describe('an index for a foreign key', () => {
  const key = 'create table t (id bigint primary key, u_id bigint references u (id));';
  const of = async (
    files: Readonly<Record<string, string>>,
    names?: string[],
    others: readonly MigrationFolder[] = [],
  ): Promise<string[]> => {
    const folder = migrationFolder(files);
    folders.push(folder);
    const found = await lintMigrations([folder, ...others], names);
    return found.filter(({ rule }) => /L705|L00/.test(rule)).map(({ file, rule }) => `${file} ${rule}`);
  };

  it('may come in a later file of the module, also when only one file is checked', async () => {
    expect(await of({ '001_a.sql': key })).toEqual(['shop/001_a.sql L705']);
    const files = { '001_a.sql': key, '002_b.sql': 'create index i on t (u_id);' };
    expect(await of(files)).toEqual([]);
    expect(await of(files, ['1'])).toEqual([]);
  });

  it('that a later file drops is none, and the file with the key is named', async () => {
    const files = { '001_a.sql': `${key} create index i on t (u_id);`, '002_b.sql': 'drop index i;' };
    expect(await of(files)).toEqual(['shop/001_a.sql L705']);
    expect(await of(files, ['2'])).toEqual([]);
  });

  it('of another module does not count', async () => {
    const other = { ...migrationFolder({ '001_a.sql': 'create index i on t (u_id);' }), name: 'other' };
    folders.push(other);
    expect(await of({ '001_a.sql': key }, [], [other])).toEqual(['shop/001_a.sql L705']);
  });

  it('can be waived, and only where it is missing', async () => {
    const waived = `-- +tombstone waive L705: rows of u are never deleted\n-- +goose Up\n${key}`;
    expect(await of({ '001_a.sql': waived })).toEqual([]);
    expect(await of({ '001_a.sql': waived, '002_b.sql': 'create index i on t (u_id);' })).toEqual([
      'shop/001_a.sql L002',
    ]);
  });
});

describe('our own', () => {
  it('migrations have no finding', async () => {
    expect(await lintMigrations([gateway])).toEqual([]);
  });

  it('page lists every rule with its severity, its sentence and its alternative', () => {
    const page = readFileSync(join(ROOT, 'docs/migration-lint.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (L\d+) +\| (\w+) +\| (.+?) +\| (.+?) +\|$/gm)].map((row) =>
      row.slice(1),
    );
    const rules = Object.entries(FILE_RULES).map(([id, rule]) => ({ id, ...rule }));
    const all = [...rules, ...LINT_RULES].toSorted((a, b) => a.id.localeCompare(b.id));
    expect(rows).toEqual(
      all.map(({ id, severity, sentence, alternative }) => [id, severity, sentence, alternative]),
    );
  });
});
