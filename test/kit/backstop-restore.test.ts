import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { emptyTestDatabase } from '../support/database.ts';
import { addBackstop, connect, stateOf } from './fixtures/backstop.ts';

// The embedded PostgreSQL brings no pg_dump, so these are the statements that pg_restore sends, in its order; the text of
// functions and triggers comes from the catalogue, where pg_dump takes it from too.

const TABLES = `
  create table public.child (id int, parent_id int, deleted_at timestamptz);
  create table public.parent (id int, name text, deleted_at timestamptz);`;
const ROWS = [
  `copy public.parent (id, name, deleted_at) from program 'printf "1\\tlive\\t\\\\\\\\N\\n2\\tdead\\t2020-01-01\\n"'`,
  `copy public.child (id, parent_id, deleted_at) from program 'printf "10\\t1\\t\\\\\\\\N\\n20\\t2\\t2020-01-01\\n"'`,
];
const KEYS = `
  alter table only public.child add constraint child_pkey primary key (id);
  alter table only public.parent add constraint parent_pkey primary key (id);`;
const FOREIGN_KEY = `alter table only public.child
  add constraint child_parent_id_fkey foreign key (parent_id) references public.parent (id) on delete cascade`;

/** What the dump of a database says of its functions and triggers. */
interface Dump {
  readonly functions: string[];
  readonly triggers: string[];
}

async function dumpOf(client: Client): Promise<Dump> {
  await client.query(`select set_config('search_path', '', false)`);
  const column = async (sql: string) =>
    (await client.query<{ text: string }>(sql)).rows.map(({ text }) => text);
  return {
    functions: await column(
      `select pg_get_functiondef(oid) as text from pg_proc where proname = 'tombstone_backstop'`,
    ),
    triggers: await column(
      'select pg_get_triggerdef(oid, false) as text from pg_trigger where not tgisinternal order by tgname',
    ),
  };
}

let source: Client;
let target: Client;
let dump: Dump;
beforeAll(async () => {
  source = await connect((await emptyTestDatabase()).url);
  await source.query(`${TABLES}${KEYS}${FOREIGN_KEY}`);
  await addBackstop(
    source,
    ['parent', 'child'].map((table) => ({ table, deletedAt: 'deleted_at' })),
  );
  dump = await dumpOf(source);
});
beforeEach(async () => {
  target = await connect((await emptyTestDatabase()).url);
  await restoreInto(target);
});
afterAll(() => source.end());

async function restoreInto(client: Client): Promise<void> {
  await client.query(`select set_config('search_path', '', false)`);
  await client.query('set check_function_bodies = false');
  for (const sql of [...dump.functions, TABLES, ...ROWS, KEYS, ...dump.triggers, FOREIGN_KEY])
    await client.query(sql);
}

const states = async (client: Client) => [
  await stateOf(client, 'delete from public.child'),
  await stateOf(client, `update public.parent set name = 'x' where id = 2`),
];
const counts = async (client: Client) =>
  (
    await client.query(
      'select (select count(*)::int from public.parent) p, (select count(*)::int from public.child) c',
    )
  ).rows;

describe('a restored database', () => {
  it('has every row and the whole backstop', async () => {
    expect(dump.functions).toHaveLength(1);
    expect(dump.triggers).toHaveLength(4);
    expect(await counts(target)).toEqual([{ p: 2, c: 2 }]);
    expect(await states(target)).toEqual(['TS001', 'TS002']);
    expect(await dumpOf(target)).toEqual(dump);
    await target.end();
  });

  it('takes rows into the tables that are there, with the triggers on and with --disable-triggers', async () => {
    await target.query('truncate public.parent, public.child');
    for (const sql of ROWS) await target.query(sql);
    expect(await counts(target)).toEqual([{ p: 2, c: 2 }]);
    await target.query('truncate public.parent, public.child');
    for (const sql of [...ROWS].toReversed()) {
      const table = /copy (\S+)/.exec(sql)?.[1] ?? '';
      await target.query(`alter table ${table} disable trigger all`);
      await target.query(sql);
      await target.query(`alter table ${table} enable trigger all`);
    }
    expect(await counts(target)).toEqual([{ p: 2, c: 2 }]);
    expect(await states(target)).toEqual(['TS001', 'TS002']);
    await target.query(`insert into public.parent values (2, 'again', null) on conflict do nothing`);
    await target.end();
  });

  it('can be replaced with --clean', async () => {
    for (const table of ['parent', 'child'])
      for (const name of ['update', 'delete'])
        await target.query(`drop trigger tombstone_backstop_${name} on public.${table}`);
    await target.query(`alter table only public.child drop constraint child_parent_id_fkey;
      drop table public.parent; drop table public.child; drop function public.tombstone_backstop()`);
    await restoreInto(target);
    expect(await counts(target)).toEqual([{ p: 2, c: 2 }]);
    expect(await states(target)).toEqual(['TS001', 'TS002']);
    await target.end();
  });
});
