import { p } from '@mikro-orm/postgresql';
import { describe, expect, it } from '@jest/globals';
import {
  checkDeletion,
  deleteRows,
  erase,
  explainDelete,
  previewRestore,
  purge,
  restore,
  retention,
} from 'tombstone/deletion';
import { type Odd, openOdd, type SoftClass, softClass } from './fixtures/odd.ts';

const where = (condition: object) => condition as never;
const purgeable = (...entities: readonly SoftClass[]) =>
  entities.forEach((entity) => retention.policy(entity as never, { olderThan: '1 day' }));

/** As if all that is dead had been so for long. */
const age = ({ rows }: Odd, ...tables: readonly string[]) =>
  rows(
    [...tables, 'deletion_batches']
      .map((table) => `update ${table} set deleted_at = deleted_at - interval '3 days'`)
      .join(';'),
  );

describe('tables that are divided', () => {
  it('delete, restore, purge and erase as one', async () => {
    const Day = softClass('days', { day: p.integer().primary() });
    const Event = softClass('events', { day: p.integer().primary(), dayId: p.integer() });
    purgeable(Day, Event);
    const parts = (table: string) =>
      [1, 2].map((n) => `create table ${table}_${n} partition of ${table} for values in (${n});`).join(' ');
    const db = await openOdd(
      `create table days (id int, day int, deleted_at timestamptz, primary key (id, day)) partition by list (day);
       create table events (id int, day int, day_id int, deleted_at timestamptz, primary key (id, day),
         constraint events_day foreign key (day_id, day) references days (id, day) on delete cascade) partition by list (day);
       ${parts('days')} ${parts('events')}
       create unique index events_live on events (day_id, day) where deleted_at is null;
       insert into days values (1, 1), (2, 2); insert into events values (1, 1, 1), (2, 2, 2)`,
      Day,
      Event,
    );
    const both = { 'public.days': 2, 'public.events': 2 };
    const { batch, fell } = await deleteRows(db.em, Day, {});
    expect(fell).toEqual(both);
    expect((await restore(db.em, batch!)).rows).toEqual(both);
    const second = await deleteRows(db.em, Day, { id: 1 });
    await db.rows('insert into events values (7, 1, 1)');
    expect((await previewRestore(db.em, second.batch!)).liveTwins).toEqual([
      { constraint: 'events_live', table: 'public.events', rows: 1, keys: ['["1", "1"]'] },
    ]);
    await db.rows('delete from events where id = 7');
    const key = where([1, 1]);
    expect((await erase(db.em, Day, key, { mode: 'remove', reason: 'r' })).removed).toHaveLength(2);
    await deleteRows(db.em, Day, { id: 2 });
    await age(db, 'days', 'events');
    expect((await purge(db.em)).purged).toEqual({ 'public.events': 1, 'public.days': 1 });
    await db.close();
  });
});

describe('a table that others inherit', () => {
  it('falls with their rows, and what they refer to by themselves is asked', async () => {
    const Shop = softClass('shops');
    const Sale = softClass('sales', { shopId: p.integer().nullable() });
    const db = await openOdd(
      `create table shops (id int primary key, deleted_at timestamptz);
       create table sales (id int primary key, shop_id int constraint sales_shop references shops on delete cascade, deleted_at timestamptz);
       create table old_sales (primary key (id)) inherits (sales);
       insert into shops values (1); insert into sales values (1, 1); insert into old_sales values (2, 1)`,
      Shop,
      Sale,
    );
    const { batch, fell } = await deleteRows(db.em, Shop, { id: 1 });
    expect(fell).toEqual({ 'public.shops': 1, 'public.sales': 2 });
    expect((await restore(db.em, batch!)).rows).toEqual(fell);
    await db.rows(
      'alter table old_sales add constraint old_sales_shop foreign key (shop_id) references shops',
    );
    await checkDeletion(db.em);
    await expect(deleteRows(db.em, Shop, { id: 1 })).rejects.toMatchObject({ constraint: 'old_sales_shop' });
    await db.close();
  });
});

describe('names with quotes, signs and spaces', () => {
  const S = '"S x $1"';
  const tables = `create schema ${S};
    create table ${S}."o'clock" ("id $batch" int primary key, deleted_at timestamptz);
    create table ${S}."It's $root" (id int primary key, "p $before" int constraint "fk ? $2 'x""" references ${S}."o'clock" on delete set null,
      deleted_at timestamptz);
    create unique index "u ? $1 '" on ${S}."It's $root" ("p $before") where deleted_at is null;
    create table ${S}."We?ird ""q""" ("i?d" int primary key, "r?ef" int constraint "why ?" references ${S}."o'clock");
    insert into ${S}."o'clock" values (1), (2), (3); insert into ${S}."It's $root" values (1, 1), (2, 2);
    insert into ${S}."We?ird ""q""" values (1, 3)`;

  it('go through every operation', async () => {
    const schema = { schema: 'S x $1' };
    const Clock = softClass("o'clock", { id: p.integer().primary().fieldName('id $batch') }, schema);
    const Its = softClass("It's $root", { pId: p.integer().nullable().fieldName('p $before') }, schema);
    purgeable(Clock, Its);
    const db = await openOdd(tables, Clock, Its);
    const edge = `fk ? $2 'x"`;
    expect((await explainDelete(db.em, Clock, { id: 1 })).steps.map(({ constraint }) => constraint)).toEqual([
      edge,
      'why ?',
    ]);
    const { batch, unlinked } = await deleteRows(db.em, Clock, { id: 1 });
    expect(unlinked).toEqual({ [edge]: 1 });
    expect((await previewRestore(db.em, batch!)).relinks).toEqual({ [edge]: 1 });
    expect((await restore(db.em, batch!)).relinked).toEqual({ [edge]: 1 });
    await expect(deleteRows(db.em, Clock, { id: 3 })).rejects.toMatchObject({ constraint: 'why ?' });
    expect((await explainDelete(db.em, Clock, {})).blockers).toMatchObject([{ constraint: 'why ?' }]);
    expect((await erase(db.em, Clock, 1, { mode: 'remove', reason: 'r' })).unlinked).toMatchObject([
      { constraint: edge },
    ]);
    const again = await deleteRows(db.em, Its, { id: 2 });
    await db.rows(`insert into ${S}."It's $root" values (9, 2)`);
    await expect(restore(db.em, again.batch!)).rejects.toMatchObject({ constraint: "u ? $1 '" });
    await deleteRows(db.em, Clock, { id: 2 });
    await age(db, `${S}."o'clock"`, `${S}."It's $root"`);
    expect((await purge(db.em)).purged).toEqual({ "S x $1.It's $root": 1, "S x $1.o'clock": 1 });
    await db.close();
  });
});

describe('several foreign keys between the same tables', () => {
  it('follow their own policies, also where one row falls by two of them and is unlinked by a third', async () => {
    const User = softClass('users', { bossId: p.integer().nullable(), mentorId: p.integer().nullable() });
    const Task = softClass('tasks', { ownerId: p.integer().nullable() });
    const db = await openOdd(
      `create table users (id int primary key, boss_id int references users on delete cascade,
         mentor_id int references users on delete set null, deleted_at timestamptz);
       create table tasks (id int primary key, owner_id int references users on delete cascade,
         reviewer_id int references users on delete set null, other_id int references users on delete set null, deleted_at timestamptz);
       insert into users values (1, 1, 2), (2, 1, 1), (3, null, 1), (4, 3, 2);
       insert into tasks values (1, 1, 1, 1), (2, 3, 1, 2), (3, 3, 2, 2), (4, null, 1, 4), (5, 2, 4, 3)`,
      User,
      Task,
    );
    const world = async () => [
      await db.rows('select * from users order by id'),
      await db.rows('select * from tasks order by id'),
    ];
    const before = await world();
    const first = await deleteRows(db.em, User, { id: 1 });
    expect(first).toMatchObject({
      fell: { 'public.users': 2, 'public.tasks': 2 },
      unlinked: { tasks_other_id_fkey: 2, tasks_reviewer_id_fkey: 3, users_mentor_id_fkey: 2 },
    });
    const second = await deleteRows(db.em, User, { id: 3 });
    // A row of the first batch refers to one of the second.
    await expect(restore(db.em, first.batch!)).rejects.toMatchObject({ constraint: 'tasks_other_id_fkey' });
    await restore(db.em, second.batch!);
    await restore(db.em, first.batch!);
    const after = await world();
    // Rows that were dead themselves when their target came back have it again as well.
    expect(after).toEqual(before);
    await db.close();
  });
});

describe('a one-to-one that both tables hold', () => {
  it('falls and comes back from both ends, and is purged', async () => {
    const Ship = softClass('ships', {
      captain: () =>
        p
          .oneToOne(Captain as never)
          .owner()
          .nullable(),
    });
    const Captain: SoftClass = softClass('captains', {
      ship: () =>
        p
          .oneToOne(Ship as never)
          .owner()
          .nullable(),
    });
    purgeable(Ship, Captain);
    const db = await openOdd(
      `create table ships (id int primary key, captain_id int unique, deleted_at timestamptz);
       create table captains (id int primary key, ship_id int unique references ships on delete cascade, deleted_at timestamptz);
       alter table ships add constraint ships_captain foreign key (captain_id) references captains on delete set null;
       insert into ships values (1), (2); insert into captains values (1, 1), (2, 2); update ships set captain_id = id`,
      Ship,
      Captain,
    );
    const a = await deleteRows(db.em, Ship, { id: 1 });
    expect(a).toMatchObject({ fell: { 'public.ships': 1, 'public.captains': 1 }, unlinked: {} });
    await restore(db.em, a.batch!);
    const b = await deleteRows(db.em, Captain, { id: 1 });
    expect(b).toMatchObject({ fell: { 'public.captains': 1 }, unlinked: { ships_captain: 1 } });
    expect((await restore(db.em, b.batch!)).relinked).toEqual({ ships_captain: 1 });
    await deleteRows(db.em, Ship, {});
    await age(db, 'ships', 'captains');
    expect((await purge(db.em)).purged).toEqual({ 'public.ships': 2, 'public.captains': 2 });
    await db.close();
  });
});

describe('trees that meet from different ends', () => {
  it('are deleted and restored by many at once, and none gives up', async () => {
    const Left = softClass('lefts', { rightId: p.integer().nullable() });
    const Right = softClass('rights', { leftId: p.integer().nullable() });
    const db = await openOdd(
      `create table lefts (id int primary key, right_id int, deleted_at timestamptz);
       create table rights (id int primary key, left_id int references lefts on delete cascade, deleted_at timestamptz);
       alter table lefts add foreign key (right_id) references rights on delete cascade;
       create index on lefts (right_id); create index on rights (left_id);
       insert into lefts select n from generate_series(1, 10) n; insert into rights select n, n from generate_series(1, 10) n;
       update lefts set right_id = 1 + id % 10;
       do $$ begin execute format('alter database %I set deadlock_timeout = ''30ms''', current_database()); end $$`,
      Left,
      Right,
    );
    const worker = async (number: number) => {
      for (let turn = 0; turn < 4; turn += 1) {
        const em = db.orm.em.fork();
        const { batch } = await deleteRows(em, number % 2 ? Left : Right, {
          id: 1 + ((number * 7 + turn) % 10),
        });
        if (batch) await restore(em, batch);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, number) => worker(number)));
    const [{ dead }] = (await db.rows(`select (select count(*) from lefts where deleted_at is not null)
      + (select count(*) from rights where deleted_at is not null) as dead`)) as [{ dead: string }];
    expect(Number(dead)).toBe(0);
    const [{ open }] = (await db.rows(
      'select count(*) as open from deletion_batches where restored_at is null',
    )) as [{ open: string }];
    expect(Number(open)).toBe(0);
    await db.close();
  });
});
