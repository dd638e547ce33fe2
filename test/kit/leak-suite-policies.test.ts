import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runLeakSuite } from 'tombstone/testing';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { MUSEUM_EXCEPTIONS as except } from './fixtures/model-exceptions.ts';
import { type Museum, openMuseum } from './fixtures/museum.ts';

let museum: Museum;
beforeAll(async () => {
  museum = await openMuseum();
});
afterAll(() => museum.close());

describe('the leak suite over relations that show a stub or hide their owner', () => {
  it('takes no stub for a leak, and sees no row that a dead target hides', async () => {
    const report = await runLeakSuite(museum.orm, { except });
    expect(report.leaks).toEqual([]);
    expect(report.broken).toEqual([]);
    expect(report.vacuous).toEqual([]);
    expect(report.unknown).toEqual([]);
    const names = report.results.map(({ name }) => name);
    for (const name of [
      'Exhibit.find hidden by owner',
      'Exhibit.find hidden by artwork',
      'Permit.nativeUpdate hidden by exhibit',
      'Painting.flush of two changes hidden by painter',
      'Painting.frame populate joined hidden by maker',
      'Tour.exhibits collection loadCount hidden by artwork',
      'Exhibit.curator populate joined',
    ]) {
      expect(names).toContain(name);
    }
  }, 120_000);

  it('names the hidden row in every probe when the condition is taken out', async () => {
    const prototype = GuardedQueryBuilder.prototype as unknown as { shown: unknown };
    const own = prototype.shown;
    // One that has made no statement yet: those that are known are sent again as they were.
    const { orm } = await openMuseum();
    prototype.shown = () => undefined;
    try {
      const { leaks, results } = await runLeakSuite(orm, { except });
      expect(leaks.filter((name) => !name.includes(' hidden by '))).toEqual([]);
      const tight = results.filter(
        ({ name, verdict }) => name.includes(' hidden by ') && verdict === 'tight',
      );
      // Kysely and the batched update have the condition by another way, and TRUNCATE is refused without it.
      const elsewhere = ['Kysely select', 'flush of two changes', 'query builder truncate'];
      expect([...new Set(tight.map(({ verb }) => verb))].toSorted()).toEqual(elsewhere);
    } finally {
      prototype.shown = own;
      await orm.close();
    }
  }, 120_000);
});
