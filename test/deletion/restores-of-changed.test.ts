import { p } from '@mikro-orm/postgresql';
import { describe, expect, it } from '@jest/globals';
import { deleteRows, previewRestore, restore } from 'tombstone/deletion';
import { testServer } from '../support/database.ts';
import { openOdd, openSame, type SoftClass, softClass } from './fixtures/odd.ts';

const where = (condition: object) => condition as never;

describe('a link is made again only to the row that it was taken from', () => {
  it('not where the rest of the foreign key has changed', async () => {
    if (Number.parseInt((await testServer()).version, 10) < 15) return;
    const Team = softClass('teams', { tenantId: p.integer().primary() });
    const Seat = softClass('seats', { tenantId: p.integer(), teamId: p.integer().nullable() });
    const db = await openOdd(
      `create table teams (id int, tenant_id int, deleted_at timestamptz, primary key (tenant_id, id));
       create table seats (id int primary key, tenant_id int not null, team_id int, deleted_at timestamptz,
         constraint seats_team foreign key (tenant_id, team_id) references teams on delete set null (team_id));
       insert into teams (tenant_id, id) values (1, 5), (2, 5), (3, 7);
       insert into seats values (1, 1, 5), (2, 1, 5), (3, 1, 5)`,
      Team,
      Seat,
    );
    const { batch } = await deleteRows(db.em, Team, where({ tenantId: 1, id: 5 }));
    await db.rows('update seats set tenant_id = id + 1 where id < 3');
    expect(await previewRestore(db.em, batch!)).toMatchObject({
      restorable: true,
      relinks: { seats_team: 1 },
      vanishedTargets: [{ constraint: 'seats_team', table: 'public.seats', rows: 2, keys: ['1', '2'] }],
    });
    expect((await restore(db.em, batch!)).relinked).toEqual({ seats_team: 1 });
    expect(await db.rows('select tenant_id, team_id from seats order by id')).toEqual([
      { tenant_id: 2, team_id: null },
      { tenant_id: 3, team_id: null },
      { tenant_id: 1, team_id: 5 },
    ]);
    await db.close();
  });

  it('not by a value that is another row’s by now', async () => {
    const Room = softClass('rooms', { code: p.text() });
    const Desk = softClass('desks', { roomCode: p.text().nullable() });
    const db = await openOdd(
      `create table rooms (id int primary key, code text unique, deleted_at timestamptz);
       create table desks (id int primary key, room_code text constraint desks_room references rooms (code) on delete set null,
         deleted_at timestamptz);
       insert into rooms values (1, 'a'), (2, 'b'); insert into desks values (1, 'a')`,
      Room,
      Desk,
    );
    const { batch } = await deleteRows(db.em, Room, where({ id: 1 }));
    await db.rows(`update rooms set code = 'z' where id = 1; update rooms set code = 'a' where id = 2`);
    expect((await previewRestore(db.em, batch!)).vanishedTargets).toEqual([
      { constraint: 'desks_room', table: 'public.desks', rows: 1, keys: ['1'] },
    ]);
    expect((await restore(db.em, batch!)).relinked).toEqual({});
    expect(await db.rows('select room_code from desks')).toEqual([{ room_code: null }]);
    await db.close();
  });
});

describe('the preview names what will not come back', () => {
  it('links whose other end is gone, and of foreign keys that are', async () => {
    const Tag = softClass('tags');
    const Post = softClass('posts', {
      tags: () => p.manyToMany(Tag).pivotTable('post_tags').joinColumn('post_id').inverseJoinColumn('tag_id'),
    });
    const Note = softClass('notes', { postId: p.integer().nullable() });
    const tables = `create table tags (id int primary key, deleted_at timestamptz);
      create table posts (id int primary key, deleted_at timestamptz);
      create table post_tags (post_id int references posts on delete cascade, tag_id int references tags on delete cascade,
        primary key (post_id, tag_id));
      create table notes (id int primary key, deleted_at timestamptz, post_id int constraint notes_post references posts on delete set null);
      insert into tags values (1), (2); insert into posts values (1); insert into post_tags values (1, 1), (1, 2);
      insert into notes values (1, null, 1)`;
    const db = await openOdd(tables, Tag, Post, Note);
    const { batch } = await deleteRows(db.em, Post, where({ id: 1 }));
    await db.rows('delete from tags where id = 1; alter table notes drop constraint notes_post');
    const after = await openSame(db.url, Tag, Post, Note);
    expect(await previewRestore(after.em, batch!)).toMatchObject({
      restorable: true,
      relinks: {},
      reinserts: { 'public.post_tags': 1 },
      vanishedTargets: [
        { constraint: 'post_tags_post_id_fkey', table: 'public.post_tags', rows: 1, keys: ['["1", "1"]'] },
        { constraint: 'notes_post', table: 'public.notes', rows: 1, keys: [] },
      ],
    });
    expect((await restore(after.em, batch!)).reinserted).toEqual({ 'public.post_tags': 1 });
    await after.close();
    await db.close();
  });
});

describe('a twin is found whatever keeps live rows apart', () => {
  const kinds: readonly [string, string, string][] = [
    [
      'a unique with the mark in it',
      'mail text default $$x$$, constraint twin unique nulls not distinct (mail, deleted_at)',
      '',
    ],
    [
      'an expression over the mark',
      'mail text default $$x$$',
      'create unique index twin on things (mail, coalesce(deleted_at, $$epoch$$::timestamptz))',
    ],
    [
      'a column that is generated from the mark',
      `mail text default $$x$$, live boolean generated always as (case when deleted_at is null then true end) stored,
       constraint twin unique (mail, live)`,
      '',
    ],
    [
      'an exclusion constraint',
      `room int default 1, during int4range default '[1,5)',
       constraint twin exclude using gist (room with =, during with &&) where (deleted_at is null)`,
      '',
    ],
  ];

  it.each(kinds)('%s', async (name, columns, index) => {
    if (name.includes('mark in it') && Number.parseInt((await testServer()).version, 10) < 15) return;
    const Thing: SoftClass = softClass('things');
    const db = await openOdd(
      `create extension if not exists btree_gist;
       create table things (id int primary key, deleted_at timestamptz, ${columns}); ${index};
       insert into things (id) values (1)`,
      Thing,
    );
    const { batch } = await deleteRows(db.em, Thing, where({ id: 1 }));
    expect((await previewRestore(db.em, batch!)).restorable).toBe(true);
    await db.rows('insert into things (id) values (2)');
    const liveTwins = [{ constraint: 'twin', table: 'public.things', rows: 1, keys: ['1'] }];
    expect(await previewRestore(db.em, batch!)).toMatchObject({ restorable: false, liveTwins });
    await expect(restore(db.em, batch!)).rejects.toMatchObject({
      code: 'DELETION.RESTORE_CONFLICT',
      constraint: 'twin',
      preview: { liveTwins },
    });
    await db.rows('delete from things where id = 2');
    expect((await restore(db.em, batch!)).rows).toEqual({ 'public.things': 1 });
    await db.close();
  });
});
