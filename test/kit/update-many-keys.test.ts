import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInputError } from 'tombstone';
import { Cell } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';
import { BLUE, type Library, openLibrary, RED } from './fixtures/library.ts';
import { Tag } from './fixtures/library-model.ts';

let library: Library;
let flushes: Flushes;
beforeAll(async () => {
  library = await openLibrary({ unwatched: true });
  flushes = await openFlushes();
  await flushes.rows('create extension citext; alter table cell alter column row type citext');
});
beforeEach(async () => {
  await library.reset();
  await flushes.reset();
});
afterAll(async () => {
  await library.close();
  await flushes.orm.close();
});

async function refused(work: Promise<unknown>, field: string): Promise<void> {
  const error = await work.catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(InvalidInputError);
  expect((error as InvalidInputError).field).toBe(field);
}

describe('one key in two forms', () => {
  const bare = RED.replaceAll('-', '');
  it.each([RED.toUpperCase(), `{${RED}}`, bare, `{${bare.slice(0, 4)}-${bare.slice(4)}}`])(
    'is found before anything is sent, where it is a uuid: %s',
    async (other) => {
      const tags = library.em().getRepository(Tag);
      expect(await tags.updateMany([{ id: other, name: 'written' }])).toHaveLength(1);
      library.statements();
      const rows = [
        { id: RED, name: 'first' },
        { id: other, name: 'second' },
      ];
      for (const missing of ['refuse', 'skip'] as const)
        await refused(tags.updateMany(rows, { missing }), 'rows[1]');
      expect(library.statements()).toEqual([]);
      expect(await library.rows('select name from tag where id = ?', [RED])).toEqual([{ name: 'written' }]);
    },
  );

  it('is no row that is not there: the error names the key', async () => {
    const work = library
      .em()
      .getRepository(Tag)
      .updateMany([{ id: BLUE.toUpperCase(), name: 'x' }]);
    await expect(work).rejects.toMatchObject({ keys: [BLUE] });
  });

  it.each([
    ['alone', []],
    ['beside a row that is not there', [{ row: 'r9', place: 9, title: 'x', changes: 1 }]],
  ])('is never answered as written where the database compares it: %s', async (_, others) => {
    const rows = [
      { row: 'r1', place: 1, title: 'first', changes: 1 },
      { row: 'R1', place: 1, title: 'second', changes: 1 },
      ...others,
    ];
    const cells = flushes.em().getRepository(Cell);
    await refused(cells.updateMany(rows, { missing: 'skip' }), 'rows');
    expect(await flushes.rows('select title from cell where place = 1')).toEqual([{ title: 'cell' }]);
  });
});
