import { describe, expect, it } from '@jest/globals';
import { findUnguarded } from 'tombstone/testing';
import { rawStatements, TABLES } from './fixtures/raw-statements.ts';

const found = async (sql: string) =>
  (await findUnguarded(sql, TABLES)).map(({ reason, alias }) => `${reason} ${alias}`.trim());

describe.each(Object.entries(rawStatements))('findUnguarded, %s', (_, statements) => {
  it.each(statements)('$shape', async ({ sql, finds }) => {
    expect(await found(sql)).toEqual(finds);
  });
});

const guarded = Object.values(rawStatements)
  .flat()
  .filter(({ sql, finds }) => finds.length === 0 && /(deleted|gone)_at is (not )?null/.test(sql))
  .filter(({ sql }) => !sql.startsWith('create index'));

describe('findUnguarded without the predicate', () => {
  it('is asked about many shapes', () => {
    expect(guarded.length).toBeGreaterThan(15);
  });

  it.each(guarded)('finds $shape', async ({ sql }) => {
    expect(await found(sql.replaceAll(/[\w."]*(deleted|gone)_at is (not )?null/g, 'true'))).not.toEqual([]);
  });
});

describe('a finding', () => {
  it('names the table with its schema, and where it stands, after letters of any width', async () => {
    const sql = `select 'é€😀' from credit join store."Sale" s on true`;
    expect(await findUnguarded(sql, TABLES)).toEqual([
      { table: 'store.Sale', alias: 's', reason: 'read', position: sql.indexOf('store') },
    ]);
  });
});
