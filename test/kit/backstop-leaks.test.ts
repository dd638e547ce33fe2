import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import { checkBackstop, defineDataConfig } from 'tombstone';
import { gateway } from 'tombstone/gateway';
import { type LeakReport, runLeakSuite } from 'tombstone/testing';
import { backstopTables } from '../../src/kit/orm/index.ts';
import { cloneTestDatabase } from '../support/database.ts';
import { addBackstop, connect } from './fixtures/backstop.ts';
import { LIBRARY_EXCEPTIONS as except } from './fixtures/model-exceptions.ts';
import { type Library, openLibrary } from './fixtures/library.ts';

async function guard(url: string, metadata: object): Promise<void> {
  const client = await connect(url);
  await addBackstop(client, backstopTables(metadata as never));
  await client.end();
}

const verdicts = ({ leaks, broken, vacuous, unknown }: LeakReport) => ({ leaks, broken, vacuous, unknown });
const NONE = { leaks: [], broken: [], vacuous: [], unknown: [] };

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ backstop: true });
  await guard(library.url, library.orm.getMetadata());
});
afterAll(() => library.close());

it('the leak suite is green over the library with a backstop', async () => {
  await checkBackstop(library.em());
  const report = await runLeakSuite(library.orm, { except });
  expect(verdicts(report)).toEqual(NONE);
  expect(report.results.length).toBeGreaterThan(300);
});

it('and over the gateway', async () => {
  const { url } = await cloneTestDatabase();
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway], backstop: true }));
  await guard(url, orm.getMetadata());
  await checkBackstop(orm.em.fork());
  expect(verdicts(await runLeakSuite(orm))).toEqual(NONE);
  await orm.close();
});

it('the comparison of entities and database leaves it alone, where the configuration says so', async () => {
  const { url } = await cloneTestDatabase();
  const difference = async (backstop: boolean) => {
    const config = defineDataConfig({ clientUrl: url, modules: [gateway], backstop });
    const orm = await MikroORM.init(config);
    if (backstop) await guard(url, orm.getMetadata());
    const sql = await orm.schema.getUpdateSchemaSQL();
    await orm.close();
    return sql.replace(/^set .*$/gm, '').trim();
  };
  expect(await difference(true)).toBe('');
  expect(await difference(false)).toContain('drop trigger');
});

it('without backstop: true it comes to an end where skipSoftDelete first writes, so the database has its say', async () => {
  const plain = await openLibrary({ url: library.url });
  await expect(runLeakSuite(plain.orm, { except })).rejects.toMatchObject({ code: 'DATA.ROLLED_BACK' });
  await plain.close();
});
