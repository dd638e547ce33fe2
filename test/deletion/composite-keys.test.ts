import { defineEntity, p } from '@mikro-orm/postgresql';
import { expect, it } from '@jest/globals';
import { defineModule, softDelete } from 'tombstone';
import { deleteRows, deletion, explainDelete, previewRestore, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { testServer } from '../support/database.ts';
import { databaseWith, openOrm } from './fixtures/music.ts';

const TABLES = `
  create table rooms (tenant_id int, code text, upper_code text, deleted_at timestamptz, primary key (tenant_id, code),
    constraint rooms_upper_fkey foreign key (tenant_id, upper_code) references rooms on delete cascade);
  create table desks (tenant_id int, id int, room_code text, deleted_at timestamptz, primary key (tenant_id, id),
    constraint desks_room_fkey foreign key (tenant_id, room_code) references rooms on delete set null (room_code))`;

const RoomSchema = defineEntity({
  name: 'Room',
  tableName: 'rooms',
  properties: {
    tenantId: p.integer().primary(),
    code: p.text().primary(),
    upperCode: p.text().nullable(),
    ...softDelete.properties(),
  },
});
class Room extends RoomSchema.class {}
RoomSchema.setClass(Room);
const DeskSchema = defineEntity({
  name: 'Desk',
  tableName: 'desks',
  properties: {
    tenantId: p.integer().primary(),
    id: p.integer().primary(),
    roomCode: p.text().nullable(),
    ...softDelete.properties(),
  },
});
class Desk extends DeskSchema.class {}
DeskSchema.setClass(Desk);
for (const entity of [Room, Desk] as const) {
  softDelete.register(entity);
  deletion.register(entity);
}

it('keys of several columns, with the tenant in them, fall and come back; the tenant is not emptied', async () => {
  // Only since PostgreSQL 15 ON DELETE SET NULL can spare a column of the key.
  if (Number.parseInt((await testServer()).version, 10) < 15) return;
  const url = await databaseWith(TABLES);
  const client = await connect(url);
  const module = defineModule({ name: 'house', migrations: '/nowhere', entities: [Room, Desk] });
  const { orm, close } = await openOrm(url, module);
  await client.query(`insert into rooms (tenant_id, code, upper_code) values
      (1, 'a"[', null), (1, 'b, c', 'a"['), (1, 'free', null), (2, 'a"[', null);
    insert into desks (tenant_id, id, room_code) values (1, 1, 'b, c'), (1, 2, 'free'), (2, 1, 'a"[')`);
  const world = async () =>
    (await client.query('select * from rooms order by 1, 2')).rows.concat(
      (await client.query('select * from desks order by 1, 2')).rows,
    );
  const before = await world();
  const em = orm.em.fork();
  const where = { tenantId: 1, code: 'a"[' };
  expect((await explainDelete(em, Room, where)).rows).toEqual({ 'public.rooms': 2 });
  await em.find(Room, {});
  const { batch, fell, unlinked } = await deleteRows(em, Room, where);
  expect({ fell, unlinked }).toEqual({ fell: { 'public.rooms': 2 }, unlinked: { desks_room_fkey: 1 } });
  expect(await em.findOne(Room, { tenantId: 1, code: 'b, c' })).toBeNull();
  expect(
    (await client.query('select tenant_id, room_code from desks where tenant_id = 1 and id = 1')).rows,
  ).toEqual([{ tenant_id: 1, room_code: null }]);
  expect((await previewRestore(em, batch!)).restorable).toBe(true);
  const dead = await em.onlyDeleted((trash) => trash.findOneOrFail(Room, where));
  await restore(em, dead);
  expect(await world()).toEqual(before);
  await client.end();
  await close();
});
