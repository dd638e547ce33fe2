import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Client } from 'pg';
import { defineModule, softDelete } from 'tombstone';
import {
  deleteRows,
  deletion,
  explainDelete,
  previewRestore,
  restore,
  withDeletionContext,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith, type Music, openOrm } from './fixtures/music.ts';

/** The same names in two schemas, constraints included, and a name like that of a place in a statement. */
const tablesOf = (schema: string): string => `
  create schema if not exists ${schema};
  create table ${schema}."no$batch" ("cause" int primary key, deleted_at timestamptz);
  create table ${schema}.leaves (id int primary key, node_id int constraint node_fkey references ${schema}."no$batch" on delete cascade,
    deleted_at timestamptz);
  create table ${schema}.twigs (id int primary key, node_id int constraint node_fkey references ${schema}."no$batch" on delete set null);
  create table ${schema}.notes (id int primary key, node_id int constraint node_fkey references ${schema}."no$batch" on delete set null);
  insert into ${schema}."no$batch" values (1), (2);
  insert into ${schema}.leaves values (1, 1), (2, 2);
  insert into ${schema}.twigs values (1, 1);
  insert into ${schema}.notes values (1, 1)`;

const NodeSchema = defineEntity({
  name: 'Node',
  tableName: 'no$batch',
  properties: { cause: p.integer().primary(), ...softDelete.properties() },
});
class Node extends NodeSchema.class {}
NodeSchema.setClass(Node);
const LeafSchema = defineEntity({
  name: 'Leaf',
  tableName: 'leaves',
  properties: { id: p.integer().primary(), nodeId: p.integer().nullable(), ...softDelete.properties() },
});
class Leaf extends LeafSchema.class {}
LeafSchema.setClass(Leaf);
for (const entity of [Node, Leaf] as const) {
  softDelete.register(entity);
  deletion.register(entity);
}

let db: Music;
let client: Client;
beforeAll(async () => {
  const url = await databaseWith('select 1');
  db = await openOrm(url, defineModule({ name: 'trees', migrations: '/nowhere', entities: [Node, Leaf] }));
  client = await connect(url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(async () => {
  await client.query(
    'drop schema if exists other cascade; drop table if exists leaves, twigs, notes, "no$batch"',
  );
  await client.query(tablesOf('public'));
  await client.query(tablesOf('other'));
});

const dead = async (schema: string): Promise<number> =>
  (
    await client.query(`select from ${schema}."no$batch" where deleted_at is not null union all
    select from ${schema}.leaves where deleted_at is not null`)
  ).rows.length;

it('a fork with a schema of its own deletes and restores there, and nowhere else', async () => {
  const other = db.orm.em.fork({ schema: 'other' });
  expect((await explainDelete(other, Node, { cause: 1 })).rows).toEqual({
    'other.no$batch': 1,
    'other.leaves': 1,
  });
  const { batch } = await deleteRows(other, Node, { cause: 1 });
  expect(await other.nativeDelete(Node, { cause: 2 })).toBe(1);
  expect([await dead('other'), await dead('public')]).toEqual([4, 0]);
  await restore(other, batch!);
  const second = await other.onlyDeleted((trash) => trash.findOneOrFail(Node, { cause: 2 }));
  await restore(other, second);
  expect([await dead('other'), await dead('public')]).toEqual([0, 0]);
});

it('a batch of tables that are not known here is not taken for restored', async () => {
  const em = db.orm.em.fork();
  const { batch } = await deleteRows(db.orm.em.fork({ schema: 'other' }), Node, { cause: 1 });
  const preview = await previewRestore(em, batch!);
  expect(preview.restorable).toBe(false);
  expect(preview.changed).toContainEqual({ table: 'other.leaves', state: 'unknown', rows: 1, keys: [] });
  await expect(restore(em, batch!)).rejects.toMatchObject({ code: 'DELETION.INCOMPLETE_BATCH' });
  await expect(restore(em, batch!, { changed: 'skip' })).rejects.toMatchObject({
    code: 'DELETION.INCOMPLETE_BATCH',
  });
  await restore(db.orm.em.fork({ schema: 'other' }), batch!);
  expect(await dead('other')).toBe(0);
});

it('foreign keys of one name are counted together, each as what its policy does', async () => {
  const em = db.orm.em.fork();
  const done = await deleteRows(em, Node, { cause: 1 });
  expect(done.unlinked).toEqual({ node_fkey: 2 });
  expect(done.removed).toEqual({});
  expect((await previewRestore(em, done.batch!)).relinks).toEqual({ node_fkey: 2 });
  expect((await restore(em, done.batch!)).relinked).toEqual({ node_fkey: 2 });
});

it('an outer context knows the batches of an inner one, and an inner one what it does not state', async () => {
  const em = db.orm.em.fork();
  await withDeletionContext({ actor: 'user:7', tenant: 'a' }, async (outer) => {
    const inner = await withDeletionContext({ reason: 'end', actor: undefined }, async (context) => {
      await deleteRows(em, Node, { cause: 1 });
      return context.batches;
    });
    expect(inner).toHaveLength(1);
    expect(outer.batches).toEqual(inner);
    const { rows } = await client.query('select actor, reason, tenant from deletion_batches where id = $1', [
      inner[0],
    ]);
    expect(rows).toEqual([{ actor: 'user:7', reason: 'end', tenant: 'a' }]);
  });
});

it('a session context holds in the transaction of deleteRows', async () => {
  await client.query(`create or replace function remember() returns trigger language plpgsql as $$
    begin if current_setting('app.who', true) is distinct from 'seven' then raise 'no context'; end if; return new; end $$;
    create trigger remember before update on leaves for each row execute function remember()`);
  const em = db.orm.em.fork();
  em.setSessionContext({ variables: { 'app.who': 'seven' } });
  expect((await deleteRows(em, Node, { cause: 1 })).fell).toEqual({
    'public.no$batch': 1,
    'public.leaves': 1,
  });
});
