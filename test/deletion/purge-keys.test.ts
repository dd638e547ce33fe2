import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineDataConfig, defineModule, deletionJournal, softDelete } from 'tombstone';
import { deleteRows, deletion, holdsOf, placeHold, purge, releaseHold, retention } from 'tombstone/deletion';
import { addBackstop, connect, stateOf } from '../kit/fixtures/backstop.ts';
import { databaseWith } from './fixtures/music.ts';

const TABLES = `
  create table clubs (tenant_id int, code text, deleted_at timestamptz, primary key (tenant_id, code));
  create table members (tenant_id int, id uuid, club_code text, deleted_at timestamptz, primary key (tenant_id, id),
    constraint members_club_fkey foreign key (tenant_id, club_code) references clubs on delete cascade);
  create table badges (id uuid primary key, member_tenant int, member_id uuid, deleted_at timestamptz,
    constraint badges_member_fkey foreign key (member_tenant, member_id) references members on delete set null)`;

const ClubSchema = defineEntity({
  name: 'Club',
  tableName: 'clubs',
  properties: { tenantId: p.integer().primary(), code: p.text().primary(), ...softDelete.properties() },
});
class Club extends ClubSchema.class {}
ClubSchema.setClass(Club);
const MemberSchema = defineEntity({
  name: 'Member',
  tableName: 'members',
  properties: {
    tenantId: p.integer().primary(),
    id: p.uuid().primary(),
    clubCode: p.text().nullable(),
    ...softDelete.properties(),
  },
});
class Member extends MemberSchema.class {}
MemberSchema.setClass(Member);
/** No deletion by policies: its rows are marked one by one. */
const BadgeSchema = defineEntity({
  name: 'Badge',
  tableName: 'badges',
  properties: {
    id: p.uuid().primary(),
    memberTenant: p.integer().nullable(),
    memberId: p.uuid().nullable(),
    ...softDelete.properties(),
  },
});
class Badge extends BadgeSchema.class {}
BadgeSchema.setClass(Badge);
for (const entity of [Club, Member, Badge] as const) softDelete.register(entity);
for (const entity of [Club, Member] as const) deletion.register(entity);
retention.policy(Club, { olderThan: '30 days', tenant: 'tenantId', tenants: { '2': '1 year' } });
retention.policy(Member, { olderThan: '30 days', tenant: 'tenantId', tenants: { '2': '1 year' } });
retention.policy(Badge, { olderThan: '30 days' });

const uuid = (number: number): string => `0000000a-000b-4000-8000-00000000000${number}`;

const blocker = (constraint: string, table: string, of: string, key: string) => ({
  constraint,
  table: `public.${table}`,
  of: `public.${of}`,
  rows: 1,
  keys: [key],
});

let orm: MikroORM;
let client: Client;
beforeAll(async () => {
  const url = await databaseWith(TABLES);
  client = await connect(url);
  const tables = ['clubs', 'members', 'badges'].map((table) => ({ table, deletedAt: 'deleted_at' }));
  await addBackstop(client, tables);
  const module = defineModule({ name: 'clubs', migrations: '/nowhere', entities: [Club, Member, Badge] });
  orm = (await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: [module, deletionJournal], backstop: true }),
  )) as never;
});
afterAll(async () => {
  await orm.close();
  await client.end();
});
const forked = () => orm.em.fork() as never as Parameters<typeof purge>[0];

async function days(count: number): Promise<void> {
  // The backstop refuses changes of marks that come past the layer.
  await client.query(`set session_replication_role = replica;
    ${['clubs', 'members', 'badges', 'deletion_batches']
      .map(
        (table) => `update ${table} set deleted_at = deleted_at - interval '${count} days'
          where deleted_at is not null /* soft-delete: dead rows, because they grow older */;`,
      )
      .join(' ')}
    set session_replication_role = origin`);
}

beforeEach(async () => {
  await client.query(`set session_replication_role = replica;
    delete from badges; delete from members; delete from clubs; truncate deletion_holds, deletion_batches, deletion_entries;
    set session_replication_role = origin;
    insert into clubs values (1, 'a"[, b'), (2, 'a"[, b');
    insert into members values (1, '${uuid(1)}', 'a"[, b'), (1, '${uuid(2)}', 'a"[, b'), (2, '${uuid(1)}', 'a"[, b');
    insert into badges values ('${uuid(3)}', 1, '${uuid(2)}'), ('${uuid(4)}', null, null)`);
});

describe('a purge with keys of several columns, in a database that guards its marks', () => {
  it('removes what is due for each tenant, in small batches, and nothing comes past the layer', async () => {
    await deleteRows(forked(), Club, { code: 'a"[, b' });
    await days(45);
    // ON DELETE would empty the reference of a live badge; so it keeps the member, which keeps the club.
    await client.query(
      'update badges set member_tenant = 1, member_id = $1 where id = $2 and deleted_at is null',
      [uuid(2), uuid(3)],
    );
    const said = await purge(forked(), { dryRun: true });
    const done = await purge(forked(), { batchSize: 1 });
    expect(done).toMatchObject({ purged: { 'public.members': 1 }, batches: 1 });
    expect(said).toMatchObject({ purged: done.purged, blocked: done.blocked });
    expect(done.blocked).toEqual([
      blocker('badges_member_fkey', 'badges', 'members', `["1", "${uuid(2)}"]`),
      blocker('members_club_fkey', 'members', 'clubs', '["1", "a\\"[, b"]'),
    ]);
    expect(
      (await client.query('select 1 from badges where member_id is not null and deleted_at is null')).rows,
    ).toHaveLength(1);
    expect(await stateOf(client, 'delete from members')).toBe('TS001');
    await days(400);
    expect((await purge(forked(), { tenant: 1 })).purged).toEqual({});
    expect((await purge(forked(), { tenant: '2' })).purged).toEqual({
      'public.clubs': 1,
      'public.members': 1,
    });
  });

  it('replaces the intervals of tenants by its own', async () => {
    await deleteRows(forked(), Club, { tenantId: 2, code: 'a"[, b' });
    await days(20);
    expect((await purge(forked())).purged).toEqual({});
    expect((await purge(forked(), { olderThan: '10 days' })).purged).toEqual({
      'public.clubs': 1,
      'public.members': 1,
    });
  });

  it('removes rows of an entity that is not deleted by policies, as a program has marked them', async () => {
    await forked().nativeDelete(Badge, { id: uuid(4) });
    await days(45);
    expect((await purge(forked(), { entities: [Badge] })).purged).toEqual({ 'public.badges': 1 });
    expect((await client.query('select id from badges where deleted_at is null')).rows).toEqual([
      { id: uuid(3) },
    ]);
  });

  it('keeps what is held by a key, however the program writes it', async () => {
    const key = uuid(4).toUpperCase();
    await forked().nativeDelete(Badge, { id: uuid(4) });
    await days(45);
    const hold = await placeHold(forked(), Badge, { key, reason: 'matter 12' });
    expect(hold.key).toBe(uuid(4));
    expect(await holdsOf(forked(), Badge, { key })).toEqual([hold]);
    expect(await holdsOf(forked(), Badge, { key: uuid(4) })).toEqual([hold]);
    expect(await holdsOf(forked(), Badge, { key: uuid(3) })).toEqual([]);
    const own = await placeHold(forked(), Member, { key: [1, uuid(1).toUpperCase()], reason: 'matter 12' });
    expect(own.key).toBe(`["1", "${uuid(1)}"]`);
    expect(await holdsOf(forked(), Member, { key: [1, uuid(1).toUpperCase()] })).toEqual([own]);
    expect((await purge(forked())).held).toEqual([{ table: 'public.badges', rows: 1, keys: [uuid(4)] }]);
    await releaseHold(forked(), hold.id);
    expect((await purge(forked())).purged).toEqual({ 'public.badges': 1 });
  });
});
