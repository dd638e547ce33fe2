import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway } from 'tombstone/gateway';
import { type AdoptProgress, adoptDatabase, differenceOf, Migrator, readSchema } from 'tombstone/migrations';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { createOriginal, LEGACY, LEGACY_LOST } from '../support/original-gateway.ts';
import { snapshotRows } from '../support/original/snapshot.ts';

const KILL = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
const modules = [gateway];
const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) await client.end();
});

describe('a database that GORM has made, too large to be rewritten under a lock', () => {
  it.each([
    ['with its uniques', LEGACY],
    ['without some of them', LEGACY_LOST],
  ])('is taken over %s', async (_, shape) => {
    const { url } = await emptyTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    clients.push(client);
    await createOriginal(client, shape, { users: 11_000, logs: 11_000 });
    const rows = await snapshotRows(client);
    const nodeOf = async (): Promise<unknown> =>
      (
        await client.query(
          `select pg_relation_filenode('usage_logs') as logs, pg_relation_filenode('users') as users`,
        )
      ).rows;
    const before = await nodeOf();
    const { plan: first } = await adoptDatabase({ connection: url, modules });
    const online = /^Change the type of public.usage_logs.model .*while the table is in use/;
    expect(first.steps.filter(({ text }) => online.test(text))).toHaveLength(1);
    // Killed while it copies or behind that, somewhere on its way.
    let killed: Promise<unknown> | undefined;
    const onProgress = ({ type }: AdoptProgress): void => {
      if (type === 'adoption-rows') killed ??= client.query(KILL);
    };
    await expect(adoptDatabase({ connection: url, modules, apply: true, onProgress })).rejects.toThrow();
    await killed;
    const { plan } = await adoptDatabase({ connection: url, modules, apply: true });
    expect(plan.blockers).toEqual([]);
    await new Migrator({ connection: url, modules }).up();
    const fresh = await readSchema((await cloneTestDatabase()).url);
    const lacks = differenceOf(fresh, await readSchema(url)).filter(({ expected }) => expected !== undefined);
    const accepted = plan.kept.some(({ name }) => name === 'public.idx_usage_logs_group_id');
    expect(lacks.map(({ name }) => name)).toEqual(accepted ? ['public.idx_usage_logs_group_id'] : []);
    expect(await snapshotRows(client, rows)).toEqual(rows);
    expect(await nodeOf()).toEqual(before);
    const { rows: left } = await client.query(
      `select relname from pg_class where relname ~ 'tombstone_adopt' union all select attname from pg_attribute where attname ~ 'tombstone_adopt'`,
    );
    expect(left).toEqual([]);
  });
});
