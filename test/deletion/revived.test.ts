import { expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { bigintId, defineModule, softDelete } from 'tombstone';
import { deleteRows, deletion, describeBatch, previewRestore, restore } from 'tombstone/deletion';
import { databaseWith, openOrm } from './fixtures/music.ts';

const TABLES = `
  create table rooms (id bigserial primary key, name text not null unique, deleted_at timestamptz);
  create table desks (id bigserial primary key, room_id bigint not null references rooms on delete cascade, deleted_at timestamptz)`;

const RoomSchema = defineEntity({
  name: 'Room',
  tableName: 'rooms',
  properties: { id: bigintId(), name: p.text().unique(), ...softDelete.properties() },
});
class Room extends RoomSchema.class {}
RoomSchema.setClass(Room);
const DeskSchema = defineEntity({
  name: 'Desk',
  tableName: 'desks',
  properties: { id: bigintId(), room: () => p.manyToOne(Room), ...softDelete.properties() },
});
class Desk extends DeskSchema.class {}
DeskSchema.setClass(Desk);
softDelete.register(Room, { upsert: 'revive' });
softDelete.register(Desk);
softDelete.deadTargets(Desk, { room: 'stub' });
for (const entity of [Room, Desk] as const) deletion.register(entity);

it('a row that an upsert has revived is told of, and left as it is', async () => {
  const module = defineModule({ name: 'house', migrations: '/nowhere', entities: [Room, Desk] });
  const { orm, close } = await openOrm(await databaseWith(TABLES), module);
  const em = orm.em.fork();
  const room = em.create(Room, { name: 'north' });
  em.create(Desk, { room });
  await em.flush();
  const { batch } = await deleteRows(em, Room, { id: room.id });
  const revived = await orm.em.fork().upsert(Room, { name: 'north' });
  expect(revived.id).toBe(room.id);
  expect((await describeBatch(em, batch!)).state).toBe('changed');
  const changed = [{ table: 'public.rooms', state: 'live', rows: 1, keys: [room.id] }];
  expect(await previewRestore(em, batch!)).toMatchObject({
    restorable: false,
    changed,
    liveTwins: [],
    rows: { 'public.desks': 1 },
  });
  await expect(restore(em, batch!)).rejects.toMatchObject({
    code: 'DELETION.INCOMPLETE_BATCH',
    preview: { changed },
  });
  expect(await em.fork().count(Desk)).toBe(0);
  expect((await restore(em, batch!, { changed: 'skip' })).rows).toEqual({ 'public.desks': 1 });
  expect(await em.fork().find(Room, {})).toMatchObject([{ id: room.id, name: 'north' }]);
  expect(await em.fork().count(Desk)).toBe(1);
  await close();
});
