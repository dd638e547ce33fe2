import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { loadParser } from '../../src/kit/migrations/lint/build.ts';
import {
  type Condition,
  conditionsOf,
  type ExpressionParser,
  expressionParser,
} from '../../src/kit/migrations/doctor/condition.ts';
import { FreeNames } from '../../src/kit/migrations/doctor/free-names.ts';
import { bare, firstParentheses, splitTopLevel } from '../../src/kit/migrations/doctor/top-level.ts';
import { emptyTestDatabase } from '../support/database.ts';

/** Predicates about the mark alone, with the form of their one condition. */
const FORMS: Readonly<Record<string, Condition['form']>> = {
  'deleted_at is null': 'live',
  'not (deleted_at is not null)': 'live',
  'not (deleted_at is not null and deleted_at is not null)': 'live',
  'deleted_at is not distinct from null': 'live',
  "deleted_at is null or deleted_at > '2030-01-01'": 'live',
  "deleted_at is null or (deleted_at > '2030-01-01' and a > 3)": 'live',
  'not (deleted_at is not null or deleted_at is not null)': 'live',
  "not (deleted_at is not null and deleted_at < '2030-01-01')": 'live',
  'deleted_at is not null': 'dead',
  'not (deleted_at is null)': 'dead',
  "deleted_at > '2020-01-01'": 'dead',
  "deleted_at <> '2020-01-01'": 'dead',
  "deleted_at > '2020-01-01' or deleted_at is not null": 'dead',
  'deleted_at > created_at': 'dead',
  'deleted_at = null': 'never',
  'null::timestamptz > deleted_at': 'never',
  "coalesce(deleted_at, 'infinity') = 'infinity'": 'defeating',
  "coalesce(deleted_at, 'epoch') = 'epoch'": 'defeating',
  "deleted_at is distinct from '2020-01-01'": 'defeating',
  "(deleted_at > '2020-01-01') is not true": 'defeating',
  "coalesce(deleted_at <= '2020-01-01', false) = false": 'defeating',
  'case when deleted_at is null then true else false end': 'defeating',
  'num_nulls(deleted_at) = 1': 'defeating',
  "not (deleted_at is not null or deleted_at > '2020-01-01')": 'defeating',
};

/** The rows that forms are about: whether a query of these proves the predicate is asked of the planner. */
let client: Client;
let parse: ExpressionParser;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  client = new Client({ connectionString: url });
  await client.connect();
  await client.query(
    'create table t (a int, created_at timestamptz, deleted_at timestamptz); set enable_seqscan to off',
  );
  parse = expressionParser(await loadParser());
});
afterAll(() => client.end());

/** The predicate as the server prints it, and whether a query of live rows uses its index. */
async function asked(predicate: string): Promise<{ printed: string; isUsed: boolean }> {
  await client.query(`create index i on t (a) where ${predicate}`);
  const { rows } = await client.query<{ predicate: string }>(
    `select pg_get_expr(indpred, indrelid) as predicate from pg_index where indexrelid = 'i'::regclass`,
  );
  const plan = await client.query<{ 'QUERY PLAN': string }>(
    'explain select a from t where deleted_at is null',
  );
  await client.query('drop index i');
  const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n');
  return { printed: rows[0]?.predicate ?? '', isUsed: / on i\b|using i\b/.test(text) };
}

describe('the form of a predicate', () => {
  it.each(Object.entries(FORMS))('%s: %s', async (predicate, form) => {
    const { printed, isUsed } = await asked(predicate);
    const conditions = conditionsOf(printed, 'deleted_at', parse);
    expect([...new Set(conditions.map((each) => each.form))]).toEqual([form]);
    // The planner's own word on it.
    expect(isUsed).toBe(form === 'live');
  });

  it('is that of each condition, however they are nested', () => {
    const all = conditionsOf(
      `((deleted_at IS NULL) AND ((kind = ' AND (x'::text) AND is_open AND ("AND" IS NOT NULL)))`,
      'deleted_at',
      parse,
    );
    expect(all.map(({ text, form, notNull }) => [text, form, notNull])).toEqual([
      ['deleted_at IS NULL', 'live', undefined],
      [`kind = ' AND (x'::text`, 'other', undefined],
      ['is_open', 'other', undefined],
      ['"AND" IS NOT NULL', 'other', 'AND'],
    ]);
  });

  it('is other where the parser does not know it', () => {
    expect(conditionsOf('deleted_at ??? (', 'deleted_at', parse)).toMatchObject([{ form: 'other' }]);
  });
});

describe('texts', () => {
  it('are taken apart outside parentheses and quotes', () => {
    expect(bare('((a = 1))')).toBe('a = 1');
    expect(bare('(a) = (b)')).toBe('(a) = (b)');
    expect(splitTopLevel(`f(a, b), "c,d", ',' || e`, ',')).toEqual(['f(a, b)', '"c,d"', `',' || e`]);
    expect(firstParentheses('USING btree (f(a), b) INCLUDE (c)')).toEqual([
      'USING btree ',
      'f(a), b',
      ' INCLUDE (c)',
    ]);
  });

  it('of names are free, at most 63 bytes long, and given once', () => {
    const names = new FreeNames([{ schema: 's', name: 'a_live' }]);
    expect(names.take('s', 'a', '_live')).toBe('a_live2');
    expect(names.take('s', 'a', '_live')).toBe('a_live3');
    expect(names.take('t', 'a', '_live')).toBe('a_live');
    expect(names.take('t', '😀'.repeat(20), '_live')).toBe(`${'😀'.repeat(14)}_live`);
  });
});
