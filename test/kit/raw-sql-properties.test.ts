import { afterAll, beforeAll, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { DataEntityManager } from 'tombstone';
import { findUnguarded, softDeletableTables } from 'tombstone/testing';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
afterAll(() => library.close());

const JOINS = ['author', 'publisher', 'copies', 'tags', 'cover'] as const;
const CONDITIONS = [
  {},
  { title: 'Alpha' },
  { deletedAt: { $ne: null } },
  { $or: [{ title: 'Alpha' }, { deletedAt: null }] },
  { $not: { deletedAt: null } },
  { author: { name: 'Ada' } },
  { copies: { $some: { note: 'new' } } },
  { tags: { $none: { name: 'red' } } },
];

const query = fc.record({
  verb: fc.constantFrom('select', 'count', 'update', 'delete'),
  joins: fc.uniqueArray(
    fc.record({ path: fc.constantFrom(...JOINS), left: fc.boolean(), select: fc.boolean() }),
    {
      selector: ({ path }) => path,
    },
  ),
  where: fc.array(fc.constantFrom(...CONDITIONS), { maxLength: 3 }),
  limit: fc.option(fc.integer({ min: 1, max: 3 })),
  inner: fc.boolean(),
});
type Query = typeof query extends fc.Arbitrary<infer T> ? T : never;

/** A statement of the query builder, made of whatever `query` asks for. */
function textOf(em: DataEntityManager, { verb, joins, where, limit, inner }: Query): string {
  const start = em.createQueryBuilder(Book, 'b');
  if (verb === 'update') return start.update({ title: 'x' }).where(merged(where)).getFormattedQuery();
  if (verb === 'delete') return start.delete(merged(where)).getFormattedQuery();
  if (verb === 'count') return start.count().where(merged(where)).getFormattedQuery();
  const builder = start.select('*');
  for (const [index, { path, left, select }] of joins.entries()) {
    const method = `${left ? 'left' : 'inner'}Join${select ? 'AndSelect' : ''}` as 'leftJoin';
    builder[method](`b.${path}`, `j${index}`);
  }
  builder.where(merged(where));
  if (inner) builder.andWhere({ author: { $in: em.createQueryBuilder(Author, 'i').select('id') } } as never);
  if (limit !== null) builder.limit(limit).orderBy({ title: 'asc' });
  return builder.getFormattedQuery();
}

const merged = (where: readonly object[]): never => ({ $and: where }) as never;

it('no statement of the guarded query builder has a finding, and each has one with the guard off', async () => {
  const tables = softDeletableTables(library.orm);
  await fc.assert(
    fc.asyncProperty(query, async (made) => {
      expect(await findUnguarded(textOf(library.em(), made), tables)).toEqual([]);
      const open = await library.em().skipSoftDelete(async (em) => textOf(em, made));
      const mentions = await findUnguarded(open, tables);
      // A condition of the test may happen to be the predicate of the only table.
      if (!/deleted_at" is (not )?null/.test(open)) expect(mentions).not.toEqual([]);
    }),
    { numRuns: 400 },
  );
});
