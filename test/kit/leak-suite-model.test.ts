import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatLeakReport, type LeakReport, runLeakSuite } from 'tombstone/testing';
import { PROBED_VERBS } from '../../src/kit/testing/leaks/index.ts';
import { except } from './fixtures/core-failures.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let library: Library;
let report: LeakReport;
beforeAll(async () => {
  library = await openLibrary();
  report = await runLeakSuite(library.orm, { except });
});
afterAll(() => library.close());

describe('the leak suite over a model of every relation, key and inheritance', () => {
  it('finds no leak and no broken verb', () => {
    expect(report.leaks).toEqual([]);
    expect(report.broken).toEqual([]);
  });

  it('proves each probe with the guard off, but for those with a reason', () => {
    expect(report.vacuous).toEqual([]);
    expect(report.results.filter((result) => result.verdict === 'except')).toHaveLength(
      Object.keys(except).length,
    );
  });

  it('runs many hundred probes over all kinds of entities', () => {
    expect(report.results.length).toBeGreaterThan(500);
    expect(report.entities).toEqual(
      expect.arrayContaining(['Film', 'Shelf', 'Tag', 'Book', 'Cover', 'Award']),
    );
  });

  it('takes for tight what the upsert policy of each entity says', () => {
    const answerOf = (name: string) => {
      const result = report.results.find((each) => each.name === name);
      return [result?.verdict, result?.note];
    };
    expect(answerOf('Author.upsert')).toEqual(['tight', 'SoftDeleteError']);
    expect(answerOf('Book.upsertMany')).toEqual(['tight', 'SoftDeletedRowError']);
    expect(answerOf('Cover.upsert')).toEqual(['tight', 'SoftDeletedRowError']);
    expect(answerOf('Genre.upsertMany')).toEqual(['tight', undefined]);
  });

  it('knows every method of the ORM, by a probe that exists', () => {
    expect(report.unknown).toEqual([]);
    const verbs = new Set(report.results.map((result) => result.verb));
    expect(PROBED_VERBS.filter((verb) => !verbs.has(verb))).toEqual([]);
  });

  it('names a method that no probe goes through, until it has a reason', async () => {
    const prototype = Object.getPrototypeOf(library.orm.em) as Record<string, unknown>;
    prototype['findGhosts'] = () => undefined;
    try {
      const named = await runLeakSuite(library.orm, { except });
      expect(named.unknown).toEqual(['EntityManager.findGhosts']);
      expect(formatLeakReport(named)).toContain('EntityManager.findGhosts  UNKNOWN');
      const excepted = { ...except, 'EntityManager.findGhosts': 'reads no table' };
      expect((await runLeakSuite(library.orm, { except: excepted })).unknown).toEqual([]);
    } finally {
      delete prototype['findGhosts'];
    }
  }, 120_000);

  it('refuses an exception for a probe that does not exist', async () => {
    await expect(runLeakSuite(library.orm, { except: { 'Book.fnid': 'typo' } })).rejects.toThrow('Book.fnid');
  });
});
