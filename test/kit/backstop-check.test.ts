import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { checkBackstop, defineDataConfig, defineModule } from 'tombstone';
import { backstopMigration, type BackstopTable } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { ARCHIVE, archiveEntities } from '../cli/fixtures/archive.ts';
import { tablesOfModule } from '../../src/kit/config/index.ts';
import { addBackstop, connect } from './fixtures/backstop.ts';

const archive = defineModule({ name: 'archive', migrations: '/nowhere', entities: archiveEntities });

let client: Client;
let orm: MikroORM;
let tables: BackstopTable[];
const log: string[] = [];
/** What the check says, for an entity manager whose own schema is `schema`. */
const said = (schema?: string) =>
  checkBackstop(orm.em.fork({ schema }) as never).then(
    () => 'content',
    (error: Error) => error.message,
  );

beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  client = await connect(url);
  await client.query(`${ARCHIVE} create table north.tenant_file (id bigserial primary key, deleted_at timestamptz);
    create table north.folder (like folder); create table north.sheet (like sheet)`);
  const config = defineDataConfig({
    clientUrl: url,
    modules: [archive],
    debug: ['query'],
    logger: (line: string) => log.push(line),
  });
  tables = (await tablesOfModule(config, 'archive')) ?? [];
  orm = (await MikroORM.init(config)) as never;
});
afterAll(async () => {
  await orm.close();
  await client.end();
});

describe('the check of the catalogue', () => {
  it('names every table that has no backstop, in one query', async () => {
    await orm.em.fork().execute('select 1');
    log.length = 0;
    const message = await said();
    expect(message).toContain(
      'no backstop for *.tenant_file, folder, north.box, old Files.Paper "A4", sheet, south.box,',
    );
    expect(message).toContain('tombstone backstop');
    expect(log).toHaveLength(1);
    await expect(checkBackstop(orm.em.fork() as never)).rejects.toMatchObject({
      name: 'SoftDeleteError',
      code: 'SOFT_DELETE.NO_BACKSTOP',
    });
  });

  it('is content when every table has its two triggers, where the entity manager finds it', async () => {
    await addBackstop(
      client,
      tables.filter(({ schema }) => schema !== '*'),
    );
    expect(await said()).toContain('no backstop for *.tenant_file, or');
    const inNorth = tables.map((table) => ({
      ...table,
      schema: table.schema?.replace('*', 'north') ?? 'north',
    }));
    await addBackstop(
      client,
      inNorth.filter(({ table }) => ['tenant_file', 'folder', 'sheet'].includes(table)),
    );
    expect(await said('north')).toBe('content');
    expect(await said('south')).toContain('no backstop for *.tenant_file, folder, sheet, or');
  });

  it('names a table whose trigger is missing or disabled', async () => {
    const update =
      backstopMigration([{ table: 'box', schema: 'south', deletedAt: 'deleted_at' }]).up.at(-1) ?? '';
    await client.query(`drop trigger tombstone_backstop_update on south.box;
      alter table north.sheet disable trigger tombstone_backstop_delete`);
    expect(await said('north')).toContain('no backstop for sheet, south.box, or');
    await client.query('alter table north.sheet enable always trigger tombstone_backstop_delete');
    await client.query(update);
    expect(await said('north')).toBe('content');
  });
});

it('finds the tables where the configuration puts entities without a schema of their own', async () => {
  const config = defineDataConfig({ clientUrl: '', modules: [archive], schema: 'north' });
  const found = (await tablesOfModule(config, 'archive')) ?? [];
  expect(found.map(({ schema, table }) => `${schema}.${table}`)).toEqual(
    expect.arrayContaining(['*.tenant_file', 'north.folder', 'north.sheet', 'south.box']),
  );
});

it('tells nothing of a module that the configuration does not have', async () => {
  expect(
    await tablesOfModule(defineDataConfig({ clientUrl: '', modules: [archive] }), 'other'),
  ).toBeUndefined();
});
