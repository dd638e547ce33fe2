import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatLeakReport, type LeakReport, runLeakSuite } from 'tombstone/testing';
import { PROBED_VERBS } from '../../src/kit/testing/leaks/index.ts';
import { type Kinds, openKinds } from './fixtures/kinds.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { KINDS_EXCEPTIONS, KINDS_VIEWS, LIBRARY_EXCEPTIONS } from './fixtures/model-exceptions.ts';

let library: Library;
let kinds: Kinds;
const reports = {} as Record<'library' | 'kinds', LeakReport>;
beforeAll(async () => {
  [library, kinds] = await Promise.all([openLibrary(), openKinds()]);
  reports.library = await runLeakSuite(library.orm, { except: LIBRARY_EXCEPTIONS });
  reports.kinds = await runLeakSuite(kinds.orm, { except: KINDS_EXCEPTIONS, views: KINDS_VIEWS });
});
afterAll(() => Promise.all([library.close(), kinds.close()]));

describe.each([
  ['every relation, key and inheritance', 'library', LIBRARY_EXCEPTIONS],
  ['the rarer kinds', 'kinds', KINDS_EXCEPTIONS],
] as const)('the leak suite over a model of %s', (_name, model, except) => {
  it('finds no leak and no broken verb', () => {
    expect(reports[model].leaks).toEqual([]);
    expect(reports[model].broken).toEqual([]);
  });

  it('proves each probe with the guard off, but for those with a reason', () => {
    expect(reports[model].vacuous).toEqual([]);
    const excepted = reports[model].results.filter((result) => result.verdict === 'except');
    expect(excepted.map(({ name }) => name).toSorted()).toEqual(Object.keys(except).toSorted());
  });
});

describe('the leak suite over a model', () => {
  it('runs many hundred probes over all kinds of entities', () => {
    const { results, entities } = reports.library;
    expect(results.length + reports.kinds.results.length).toBeGreaterThan(700);
    expect(entities).toEqual(expect.arrayContaining(['Film', 'Shelf', 'Tag', 'Book', 'Cover', 'Award']));
    expect(reports.kinds.results.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'Remark.subject[Photo] populate joined',
        'Remark.about[Clip] populate select-in',
      ]),
    );
  });

  it('takes for tight what the upsert policy of each entity says', () => {
    const answerOf = (name: string) => {
      const result = reports.library.results.find((each) => each.name === name);
      return [result?.verdict, result?.note];
    };
    expect(answerOf('Author.upsert')).toEqual(['tight', 'SoftDeleteError']);
    expect(answerOf('Book.upsertMany')).toEqual(['tight', 'SoftDeletedRowError']);
    expect(answerOf('Cover.upsert')).toEqual(['tight', 'SoftDeletedRowError']);
    expect(answerOf('Genre.upsertMany')).toEqual(['tight', undefined]);
  });

  it('knows every method of the ORM, by a probe that exists', () => {
    expect(reports.library.unknown).toEqual([]);
    const verbs = new Set(reports.library.results.map((result) => result.verb));
    expect(PROBED_VERBS.filter((verb) => !verbs.has(verb))).toEqual([]);
  });

  it('names a method that no probe goes through, until it has a reason', async () => {
    const except = KINDS_EXCEPTIONS;
    const prototype = Object.getPrototypeOf(kinds.orm.em) as Record<string, unknown>;
    prototype['findGhosts'] = () => undefined;
    try {
      const named = await runLeakSuite(kinds.orm, { except, views: KINDS_VIEWS });
      expect(named.unknown).toEqual(['EntityManager.findGhosts']);
      expect(formatLeakReport(named)).toContain('EntityManager.findGhosts  UNKNOWN');
      const excepted = { ...except, 'EntityManager.findGhosts': 'reads no table' };
      expect((await runLeakSuite(kinds.orm, { except: excepted, views: KINDS_VIEWS })).unknown).toEqual([]);
    } finally {
      delete prototype['findGhosts'];
    }
  }, 120_000);

  it('refuses an exception for a probe that does not exist', async () => {
    await expect(runLeakSuite(kinds.orm, { except: { 'Book.fnid': 'typo' } })).rejects.toThrow('Book.fnid');
  });
});
