import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway, gatewayRepairs, gatewayUsagePartitions } from 'tombstone/gateway';
import { onlineFiles } from '../../src/gateway/adoption/online-files.ts';
import { type Adopted, adoptDatabase, differenceOf, Migrator, readSchema } from 'tombstone/migrations';
import { refusal } from '../migrations/fixtures/shop.ts';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { COMPLETE, createOriginal, type OriginalShape, PHASE_ONE } from '../support/original-gateway.ts';
import { snapshotRows } from '../support/original/snapshot.ts';

const open: Client[] = [];
afterAll(() => Promise.all(open.map((client) => client.end())));

async function connected(url: string): Promise<{ url: string; client: Client }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  open.push(client);
  return { url, client };
}

async function original(shape?: OriginalShape): Promise<{ url: string; client: Client }> {
  const made = await connected((await emptyTestDatabase()).url);
  if (shape) await createOriginal(made.client, shape, { users: 60, logs: 120 });
  return made;
}

const adopt = (url: string, apply = true): Promise<Adopted> =>
  adoptDatabase({ connection: url, modules: [gateway], apply });

describe('the array that goes while it is in use', () => {
  it('brings back no group that a program takes away at this moment', async () => {
    const { url, client } = await original(PHASE_ONE);
    const { client: program } = await connected(url);
    const { client: watch } = await connected(url);
    const [way] = onlineFiles;
    await client.query(
      `update users set allowed_groups = '{1}' where id = 3; delete from user_allowed_groups where user_id = 3`,
    );
    await program.query(`begin; update users set allowed_groups = '{}' where id = 3`);
    const seen = { isDone: false };
    const window = client.query(way?.statement ?? '', [1, 60]).then(() => (seen.isDone = true));
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    for (let waiting = 0; waiting === 0 && !seen.isDone;) waiting = (await watch.query(waits)).rowCount ?? 0;
    await program.query('commit');
    await window;
    expect((await client.query('select from user_allowed_groups where user_id = 3')).rowCount).toBe(0);
  });
});

describe('an adoption by the gateway', () => {
  it('of an empty database ends where a fresh one ends', async () => {
    const { url } = await original();
    expect((await adopt(url)).plan.state).toBe('empty');
    const fresh = await cloneTestDatabase();
    expect(differenceOf(await readSchema(fresh.url), await readSchema(url))).toEqual([]);
  });

  it('makes a table anew that somebody has dropped, though its rows came from a column that is gone', async () => {
    const { url, client } = await original(COMPLETE);
    await client.query('drop table user_allowed_groups, orphan_allowed_groups_audit');
    await adopt(url);
    expect((await client.query('select from user_allowed_groups')).rowCount).toBe(0);
  });

  it('is stopped beforehand by a right of which nobody can say whether it was taken away', async () => {
    const { url, client } = await original(PHASE_ONE);
    await client.query('update users set allowed_groups = null where id = 3');
    await client.query('insert into user_allowed_groups values (3, 1) on conflict do nothing');
    const before = await snapshotRows(client);
    const schema = await readSchema(url);
    const error = await refusal(adopt(url));
    expect(error.message).toContain('Groups are allowed in the table and not in the array');
    expect(await snapshotRows(client)).toEqual(before);
    expect(differenceOf(schema, await readSchema(url))).toEqual([]);
  });

  it('leaves contract steps of further modules too, and knows that none of their files was run', async () => {
    for (const [module, file] of [
      [gatewayRepairs, 'gateway_repairs/003_drop_users_wechat.sql'],
      [gatewayUsagePartitions, 'gateway_usage_partitions/005_partition_usage_logs.sql'],
    ] as const) {
      const { url, client } = await original(COMPLETE);
      const logs = `select to_jsonb(l) - 'request_id' as log from usage_logs l order by id`;
      const before = (await client.query(logs)).rows;
      const modules = [gateway, module];
      const { plan } = await adoptDatabase({ connection: url, modules, apply: true });
      expect(plan.waiting).toEqual([file]);
      expect((await client.query('select wechat from users')).rowCount).toBe(60);
      const { steps } = await new Migrator({ connection: url, modules }).up();
      expect(steps.map(({ name }) => name)).toEqual([file]);
      expect((await client.query(logs)).rows).toEqual(before);
    }
  });

  it('tells of the first administrator by the ledger too, where the default group was renamed', async () => {
    const { url, client } = await original(COMPLETE);
    await client.query(`update groups set name = 'renamed' where name = 'default';
      update users set role = 'admin', status = 'active', deleted_at = null,
        created_at = (select applied_at from schema_migrations where filename = '001_init.sql') where id = 1`);
    const { plan } = await adopt(url, false);
    expect(plan.warnings.join()).toContain('An active administrator was stored by the first script');
  });
});
