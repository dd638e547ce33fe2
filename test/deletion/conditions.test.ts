import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineModule, softDelete } from 'tombstone';
import { deleteRows, deletion, explainDelete, withDeletionContext } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Album, Contract, Label, Track } from './fixtures/label-model.ts';
import { databaseWith, type Music, openMusic, openOrm, plantLabel } from './fixtures/music.ts';
import { untilWaiting } from './fixtures/waiting.ts';

let db: Music;
let client: Client;
let other: Client;
beforeAll(async () => {
  db = await openMusic();
  [client, other] = [await connect(db.url), await connect(db.url)];
});
afterAll(async () => {
  await client.end();
  await other.end();
  await db.close();
});
beforeEach(() =>
  client.query(
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries cascade',
  ),
);

const live = async (table: string): Promise<string[]> =>
  (
    await client.query<{ name: string }>(`select * from ${table} where deleted_at is null order by id`)
  ).rows.map(({ name, ...row }) => name ?? (row as { title?: string }).title);

describe('a deletion by a condition', () => {
  it('takes the union of conditions, and not every row', async () => {
    const em = db.orm.em.fork();
    for (const name of ['one', 'two', 'three']) em.create(Label, { name });
    await em.flush();
    const options = { unionWhere: [{ name: 'one' }, { name: 'two' }] };
    expect(await em.fork().nativeDelete(Label, {}, options)).toBe(2);
    expect(await live('labels')).toEqual(['three']);
  });

  it('marks the live row of a flush also where only deleted ones are read, as a plain class does', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em);
    const contract = em.create(Contract, { label: albums[0]!.label });
    await em.flush();
    await em.onlyDeleted(async (trash) => {
      trash.remove(trash.getReference(Contract, contract.id));
      trash.remove(trash.getReference(Album, albums[0]!.id));
      await trash.flush();
    });
    expect(await live('contracts')).toEqual([]);
    expect(await live('albums')).toEqual(['second']);
  });

  it('asks it again of a row that another transaction is changing', async () => {
    const em = db.orm.em.fork();
    const { label } = await plantLabel(em, 'old');
    await other.query('begin');
    await other.query(`update labels set name = 'renewed' where id = $1`, [label.id]);
    const deleting = deleteRows(db.orm.em.fork(), Label, { name: 'old' });
    await untilWaiting(client);
    await other.query('commit');
    expect((await deleting).fell).toEqual({});
    expect(await live('labels')).toEqual(['renewed']);
  });

  it('asks it again where it reaches over relations', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em, 'house');
    await other.query('begin');
    await other.query(`update albums set title = 'renewed' where id = $1`, [albums[0]!.id]);
    const where = { title: 'first', label: { name: 'house' }, tracks: { title: { $like: 'first%' } } };
    const deleting = deleteRows(db.orm.em.fork(), Album, where);
    await untilWaiting(client);
    await other.query('commit');
    expect((await deleting).fell).toEqual({});
    expect(await live('albums')).toEqual(['renewed', 'second']);
  });

  it('is made by several calls at once in one transaction', async () => {
    const em = db.orm.em.fork();
    const houses: Awaited<ReturnType<typeof plantLabel>>[] = [];
    for (const name of ['a', 'b', 'c', 'd']) houses.push(await plantLabel(em.fork(), name));
    const batches = await withDeletionContext({ actor: 'one' }, async (context) => {
      await db.orm.em.fork().transactional(async (tx) => {
        await Promise.all([
          tx.nativeDelete(Album, { label: houses[0]!.label.id }),
          tx.nativeDelete(Album, { label: houses[1]!.label.id }),
          tx.nativeDelete(Track, { album: { label: houses[2]!.label.id } }),
          tx.nativeDelete(Album, { label: houses[3]!.label.id }),
        ]);
      });
      return context.batches;
    });
    expect(batches).toHaveLength(1);
    const { rows } = await client.query(
      `select table_name, count(*)::int as n, count(distinct key)::int as own from deletion_rows where kind = 'fell' group by 1 order by 1`,
    );
    expect(rows).toEqual([
      { table_name: 'public.albums', n: 6, own: 6 },
      { table_name: 'public.tracks', n: 16, own: 16 },
    ]);
  });
});

describe('a class of a single-table hierarchy', () => {
  const AnimalSchema = defineEntity({
    name: 'Animal',
    tableName: 'animals',
    discriminatorColumn: 'kind',
    discriminatorValue: 'animal',
    properties: {
      id: p.bigint('string').primary(),
      kind: p.string(),
      name: p.string(),
      ...softDelete.properties(),
    },
  });
  class Animal extends AnimalSchema.class {}
  AnimalSchema.setClass(Animal);
  const DogSchema = defineEntity({
    name: 'Dog',
    extends: AnimalSchema,
    discriminatorValue: 'dog',
    properties: { tricks: p.integer().nullable() },
  });
  class Dog extends DogSchema.class {}
  DogSchema.setClass(Dog);
  softDelete.register(Animal);
  softDelete.register(Dog);
  deletion.register(Animal);
  const module = defineModule({ name: 'zoo', migrations: '/nowhere', entities: [Animal, Dog] });

  it('deletes its own rows alone', async () => {
    const url = await databaseWith(
      `create table animals (id bigserial primary key, kind text not null, name text not null, tricks int, deleted_at timestamptz);
       insert into animals (kind, name, tricks) values ('animal', 'cat', null), ('dog', 'rex', 3), ('dog', 'old', 0)`,
    );
    const zoo = await openOrm(url, module);
    const em = zoo.orm.em.fork();
    const own = await connect(url);
    expect((await explainDelete(em, Dog, {})).rows).toEqual({ 'public.animals': 2 });
    expect(await em.nativeDelete(Dog, { tricks: 0 })).toBe(1);
    expect(await em.nativeDelete(Dog, {})).toBe(1);
    expect((await own.query('select name from animals where deleted_at is null')).rows).toEqual([
      { name: 'cat' },
    ]);
    await own.end();
    await zoo.close();
  });
});
