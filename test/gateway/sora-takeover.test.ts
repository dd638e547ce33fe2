import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gateway as gatewayModule } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { AS_THE_ORIGINAL, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

/** The tables as the original has left them, with rows, before our own files. */
let gateway: Gateway;
let migrator: Migrator;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  migrator = new Migrator({ connection: url, modules: [gatewayModule] });
  await migrator.up({ to: '028_create_sora' });
  gateway = await openGateway({ url });
  for (const sql of AS_THE_ORIGINAL) await gateway.rows(sql);
  await gateway.rows(`insert into accounts (id, name, platform, type) values (1, 'a', 'sora', 'oauth')`);
  await gateway.rows(
    `insert into sora_tasks (task_id, account_id, model, prompt, status, progress, retry_count)
     select 'old ' || n, 1, 'm', 'p', case when n = 1 then 'processing' else 'completed' end, null, null from generate_series(1, 3) n`,
  );
});
afterAll(() => gateway.close());

const columnsOf = async (table: string): Promise<string[]> => {
  const sql =
    'select column_name as name from information_schema.columns where table_name = ? order by ordinal_position';
  return (await gateway.rows<{ name: string }>(sql, [table])).map((row) => row.name);
};
const fileOf = async () => (await gateway.rows(`select pg_relation_filenode('sora_tasks') as file`))[0];

describe('our files on the tables of the original', () => {
  it('write no row of them anew, and make every open task claimable', async () => {
    const [before, columns] = [await fileOf(), await columnsOf('sora_tasks')];
    await migrator.up();
    expect(await fileOf()).toEqual(before);
    expect((await columnsOf('sora_tasks')).slice(0, columns.length)).toEqual(columns);
    const { soraTasks } = soraOf(gateway);
    const young = await soraTasks.create({ taskId: 'new', accountId: '1', model: 'm', prompt: 'p' });
    expect(young.availableAt.getTime()).toBe(young.createdAt.getTime());
    expect((await soraTasks.findByTaskId('old 2'))?.availableAt).toEqual(new Date(0));
    const claimed = await soraTasks.claim({ worker: 'w', leaseMs: 1000, limit: 10 });
    expect(claimed.map((task) => task.taskId)).toEqual(['old 1', 'new']);
  });

  it('are taken back without a trace, and applied again', async () => {
    await migrator.down({ to: '028_create_sora' });
    expect(await columnsOf('sora_tasks')).not.toContain('claim_id');
    expect(await columnsOf('sora_slots')).toEqual([]);
    expect(await gateway.rows('select count(*)::int as n from sora_tasks')).toEqual([{ n: 4 }]);
    await migrator.up();
    expect(await columnsOf('sora_tasks')).toContain('claim_id');
  });
});
