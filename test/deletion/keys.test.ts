import { defineEntity, p, Type } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineModule, softDelete } from 'tombstone';
import { deleteRows, deletion, deletionOf, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith, type Music, openOrm } from './fixtures/music.ts';

const TABLES = `
  create table boxes (id uuid primary key, deleted_at timestamptz);
  create table things (id uuid primary key, box_id uuid references boxes on delete cascade, deleted_at timestamptz);
  create table readings (sensor int, at timestamptz, deleted_at timestamptz, primary key (sensor, at));
  create table crates (id int primary key, deleted_at timestamptz)`;

const BoxSchema = defineEntity({
  name: 'Box',
  tableName: 'boxes',
  properties: { id: p.uuid().primary(), ...softDelete.properties() },
});
class Box extends BoxSchema.class {}
BoxSchema.setClass(Box);
const ThingSchema = defineEntity({
  name: 'Thing',
  tableName: 'things',
  properties: { id: p.uuid().primary(), box: () => p.manyToOne(Box).nullable(), ...softDelete.properties() },
});
class Thing extends ThingSchema.class {}
ThingSchema.setClass(Thing);
const ReadingSchema = defineEntity({
  name: 'Reading',
  tableName: 'readings',
  properties: {
    sensor: p.integer().primary(),
    at: p.datetime().primary(),
    ...softDelete.properties(),
  },
});
class Reading extends ReadingSchema.class {}
ReadingSchema.setClass(Reading);

/** A key that is `C-7` in the program and 7 in the database. */
class CrateNumber extends Type<string, number> {
  override convertToDatabaseValue(value: string): number {
    return typeof value === 'string' ? Number(value.replace('C-', '')) : value;
  }
  override convertToJSValue(value: number | string): string {
    return typeof value === 'string' && value.startsWith('C-') ? value : `C-${value}`;
  }
  override getColumnType(): string {
    return 'int';
  }
}
const CrateSchema = defineEntity({
  name: 'Crate',
  tableName: 'crates',
  properties: { id: p.type(CrateNumber).primary(), ...softDelete.properties() },
});
class Crate extends CrateSchema.class {}
CrateSchema.setClass(Crate);

for (const entity of [Box, Thing, Reading, Crate] as const) {
  softDelete.register(entity);
  deletion.register(entity);
}

let db: Music;
let client: Client;
beforeAll(async () => {
  const url = await databaseWith(TABLES);
  db = await openOrm(
    url,
    defineModule({ name: 'keys', migrations: '/nowhere', entities: [Box, Thing, Reading, Crate] }),
  );
  client = await connect(url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});

const liveRows = async (table: string): Promise<number> =>
  (await client.query(`select 1 from ${table} where deleted_at is null`)).rows.length;

it('a UUID in capitals is the same key: its batch is restored, and not its row alone', async () => {
  const em = db.orm.em.fork();
  const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
  const box = em.create(Box, { id });
  em.create(Thing, { id: 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', box });
  await em.flush();
  await deleteRows(em.fork(), Box, { id });
  expect(await em.fork().getRepository(Box).restoreByKey(id.toUpperCase())).toBe(true);
  expect([await liveRows('boxes'), await liveRows('things')]).toEqual([1, 1]);
});

it('instants in keys are the same in memory, in the journal and in every time zone', async () => {
  const em = db.orm.em.fork();
  const reading = em.create(Reading, { sensor: 1, at: new Date('2026-01-02T03:04:05.678Z') });
  em.create(Reading, { sensor: 2, at: new Date('2026-01-02T03:04:05.678Z') });
  await em.flush();
  await em.nativeDelete(Reading, { sensor: 1 });
  expect(await em.findOne(Reading, { sensor: 1, at: reading.at })).toBeNull();
  em.remove(await em.findOneOrFail(Reading, { sensor: 2 }));
  await em.flush();
  await em.fork().transactional(async (tx) => {
    await tx.execute(`set local time zone 'Asia/Tokyo'`);
    const dead = await tx.onlyDeleted((trash) => trash.find(Reading, {}, { orderBy: { sensor: 'asc' } }));
    expect((await deletionOf(tx, dead[0]!))?.edge).toBe('');
    for (const one of dead) await restore(tx, one);
  });
  expect(await liveRows('readings')).toBe(2);
});

it('a key is taken as an object, as the repository takes it of other classes', async () => {
  const em = db.orm.em.fork();
  const at = new Date('2026-02-02T03:04:05.678Z');
  em.create(Reading, { sensor: 3, at });
  await em.flush();
  const before = await liveRows('readings');
  await em.fork().nativeDelete(Reading, { sensor: 3 });
  expect(
    await em
      .fork()
      .getRepository(Reading)
      .restoreByKey({ sensor: 3, at } as never),
  ).toBe(true);
  expect(await liveRows('readings')).toBe(before);
});

it('a key of a type of the program is asked for in the form of the database', async () => {
  const em = db.orm.em.fork();
  em.create(Crate, { id: 'C-7' });
  em.create(Crate, { id: 'C-8' });
  await em.flush();
  await em.nativeDelete(Crate, { id: 'C-7' });
  expect(await em.findOne(Crate, { id: 'C-7' })).toBeNull();
  em.remove(await em.findOneOrFail(Crate, { id: 'C-8' }));
  await em.flush();
  const dead = await em.onlyDeleted((trash) => trash.findOneOrFail(Crate, { id: 'C-7' }));
  expect((await deletionOf(em, dead))?.cause).toBeNull();
  await restore(em, dead);
  expect(await em.fork().getRepository(Crate).restoreByKey('C-8')).toBe(true);
  expect(await liveRows('crates')).toBe(2);
});
