import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { populateProbes } from './fixtures/populate-probes.ts';
import { queryProbes } from './fixtures/query-probes.ts';
import { readProbes } from './fixtures/read-probes.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  await library.reset();
});
afterAll(() => library.close());

describe.each([
  ...Object.entries(readProbes),
  ['populate, joined', populateProbes('joined')] as const,
  ['populate, select-in', populateProbes('select-in')] as const,
  ['populate, balanced', populateProbes('balanced')] as const,
  ['query builder', queryProbes] as const,
])('%s', (_, probes) => {
  it.each([...probes])(
    '$path: dead rows are there inside skipSoftDelete only',
    async ({ read, live, all }) => {
      expect(live).not.toEqual(all);
      expect(await library.em().skipSoftDelete(read)).toEqual(all);
      expect(await read(library.em())).toEqual(live);
    },
  );
});
