import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type Ended, ROOT, run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';

const LAST = `gateway/${readdirSync(join(ROOT, 'migrations/gateway')).toSorted().at(-1)}`;
const CLI = join(ROOT, 'node_modules/@mikro-orm/cli/cli.js');

let url: string;
beforeAll(async () => {
  url = (await emptyTestDatabase()).url;
});

const mikroOrm = (...args: string[]): Promise<Ended> => run([CLI, ...args], { DATABASE_URL: url });
const pending = async (): Promise<string> => (await mikroOrm('migration:pending')).out;

async function query(sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows as unknown[];
}

const TABLES = `select table_name from information_schema.tables where table_schema = 'public' order by 1`;

describe('mikro-orm migration:*, on the files and the configuration of this repository', () => {
  it('lists what is pending, applies it, and lists what is applied', async () => {
    expect(await pending()).toContain('gateway/001_create_users.sql');
    expect((await mikroOrm('migration:check')).code).toBe(1);
    expect((await mikroOrm('migration:up', '--to', 'gateway/003_create_api_keys.sql')).code).toBe(0);
    expect(await query('select from schema_migrations')).toHaveLength(3);
    const up = await mikroOrm('migration:up');
    expect(up).toMatchObject({ code: 0, err: '' });
    expect(up.out).toContain('Successfully migrated up to the latest version');
    expect(await pending()).toContain('No pending migrations');
    expect((await mikroOrm('migration:list')).out).toMatch(new RegExp(`${LAST} .* \\d{4}-`));
  });

  it('finds no difference between entities and database, and would find one', async () => {
    const check = await mikroOrm('migration:check');
    expect(check).toMatchObject({ code: 0, err: '' });
    expect(check.out).toContain('No changes required');
    expect((await mikroOrm('migration:create')).out).toContain('No changes required');
    await query('alter table users alter column notes drop not null');
    expect((await mikroOrm('migration:check')).code).toBe(1);
    await query('alter table users alter column notes set not null');
  });

  it('reverts the last file, and all of them', async () => {
    expect((await mikroOrm('migration:down')).code).toBe(0);
    expect(await pending()).toContain(LAST);
    expect((await mikroOrm('migration:down', '--to', '0')).code).toBe(0);
    // Only what the engine keeps for itself is left, and of a back-fill that was reverted not even its counters.
    expect(await query(TABLES)).toEqual([
      { table_name: 'schema_migration_backfills' },
      { table_name: 'schema_migration_tokens' },
      { table_name: 'schema_migrations' },
      { table_name: 'schema_migrations_journal' },
    ]);
    expect(await query('select from schema_migration_backfills')).toEqual([]);
    expect((await mikroOrm('migration:up')).code).toBe(0);
  });

  it('takes a file out of the ledger, and records one without running it', async () => {
    expect((await mikroOrm('migration:unlog', '--name', LAST)).code).toBe(0);
    expect(await pending()).toContain(LAST);
    expect((await mikroOrm('migration:log', '--name', LAST)).code).toBe(0);
    expect(await pending()).toContain('No pending migrations');
  });

  it('says in a sentence why it stops, and shows no password', async () => {
    const ended = await run([CLI, 'migration:up'], { DATABASE_URL: 'postgresql://ada:s3cret@127.0.0.1:1/x' });
    expect(ended.code).toBe(1);
    expect(ended.err).toContain('cannot be reached');
    expect(ended.err + ended.out).not.toContain('s3cret');
    const rollup = await mikroOrm('migration:rollup');
    expect(rollup.code).toBe(1);
    expect(rollup.err).toContain('rollup is not supported');
  });
});

describe('mikro-orm migration:create', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tombstone-create-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('writes the difference as the next SQL file of the module, with Up and Down', async () => {
    mkdirSync(join(folder, 'shop'));
    // Without a transaction, so that the engine's journal is among the tables that no entity maps.
    const earlier = '-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\nselect nothing;\n';
    writeFileSync(join(folder, 'shop/004_earlier.sql'), earlier);
    const { url: empty } = await emptyTestDatabase();
    writeFileSync(
      join(folder, 'mikro-orm.config.ts'),
      `import { defineEntity, p } from '${ROOT}/node_modules/@mikro-orm/core/index.js';
       import { bigintId, defineDataConfig, defineModule } from '${ROOT}/src/index.ts';
       const ItemSchema = defineEntity({ name: 'Item', tableName: 'items', properties: { id: bigintId(), name: p.string().length(50) } });
       class Item extends ItemSchema.class {}
       ItemSchema.setClass(Item);
       const shop = defineModule({ name: 'shop', migrations: '${folder}/shop', entities: [Item] });
       export default defineDataConfig({ clientUrl: process.env['DATABASE_URL'] ?? '', modules: [shop] });`,
    );
    writeFileSync(join(folder, 'mikro-orm.config.mjs'), `export { default } from './mikro-orm.config.ts';`);
    const config = ['--config', join(folder, 'mikro-orm.config.mjs')];
    const inFolder = (...args: string[]): Promise<Ended> =>
      run([CLI, ...args, ...config], { DATABASE_URL: empty });
    const created = await inFolder('migration:create', '--name', 'Add the items');
    expect(created).toMatchObject({ code: 0, err: '' });
    const text = readFileSync(join(folder, 'shop/005_add_the_items.sql'), 'utf8');
    expect(text).toMatch(
      /^-- \+goose Up\ncreate table "items" .*;\n\n-- \+goose Down\ndrop table if exists "items" cascade;\n$/,
    );
    expect((await inFolder('migration:up')).code).toBe(1);
    expect((await inFolder('migration:pending')).out).toContain('shop/004_earlier.sql');
    writeFileSync(join(folder, 'shop/004_earlier.sql'), earlier.replace('nothing', '2'));
    expect((await inFolder('migration:up')).code).toBe(0);
    expect((await inFolder('migration:check')).code).toBe(0);
    expect((await inFolder('migration:down')).code).toBe(0);
    expect((await inFolder('migration:create', '--blank', '--name', 'by hand')).code).toBe(0);
    expect(readFileSync(join(folder, 'shop/006_by_hand.sql'), 'utf8')).toContain('-- +goose Up');
  });
});
