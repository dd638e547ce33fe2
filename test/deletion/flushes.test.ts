import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { bigintId, defineModule, softDelete } from 'tombstone';
import { deletion, restore, withDeletionContext } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith, type Music, openOrm } from './fixtures/music.ts';

const TABLES = `
  create table shelves (id bigserial primary key, code text not null, deleted_at timestamptz);
  create unique index shelves_code_live on shelves (code) where deleted_at is null;
  create table books (id bigserial primary key, shelf_id bigint not null references shelves on delete cascade, deleted_at timestamptz);
  create table pages (id bigserial primary key, book_id bigint not null references books on delete cascade, deleted_at timestamptz);
  create table labels_on (id bigserial primary key,
    shelf_id bigint constraint labels_on_shelf_fkey references shelves on delete set null)`;

const ShelfSchema = defineEntity({
  name: 'Shelf',
  tableName: 'shelves',
  properties: {
    id: bigintId(),
    code: p.text(),
    books: () => p.oneToMany(Book).mappedBy('shelf').orphanRemoval(),
    ...softDelete.properties(),
  },
  uniques: [{ name: 'shelves_code_live', properties: ['code'], where: { deletedAt: null } }],
});
class Shelf extends ShelfSchema.class {}
ShelfSchema.setClass(Shelf);
const BookSchema = defineEntity({
  name: 'Book',
  tableName: 'books',
  properties: { id: bigintId(), shelf: () => p.manyToOne(Shelf), ...softDelete.properties() },
});
class Book extends BookSchema.class {}
BookSchema.setClass(Book);
const PageSchema = defineEntity({
  name: 'Page',
  tableName: 'pages',
  properties: { id: bigintId(), book: () => p.manyToOne(Book), ...softDelete.properties() },
});
class Page extends PageSchema.class {}
PageSchema.setClass(Page);
const LabelOnSchema = defineEntity({
  name: 'LabelOn',
  tableName: 'labels_on',
  properties: { id: bigintId(), shelf: () => p.manyToOne(Shelf).nullable() },
});
class LabelOn extends LabelOnSchema.class {}
LabelOnSchema.setClass(LabelOn);
for (const entity of [Shelf, Book, Page] as const) {
  softDelete.register(entity);
  deletion.register(entity);
}
softDelete.deadTargets(Book, { shelf: 'stub' });
softDelete.deadTargets(Page, { book: 'stub' });

let db: Music;
let client: Client;
beforeAll(async () => {
  const url = await databaseWith(TABLES);
  client = await connect(url);
  db = await openOrm(
    url,
    defineModule({ name: 'shelves', migrations: '/nowhere', entities: [Shelf, Book, Page, LabelOn] }),
  );
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(() =>
  client.query(`truncate shelves, books, pages, labels_on, deletion_batches, deletion_entries;
    insert into shelves (id, code) values (1, 'A'), (2, 'B');
    insert into books (id, shelf_id) values (1, 1), (2, 1), (3, 2);
    insert into pages (id, book_id) values (1, 1), (2, 2), (3, 3);
    insert into labels_on (id, shelf_id) values (1, 1);
    select setval('shelves_id_seq', 100)`),
);

const live = async (table: string) =>
  (
    await client.query<{ id: string }>(`select id from ${table} where deleted_at is null order by id`)
  ).rows.map(({ id }) => id);

describe('a collection with orphanRemoval that is set without being loaded', () => {
  it.each([
    ['to nothing', [], ['3']],
    ['to a row that was in it', ['2'], ['2', '3']],
    ['to a row of another', ['3'], ['3']],
  ])('%s deletes by the policies, in one batch that comes back', async (_name, ids, left) => {
    const em = db.orm.em.fork();
    const shelf = await em.findOneOrFail(Shelf, '1');
    const loaded = await em.findOneOrFail(Page, '1');
    const books = await em.find(Book, { id: ids });
    const batches = await withDeletionContext({}, async (context) => {
      if (ids.length > 0) shelf.books.set(books);
      else shelf.books.removeAll();
      await em.flush();
      return context.batches;
    });
    expect(await live('books')).toEqual(left);
    expect(await live('pages')).toEqual(left);
    expect(await em.findOne(Page, loaded.id)).toBeNull();
    expect(batches).toHaveLength(1);
    await restore(em.fork(), batches[0]!);
    expect(await live('pages')).toEqual(['1', '2', '3']);
  });
});

describe('a row that is made anew with the unique value of one that the same flush removes', () => {
  const replaced = async () => {
    const em = db.orm.em.fork();
    const old = await em.findOneOrFail(Shelf, '1');
    const made = em.create(Shelf, { code: 'A' });
    em.remove(old);
    return { em, old, made };
  };

  it('refuses to take rows over that fall before they are moved, and says what to do', async () => {
    const { em, made } = await replaced();
    for (const book of await em.find(Book, { shelf: '1' })) book.shelf = made;
    await expect(em.flush()).rejects.toMatchObject({
      code: 'DELETION.FLUSH_ORDER',
      message: expect.stringMatching(/Book\.shelf.*Shelf.*\.$/),
    });
    expect(await live('shelves')).toEqual(['1', '2']);
    expect(await live('books')).toEqual(['1', '2', '3']);
  });

  it('does what the sentence says', async () => {
    const em = db.orm.em.fork();
    await em.transactional(async (tx) => {
      const old = await tx.findOneOrFail(Shelf, '1');
      old.code = 'A, replaced';
      await tx.flush();
      const made = tx.create(Shelf, { code: 'A' });
      for (const book of await tx.find(Book, { shelf: '1' })) book.shelf = made;
      tx.remove(old);
    });
    expect(await live('books')).toEqual(['1', '2', '3']);
    expect(await live('shelves')).toHaveLength(2);
  });

  it('takes over what is only unlinked, and deletes what is not moved', async () => {
    const { em, made } = await replaced();
    const label = await em.findOneOrFail(LabelOn, '1');
    label.shelf = made;
    await em.flush();
    expect(await live('books')).toEqual(['3']);
    expect((await client.query('select shelf_id from labels_on')).rows).toEqual([{ shelf_id: made.id }]);
  });
});
