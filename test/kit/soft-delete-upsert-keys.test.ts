import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { BLUE, type Library, openLibrary } from './fixtures/library.ts';
import { Author, Edition, Genre, Shelf, Tag } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() => library.reset());
afterAll(() => library.close());

it('text, uuid, composite and versioned rows are revived by their primary key', async () => {
  const em = library.em();
  await em.upsert(Genre, { code: 'poem', label: 'Verse' });
  await em.upsert(Tag, { id: BLUE, name: 'azure' });
  await em.upsertMany(Shelf, [
    { room: 'B', number: 1, label: 'new' },
    { room: 'A', number: 2, label: 'high' },
  ]);
  const edition = await em.upsert(Edition, { id: '2', print: 7 });
  expect(edition.version).toBe(2);
  expect(
    await library.rows(`select label from genre where code = 'poem' and deleted_at is null`),
  ).toHaveLength(1);
  expect(await library.rows(`select name from tag where id = '${BLUE}' and deleted_at is null`)).toHaveLength(
    1,
  );
  expect(await library.rows('select label from shelf where deleted_at is null order by label')).toEqual(
    ['high', 'new', 'tall'].map((label) => ({ label })),
  );
});

it('an entity without a policy is refused before any statement, but not in skipSoftDelete', async () => {
  const data = { id: '2', name: 'Bea' };
  const refused = {
    code: 'SOFT_DELETE.UPSERT',
    message: expect.stringContaining(`softDelete.register(Author, { upsert: 'revive' })`),
  };
  library.statements();
  await expect(library.em().upsert(Author, data)).rejects.toMatchObject(refused);
  await expect(library.em().upsertMany(Author, [data])).rejects.toMatchObject(refused);
  await expect(library.em().withDeleted((em) => em.upsert(Author, data))).rejects.toMatchObject(refused);
  expect(library.statements()).toEqual([]);
  await library.em().skipSoftDelete((em) => em.upsert(Author, data));
  expect(await library.rows('select name, deleted_at is not null as dead from author where id = 2')).toEqual([
    { name: 'Bea', dead: true },
  ]);
});
