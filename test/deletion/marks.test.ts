import { p } from '@mikro-orm/postgresql';
import { expect, it } from '@jest/globals';
import {
  deleteRows,
  deletionOf,
  erase,
  listBatches,
  placeHold,
  previewRestore,
  purge,
  restore,
  retention,
} from 'tombstone/deletion';
import { openOdd, softClass } from './fixtures/odd.ts';

it.each(['timestamptz', 'timestamptz(3)', 'timestamptz(0)', 'timestamp', 'timestamp(3)', 'date'])(
  'a mark of the type %s finds its batch, is restored, and keeps its journal until it is purged',
  async (type) => {
    const Shelf = softClass('shelves');
    const Book = softClass('books', { shelfId: p.integer().nullable() });
    for (const entity of [Shelf, Book]) retention.policy(entity as never, { olderThan: '1 day' });
    const db = await openOdd(
      `create table shelves (id int primary key, deleted_at ${type});
       create table books (id int primary key, shelf_id int references shelves on delete cascade, deleted_at ${type});
       insert into shelves values (1), (2); insert into books values (1, 1), (2, 2)`,
      Shelf,
      Book,
    );
    const both = { 'public.shelves': 1, 'public.books': 1 };
    const first = await deleteRows(db.em, Shelf, { id: 1 });
    expect((await listBatches(db.em)).batches).toMatchObject([{ batch: first.batch, state: 'whole' }]);
    const dead = await db.em.onlyDeleted((trash) => trash.findOneOrFail(Shelf, 1));
    expect(await deletionOf(db.em, dead as never)).toMatchObject({ batch: first.batch });
    expect((await previewRestore(db.em, first.batch!)).rows).toEqual(both);
    expect((await restore(db.em, dead as never)).rows).toEqual(both);

    const held = await deleteRows(db.em, Shelf, { id: 2 });
    await placeHold(db.em, Shelf, { key: 2, reason: 'matter 1' });
    const tables = ['shelves', 'books', 'deletion_batches'];
    const age = (days: number) =>
      db.rows(
        tables
          .map((table) => `update ${table} set deleted_at = deleted_at - interval '${days} days'`)
          .join(';'),
      );
    await age(3);
    // What is held is not gone, whatever its mark looks like.
    expect(await purge(db.em)).toMatchObject({ purged: {}, prunedBatches: 0 });
    expect((await restore(db.em, held.batch!)).rows).toEqual(both);

    const last = await deleteRows(db.em, Shelf, { id: 1 });
    await age(3);
    expect(await purge(db.em)).toMatchObject({ purged: both, prunedBatches: 1 });
    await expect(restore(db.em, last.batch!)).rejects.toMatchObject({ code: 'DELETION.PURGED_BATCH' });
    await expect(erase(db.em, Shelf, 2, { mode: 'remove', reason: 'request 1' })).rejects.toMatchObject({
      code: 'ERASURE.HELD',
    });
    await db.close();
  },
);
