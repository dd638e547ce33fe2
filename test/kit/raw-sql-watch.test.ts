import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatSqlFindings, watchSql } from 'tombstone/testing';
import { collectionProbes, dataloaderProbes } from './fixtures/collection-probes.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { populateProbes } from './fixtures/populate-probes.ts';
import { queryProbes } from './fixtures/query-probes.ts';
import { readProbes } from './fixtures/read-probes.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  await library.reset();
});
afterAll(() => library.close());

const suites = [
  ...Object.entries(readProbes),
  ['collections and references', collectionProbes] as const,
  ['populate, joined', populateProbes('joined')] as const,
  ['populate, select-in', populateProbes('select-in')] as const,
  ['populate, balanced', populateProbes('balanced')] as const,
  ['query builder', queryProbes] as const,
  ['dataloader', dataloaderProbes] as const,
];

describe.each(suites)('%s', (_, probes) => {
  it('sends no statement that names a dead row', async () => {
    const watch = watchSql(library.orm);
    for (const { read } of probes) await read(library.em());
    watch.close();
    const { findings, judged } = await watch.report();
    expect(judged).toBeGreaterThan(0);
    expect(formatSqlFindings(findings)).toBe('');
  });
});
