import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { connect, stateOf } from '../kit/fixtures/backstop.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { ORCHARD } from './fixtures/orchard.ts';

const folders: MigrationFolder[] = [];
const clients: Client[] = [];
afterAll(async () => {
  for (const folder of folders) folder.delete();
  for (const client of clients) await client.end();
});

interface Project {
  readonly client: Client;
  files(): string[];
  text(name: string): string;
  tombstone(...args: string[]): Promise<Ended>;
}

/** A database with the orchard, whose first file is applied. */
async function project(entities = 'orchardEntities', tables = ORCHARD): Promise<Project> {
  const { url } = await emptyTestDatabase();
  const first = `-- +tombstone waive L705: the tables are small\n-- +goose Up\n${tables}`;
  const folder = migrationFolder({ '001_orchard.sql': first }, 'orchard');
  folders.push(folder);
  writeFileSync(
    join(folder.root, 'mikro-orm.config.ts'),
    `import { defineDataConfig } from ${JSON.stringify(join(ROOT, 'src/index.ts'))};
     import { orchardEntities } from ${JSON.stringify(join(ROOT, 'test/cli/fixtures/orchard.ts'))};
     export default defineDataConfig({ clientUrl: '', modules: [
       { name: 'orchard', migrations: ${JSON.stringify(folder.migrations)}, entities: ${entities} }] });`,
  );
  const tombstone = (...args: string[]) =>
    run([join(ROOT, 'bin/tombstone.js'), ...args], { DATABASE_URL: url }, folder.root);
  const applied = await tombstone('migrate', 'up');
  if (applied.code !== 0) throw new Error(applied.err);
  const client = await connect(url);
  clients.push(client);
  return {
    client,
    files: () => readdirSync(folder.migrations).toSorted().slice(1),
    text: (name) => readFileSync(join(folder.migrations, name), 'utf8'),
    tombstone,
  };
}

const RELATIONS = [
  'Tree.orchard',
  'crate',
  'Grower.mentor',
  'Grower.home',
  'orchards_keeper_id_foreign',
] as const;

/** Rows of every table, some of them dead, none an orphan. */
const ROWS = `insert into growers (id, deleted_at) values (1, null), (2, now());
  insert into growers (id, mentor_id, deleted_at) values (3, 1, null), (4, 2, now());
  insert into orchards values (1, 1, 1, null), (1, 2, 2, now()), (2, 1, null, null);
  update growers set home_tenant_id = 1, home_id = 1 where id in (1, 2);
  insert into trees (id, tenant_id, orchard_id, deleted_at) values (1, 1, 1, null), (2, 1, 2, now()), (3, 1, 1, now());
  insert into "old Files"."Crate ""B""" values (1, 1, null), (2, 2, now()), (3, 3, now())`;

/** Each would leave a live row of a dead parent. */
const VIOLATIONS = [
  'update orchards set deleted_at = now() where tenant_id = 1 and id = 1',
  'update trees set deleted_at = now() where id = 1',
  'update growers set deleted_at = now() where id = 1',
  'update trees set deleted_at = null where id = 2',
  'update growers set deleted_at = null where id = 4',
  'insert into trees (id, tenant_id, orchard_id) values (50, 1, 2)',
  'insert into growers (id, mentor_id) values (50, 2)',
  'insert into growers (id, home_tenant_id, home_id) values (50, 1, 2)',
  'update trees set orchard_id = 2 where id = 1',
  `insert into "old Files"."Crate ""B""" (id, "Tree ""id""") values (50, 3)`,
];

const states = async (client: Client, all: readonly string[]): Promise<(string | undefined)[]> => {
  const found: (string | undefined)[] = [];
  for (const sql of all) {
    await client.query('begin');
    found.push(await stateOf(client, sql));
    await client.query('rollback');
  }
  return found;
};

describe.each([['plain'], ['online']])('tombstone live-parent add, %s', (form) => {
  const options = form === 'online' ? ['--online'] : [];

  it('guards every kind of relation, and Down leaves nothing', async () => {
    const { client, tombstone, files } = await project();
    await client.query(ROWS);
    expect(await states(client, VIOLATIONS)).toEqual(VIOLATIONS.map(() => undefined));
    const before = await tombstone('migrate', 'rebuild', '--json');
    for (const relation of RELATIONS) {
      const written = await tombstone('live-parent', 'add', 'orchard', relation, ...options);
      expect(written).toMatchObject({ code: 0, err: '' });
      expect(await tombstone('migrate', 'up')).toMatchObject({ code: 0 });
    }
    expect(await tombstone('migrate', 'lint')).toMatchObject({ out: 'Nothing found.\n', code: 0 });
    expect(await tombstone('migrate', 'lint', '--database')).toMatchObject({ out: 'Nothing found.\n' });
    expect(await states(client, VIOLATIONS)).toEqual(VIOLATIONS.map(() => '23503'));
    const check = JSON.parse((await tombstone('live-parent', 'check', '--json')).out);
    expect(check.relations).toHaveLength(RELATIONS.length);
    expect(check.relations.filter((one: { isValidated: boolean }) => !one.isValidated)).toEqual([]);

    const again = await tombstone('live-parent', 'add', 'orchard', 'Tree.orchard');
    expect(again).toMatchObject({ code: 2 });
    expect(again.err).toContain('There is nothing to write.');

    expect(await tombstone('migrate', 'down', '--steps', String(files().length))).toMatchObject({ code: 0 });
    expect(await states(client, VIOLATIONS)).toEqual(VIOLATIONS.map(() => undefined));
    const left = await client.query(
      `select attname as name from pg_attribute where attname = 'tombstone_live' and not attisdropped
       union all select proname from pg_proc where proname like '%tombstone%'
       union all select relname from pg_class where relname like '%tombstone%'`,
    );
    expect(left.rows).toEqual([]);
    expect(before.code).toBe(0);
  }, 300_000);

  it('is known to drift and doctor', async () => {
    // The ORM cannot compare tables whose names have quotes in them.
    const tables = ORCHARD.replace(/CREATE TABLE "old Files"[^;]*;/, '');
    expect(tables).not.toContain('Crate');
    const { tombstone } = await project(`orchardEntities.filter(({ name }) => name !== 'Crate')`, tables);
    for (const relation of ['Tree.orchard', 'Grower.mentor']) {
      await tombstone('live-parent', 'add', 'orchard', relation, ...options);
      expect(await tombstone('migrate', 'up')).toMatchObject({ code: 0 });
    }
    for (const command of [['migrate', 'drift'], ['doctor']]) {
      const { out, err } = await tombstone(...command);
      expect(err).toBe('');
      expect(out).toContain('trees_tenant_id_orchard_id_index'); // what the entities lack is found
      expect(out).not.toContain('tombstone_live');
    }
  }, 120_000);

  it('passes check-down', async () => {
    const { tombstone } = await project();
    for (const relation of ['Tree.orchard', 'Grower.mentor']) {
      const written = await tombstone('live-parent', 'add', 'orchard', relation, ...options);
      expect(written).toMatchObject({ code: 0, err: '' });
      await tombstone('migrate', 'up');
    }
    const { code, out } = await tombstone('migrate', 'check-down');
    expect(out).not.toContain('problem');
    expect(code).toBe(0);
  }, 120_000);

  it('adopts orphans: new writes are guarded, and the validation names those that are there', async () => {
    const { client, tombstone } = await project();
    await client.query(`${ROWS}; insert into trees (id, tenant_id, orchard_id) values (9, 1, 2)`);
    const refused = await tombstone('live-parent', 'add', 'orchard', 'Tree.orchard', ...options, '--json');
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.out)).toMatchObject({
      orphans: { rows: 1, constraint: 'trees_tenant_id_orchard_id_foreign' },
    });
    const adopted = await tombstone('live-parent', 'add', 'orchard', 'Tree.orchard', ...options, '--adopt');
    expect(adopted).toMatchObject({ code: 0, err: '' });
    expect(await tombstone('migrate', 'up')).toMatchObject({ code: 0 });
    expect(await stateOf(client, 'insert into trees (id, tenant_id, orchard_id) values (50, 1, 2)')).toBe(
      '23503',
    );
    expect(await stateOf(client, 'update trees set kind_id = null where id = 9')).toBeUndefined();

    const found = await tombstone('live-parent', 'check', '--json');
    expect(found.code).toBe(1);
    expect(JSON.parse(found.out).relations).toEqual([
      {
        constraint: 'trees_tenant_id_orchard_id_tombstone_live_fkey',
        table: 'public.trees',
        parent: 'public.orchards',
        isValidated: false,
        rows: 1,
        keys: [{ id: '9', tenant_id: '1', orchard_id: '2' }],
      },
    ]);
    const early = await tombstone('live-parent', 'validate', 'orchard', 'Tree.orchard');
    expect(early.code).toBe(2);
    expect(early.err).toContain('{"id":"9","tenant_id":"1","orchard_id":"2"}');

    // Written all the same, its file fails and names the constraint.
    await client.query('update trees set deleted_at = now() where id = 9');
    expect(await tombstone('live-parent', 'validate', 'orchard', 'Tree.orchard')).toMatchObject({ code: 0 });
    await client.query('begin');
    await client.query('alter table trees drop constraint trees_tenant_id_orchard_id_tombstone_live_fkey');
    await client.query('update trees set deleted_at = null where id = 9');
    await client.query(`alter table trees add constraint trees_tenant_id_orchard_id_tombstone_live_fkey
      foreign key (tenant_id, orchard_id, tombstone_live) references orchards (tenant_id, id, tombstone_live) deferrable not valid`);
    await client.query('commit');
    const failed = await tombstone('migrate', 'up', '--json');
    expect(failed.code).toBe(30);
    expect(failed.err).toContain('23503');
    await client.query('update trees set deleted_at = now() where id = 9');
    expect(await tombstone('migrate', 'up')).toMatchObject({ code: 0 });
    expect(await tombstone('live-parent', 'check')).toMatchObject({ code: 0 });
  }, 120_000);
});

describe('tombstone live-parent', () => {
  it.each([
    ['Tree.planter', 'Tree.planter declares keep'],
    ['trees_planter_id_foreign', 'Tree.planter declares keep'],
    ['Tree.kind', 'leads to public.kinds, whose rows are never marked as deleted'],
    ['Note.tree', 'belongs to public.notes, whose rows are not soft-deletable'],
    ['Harvest.tree', 'is partitioned'],
    ['Tree.leaf', '"Tree.leaf" is no relation with a foreign key'],
  ])('refuses %s', async (relation, sentence) => {
    const { tombstone, files } = await shared();
    const { code, err } = await tombstone('live-parent', 'add', 'orchard', relation);
    expect(err).toContain(sentence);
    expect(code).toBe(2);
    expect(files()).toEqual([]);
  });

  it('wants the files before it applied, and writes what the first one has left', async () => {
    const { tombstone, files, text } = await project();
    await tombstone('live-parent', 'add', 'orchard', 'Tree.orchard');
    const early = await tombstone('live-parent', 'add', 'orchard', 'crate');
    expect(early).toMatchObject({ code: 2 });
    expect(early.err).toContain('1 migrations are not applied here');
    await tombstone('migrate', 'up');
    await tombstone('live-parent', 'add', 'orchard', 'crate');
    expect(text(files()[0] ?? '').match(/ADD COLUMN/g)).toHaveLength(2);
    expect(text(files()[1] ?? '').match(/ADD COLUMN/g)).toHaveLength(1);
  });
});

let once: Promise<Project> | undefined;
const shared = (): Promise<Project> => (once ??= project());
