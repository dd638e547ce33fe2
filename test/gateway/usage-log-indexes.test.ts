import { MikroORM } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineDataConfig } from 'tombstone';
import { gateway as gatewayModule, recordUsage } from 'tombstone/gateway';
import { mustCreatePayer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

/** Those of the original that a fresh database does without: prefixes of others, or never used. */
const ONLY_ORIGINAL = [
  'user_id',
  'api_key_id',
  'account_id',
  'model',
  'subscription_id',
  'billing_type',
  'ip_address',
];

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const names = async (): Promise<string[]> => {
  const sql = `select indexname as name from pg_indexes where tablename = 'usage_logs' and indexname <> 'usage_logs_pkey'`;
  return (await gateway.rows<{ name: string }>(sql))
    .map((row) => row.name.replace('idx_usage_logs_', ''))
    .toSorted();
};

const INSERT = `insert into usage_logs (user_id, api_key_id, account_id, model)
  select ?, ?, ?, 'm' from generate_series(1, 500)`;

/** Of the statement alone: the log is that of the server, into which other databases write, too. */
async function walRecordsOf(sql: string, values: unknown[]): Promise<number> {
  const [row] = await gateway.rows<{ 'QUERY PLAN': [{ Plan: { 'WAL Records': number } }] }>(
    `explain (analyze, wal, format json) ${sql}`,
    values,
  );
  return row?.['QUERY PLAN'][0].Plan['WAL Records'] ?? 0;
}

describe('F38: the indexes of usage logs', () => {
  it('are eight on a fresh database, each with a use of its own', async () => {
    expect(await names()).toEqual(
      [
        'request_id_api_key_unique',
        'created_at',
        'user_created',
        'api_key_created_at',
        'account_created_at',
        'model_created_at',
        'sub_created',
        'group_id',
      ].toSorted(),
    );
    const [group] = await gateway.rows<{ def: string }>(
      `select pg_get_indexdef('idx_usage_logs_group_id'::regclass) as def`,
    );
    expect(group?.def).toMatch(/\(group_id, created_at\) WHERE \(group_id IS NOT NULL\)/);
  });

  it('of the original are accepted beside them, and what they cost an insert is what we spare', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const values = [payer.userId, payer.apiKeyId, payer.accountId];
    await gateway.rows(INSERT, values);
    const ours = await walRecordsOf(INSERT, values);
    for (const column of ONLY_ORIGINAL)
      await gateway.rows(`create index idx_usage_logs_${column} on usage_logs (${column})`);
    expect(await names()).toHaveLength(15);
    expect(await walRecordsOf(INSERT, values)).toBeGreaterThan(ours * 1.3);

    const orm = await MikroORM.init(defineDataConfig({ clientUrl: gateway.url, modules: [gatewayModule] }));
    const differences = (await orm.schema.getUpdateSchemaSQL()).split(/;\s*/).filter(Boolean);
    await orm.close();
    // The comparison names them as additions, and finds nothing missing.
    expect(differences.filter((line) => !line.startsWith('set ')).toSorted()).toEqual(
      ONLY_ORIGINAL.map((column) => `drop index "idx_usage_logs_${column}"`).toSorted(),
    );
    await recordUsage(gateway.em(), usageOf(payer));
    expect((await sumsOf(gateway.em(), payer)).charged).toBe('0.0123456789');
  });
});
