import { p } from '@mikro-orm/postgresql';
import { describe, expect, it } from '@jest/globals';
import { softDelete } from 'tombstone';
import { checkDeletion, deleteRows, deletion, purge, retention } from 'tombstone/deletion';
import { testServer } from '../support/database.ts';
import { openOdd, softClass } from './fixtures/odd.ts';

const version = async () => Number.parseInt((await testServer()).version, 10);

describe('a trigger that keeps a child live', () => {
  const tables = `create table bands (id int primary key, deleted_at timestamptz);
    create table songs (id int primary key, band_id int references bands on delete cascade, deleted_at timestamptz);
    create function keep() returns trigger language plpgsql as $$
      begin if old.id = 2 then return null; end if; return new; end $$;
    create trigger keep before update on songs for each row execute function keep();
    insert into bands values (1); insert into songs values (1, 1), (2, 1)`;

  it('refuses the deletion, and nothing is deleted, also where a transaction goes on', async () => {
    const Band = softClass('bands');
    const Song = softClass('songs', { bandId: p.integer().nullable() });
    const db = await openOdd(tables, Band, Song);
    const refusal = { code: 'DELETION.RESISTED', message: expect.stringContaining('public.songs') };
    await expect(deleteRows(db.em, Band, { id: 1 })).rejects.toMatchObject(refusal);
    await expect(deleteRows(db.em, Song, {})).rejects.toMatchObject(refusal);
    await db.em.transactional(async (tx) => {
      await expect(deleteRows(tx, Band, { id: 1 })).rejects.toMatchObject(refusal);
    });
    const dead =
      'select count(*)::int as n from songs, bands where coalesce(songs.deleted_at, bands.deleted_at) is not null';
    expect(await db.rows(`${dead} /* soft-delete: it counts dead rows */`)).toEqual([{ n: 0 }]);
    await db.rows('drop trigger keep on songs');
    expect((await deleteRows(db.em, Band, { id: 1 })).fell).toEqual({ 'public.bands': 1, 'public.songs': 2 });
    await db.close();
  });
});

describe('a foreign key with a PERIOD', () => {
  const tables = `create extension if not exists btree_gist;
    create table flats (id int, valid int4range, deleted_at timestamptz, primary key (id, valid without overlaps));
    create table leases (id int primary key, flat_id int, valid int4range,
      constraint leases_flat foreign key (flat_id, period valid) references flats (id, period valid));
    insert into flats values (1, '[1,10)'), (2, '[1,10)'); insert into leases values (1, 1, '[2,4)')`;
  const flat = () => softClass('flats', { valid: p.string().columnType('int4range').primary() });

  it('restricts by each instant that a child needs, and blocks a purge', async () => {
    if ((await version()) < 18) return;
    const Flat = flat();
    retention.policy(Flat as never, { olderThan: '1 day' });
    const db = await openOdd(tables, Flat);
    await expect(deleteRows(db.em, Flat, { id: 1 })).rejects.toMatchObject({
      code: 'DELETION.RESTRICTED',
      constraint: 'leases_flat',
      blockers: [{ keys: ['1'] }],
    });
    expect((await deleteRows(db.em, Flat, { id: 2 })).fell).toEqual({ 'public.flats': 1 });
    await db.rows(
      `update flats set deleted_at = now() - interval '3 days' /* soft-delete: dead on purpose */`,
    );
    expect(await purge(db.em)).toMatchObject({
      purged: { 'public.flats': 1 },
      blocked: [{ constraint: 'leases_flat', rows: 1 }],
    });
    await db.close();
  });

  it('cannot be followed by another policy', async () => {
    if ((await version()) < 18) return;
    const Flat = flat();
    const Lease = softClass('leases', {
      flat: () => p.manyToOne(Flat as never).joinColumns('flat_id', 'valid'),
    });
    softDelete.deadTargets(Lease as never, { flat: 'stub' } as never);
    deletion.relations(Lease as never, { flat: 'cascade' } as never);
    const db = await openOdd(`${tables}; alter table leases add deleted_at timestamptz`, Flat, Lease);
    await expect(checkDeletion(db.em)).rejects.toMatchObject({
      code: 'DELETION.CONTRADICTION',
      constraint: 'leases_flat',
      message: expect.stringContaining('PERIOD'),
    });
    await db.close();
  });
});

describe('a foreign key with MATCH FULL', () => {
  it('cannot lose a part of its columns', async () => {
    const Site = softClass('sites', { tenant: p.integer().primary() });
    const Well = softClass('wells', { tenant: p.integer(), siteId: p.integer().nullable() });
    const db = await openOdd(
      `create table sites (id int, tenant int, deleted_at timestamptz, primary key (tenant, id));
       create table wells (id int primary key, tenant int not null, site_id int, deleted_at timestamptz,
         constraint wells_site foreign key (tenant, site_id) references sites match full on delete set null)`,
      Site,
      Well,
    );
    await expect(checkDeletion(db.em)).rejects.toMatchObject({
      code: 'DELETION.CONTRADICTION',
      constraint: 'wells_site',
      message: expect.stringContaining('MATCH FULL'),
    });
    await db.close();
  });
});
