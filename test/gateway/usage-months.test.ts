import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  BillingUsageEntry,
  gatewayRepositories,
  type NewUsage,
  recordUsage as record,
  recordUsages,
  UsageLog,
} from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { divideUsageLogs, openUsageGateway } from '../support/usage-forms.ts';
import { NO_STRAYS, STRAYS, straysOf } from '../support/usage-invariants.ts';
import { cloneTestDatabase } from '../support/database.ts';

const usageLogs = 'monthly-partitions';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openUsageGateway(usageLogs, { pool: { min: 0, max: 16 } });
});
afterAll(async () => {
  expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  await gateway.close();
});

const recordUsage = (usage: NewUsage) => record(gateway.em(), usage, { usageLogs });

const entityOf = (payer: Payer, values: object = {}): UsageLog =>
  gateway.em().create(UsageLog, {
    user: payer.userId,
    apiKey: payer.apiKeyId,
    account: payer.accountId,
    model: 'claude',
    ...values,
  });

async function persist(log: UsageLog): Promise<UsageLog> {
  await gateway.em().persist(log).flush();
  return log;
}

describe('a request, where the logs are divided by month', () => {
  it('is the same one in another month, whoever repeats it and how', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const first = await recordUsage(usageOf(payer, { requestId: 'months' }));
    const before = new Date(Date.now() - 40 * 86_400_000);
    const usage = usageOf(payer, { requestId: 'months', createdAt: before });
    expect(await recordUsage(usage)).toMatchObject({ inserted: false, id: first.id });
    const [one] = await recordUsages(gateway.em(), [usage], { usageLogs });
    expect(one).toMatchObject({ inserted: false, id: first.id });
    const logs = gatewayRepositories(gateway.em(), { usageLogs }).usageLogs;
    expect(await logs.create(usage)).toMatchObject({ inserted: false, id: first.id });
    // One that ran backwards: what is claimed there is claimed here.
    const early = await recordUsage(usageOf(payer, { requestId: 'early', createdAt: before }));
    expect(early.createdAt).toEqual(before);
    expect(await recordUsage(usageOf(payer, { requestId: 'early' }))).toMatchObject({
      inserted: false,
      id: early.id,
      createdAt: before,
      charge: early.charge,
    });
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '2', entries: '2' });
  });

  it('is new again when its log is gone', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const first = await recordUsage(usageOf(payer, { requestId: 'gone' }));
    await gatewayRepositories(gateway.em(), { usageLogs }).usageLogs.delete(first.id);
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '0', entries: '0' });
    expect(await recordUsage(usageOf(payer, { requestId: 'gone' }))).toMatchObject({ inserted: true });
  });

  it('is stored once when an entity and recordUsage store it at the same time', async () => {
    const payer = await mustCreatePayer(gateway.em());
    for (let round = 0; round < 20; round += 1) {
      const requestId = `both-${round}`;
      const results = await Promise.allSettled([
        persist(entityOf(payer, { requestId })),
        ...Array.from({ length: 6 }, () => recordUsage(usageOf(payer, { requestId }))),
      ]);
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      for (const reason of refused)
        expect(reason).toMatchObject({ code: 'DATA.CONFLICT', constraint: 'usage_request_ids_pkey' });
      expect(refused.length).toBeLessThanOrEqual(1);
    }
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '20' });
  });
});

describe('the entity, where the logs are divided by month', () => {
  it('is stored, found, listed and removed as in one table', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const log = await persist(entityOf(payer, { requestId: 'entity', totalCost: '0.0000000003' }));
    const found = await gateway.em().findOneOrFail(UsageLog, log.id, { populate: ['user', 'apiKey'] });
    expect(found).toMatchObject({ totalCost: '0.0000000003', requestId: 'entity' });
    expect(found.user?.id).toBe(payer.userId);
    const em = gateway.em();
    em.create(BillingUsageEntry, {
      usageLog: log.id,
      user: payer.userId,
      apiKey: payer.apiKeyId,
      billingType: 0,
    });
    await em.flush();
    em.clear();
    await em.remove(await em.findOneOrFail(UsageLog, log.id)).flush();
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '0', entries: '0' });
  });

  it('is refused when its request is stored, and may have none as often as it likes', async () => {
    const payer = await mustCreatePayer(gateway.em());
    await persist(entityOf(payer, { requestId: 'once' }));
    await expect(persist(entityOf(payer, { requestId: 'once' }))).rejects.toMatchObject({
      code: 'DATA.CONFLICT',
      status: 409,
      constraint: 'usage_request_ids_pkey',
    });
    for (let n = 0; n < 3; n += 1) await persist(entityOf(payer));
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '4' });
  });

  it('never changes its request, its key and its time', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const { id } = await persist(entityOf(payer, { requestId: 'fixed' }));
    for (const change of [
      `request_id = 'other'`,
      'request_id = null',
      `created_at = created_at - interval '40 days'`,
      'id = -1',
    ]) {
      const update = gateway.rows(`update usage_logs set ${change} where id = ?`, [id]);
      await expect(update).rejects.toMatchObject({ constraint: 'usage_logs_identity' });
    }
    await gateway.rows('update usage_logs set duration_ms = 7, request_id = request_id where id = ?', [id]);
    await expect(gateway.rows('truncate usage_logs')).rejects.toMatchObject({
      constraint: 'usage_logs_no_truncate',
    });
  });

  it('takes its line of the ledger and its claim along, by whichever name it is deleted', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const { id } = await recordUsage(usageOf(payer, { requestId: 'direct' }));
    const [where] = await gateway.rows<{ name: string }>(
      'select tableoid::regclass::text as name from usage_logs where id = ?',
      [id],
    );
    expect(where?.name).toMatch(/^usage_logs_\d{6}$/);
    await gateway.rows(`delete from ${where?.name} where id = ?`, [id]);
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '0', entries: '0' });
  });

  it('must be there when the ledger is written', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const em = gateway.em();
    em.create(BillingUsageEntry, {
      usageLog: '999999999',
      user: payer.userId,
      apiKey: payer.apiKeyId,
      billingType: 0,
    });
    await expect(em.flush()).rejects.toMatchObject({ code: 'USAGE_LOG_NOT_FOUND' });
  });
});

describe('what a log names, where the logs are divided by month', () => {
  it.each([
    ['user', 'users', 'userId'],
    ['key', 'api_keys', 'apiKeyId'],
    ['account', 'accounts', 'accountId'],
  ] as const)('takes logs, ledger and claims along when a %s is destroyed', async (_, table, id) => {
    const payer = await mustCreatePayer(gateway.em());
    const before = new Date(Date.now() - 40 * 86_400_000);
    await recordUsage(usageOf(payer, { requestId: 'now' }));
    await recordUsage(usageOf(payer, { requestId: 'then', createdAt: before }));
    await recordUsage(usageOf(payer, { requestId: 'never', createdAt: new Date('2001-01-01') }));
    const other = await mustCreatePayer(gateway.em());
    await recordUsage(usageOf(other, { requestId: 'now' }));
    await gateway.rows(`delete from ${table} where id = ?`, [payer[id]]);
    expect(await gateway.rows('select from usage_logs where user_id = ?', [payer.userId])).toEqual([]);
    expect(await gateway.rows('select from billing_usage_entries where user_id = ?', [payer.userId])).toEqual(
      [],
    );
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
    expect(await sumsOf(gateway.em(), other)).toMatchObject({ logs: '1', entries: '1' });
  });

  it('leaves the log without its group and its subscription', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const { subscriptionId, groupId } = payer;
    const { id } = await recordUsage(usageOf(payer, { billingType: 1, subscriptionId }));
    await gateway.rows('delete from user_subscriptions where id = ?', [subscriptionId]);
    await gateway.rows('delete from groups where id = ?', [groupId]);
    expect(await gateway.rows('select group_id, subscription_id from usage_logs where id = ?', [id])).toEqual(
      [{ group_id: null, subscription_id: null }],
    );
  });
});

describe('the triggers of logs that are divided by month', () => {
  it('are what the rest of this file rests on: without them a request is stored twice, and its ledger stays', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const { id } = await recordUsage(usageOf(payer, { requestId: 'off' }));
    const work = gateway.em().transactional(async (em) => {
      await em.execute('alter table usage_logs disable trigger user');
      await em.execute(
        `insert into usage_logs (user_id, api_key_id, account_id, model, request_id)
         select user_id, api_key_id, account_id, model, request_id from usage_logs where id = ?`,
        [id],
      );
      expect((await em.execute<object[]>(STRAYS))[0]).toMatchObject({ doubled: '1', unclaimed: '1' });
      await em.execute('delete from usage_logs where user_id = ?', [payer.userId]);
      expect((await em.execute<object[]>(STRAYS))[0]).toMatchObject({ claims: '1', entries: '1' });
      throw new Error('taken back');
    });
    await expect(work).rejects.toThrow('taken back');
    expect(await straysOf(gateway)).toEqual(NO_STRAYS);
  });
});

describe('another form than the database has', () => {
  it('is refused with a sentence, and stores and charges nothing', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const wrong = { code: 'USAGE_LOGS_DIVIDED', message: /Set usageLogs to "monthly-partitions"\.$/ };
    const refusals = [
      record(gateway.em(), usageOf(payer)),
      recordUsages(gateway.em(), [usageOf(payer)], { usageLogs: 'one-table' }),
      gatewayRepositories(gateway.em()).usageLogs.create(usageOf(payer)),
    ];
    for (const refused of refusals)
      await expect(refused).rejects.toMatchObject({
        code: wrong.code,
        message: expect.stringMatching(wrong.message),
      });
    expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '0', balance: '100.0000000000' });
  });

  it('is refused on one table, until every log has its claim', async () => {
    const own = await openGateway();
    const payer = await mustCreatePayer(own.em());
    const refused = { code: 'USAGE_LOGS_NOT_DIVIDED', message: expect.stringContaining('one-table') };
    await expect(record(own.em(), usageOf(payer), { usageLogs })).rejects.toMatchObject(refused);
    const stored = await record(own.em(), usageOf(payer, { requestId: 'old' }));
    await divideUsageLogs(own.url, '001_claim_usage_requests');
    // As while the back-fill runs.
    await own.rows('delete from usage_request_ids');
    await expect(record(own.em(), usageOf(payer, { requestId: 'old' }), { usageLogs })).rejects.toMatchObject(
      refused,
    );
    expect(await sumsOf(own.em(), payer)).toMatchObject({ logs: '1', entries: '1' });
    await own.rows(
      'insert into usage_request_ids select api_key_id, request_id, id, created_at from usage_logs',
    );
    expect(await record(own.em(), usageOf(payer, { requestId: 'old' }), { usageLogs })).toMatchObject({
      inserted: false,
      id: stored.id,
    });
    // Both programs side by side, before the table is divided.
    await record(own.em(), usageOf(payer, { requestId: 'new' }), { usageLogs });
    expect(await record(own.em(), usageOf(payer, { requestId: 'new' }))).toMatchObject({ inserted: false });
    expect(await straysOf(own)).toEqual(NO_STRAYS);
    await own.close();
  });

  it('is refused when it is no form, before any SQL', async () => {
    const wrong = { usageLogs: 'toString' } as never;
    const refused = { code: 'VALIDATION', field: 'usageLogs' };
    expect(() => gatewayRepositories(gateway.em(), wrong)).toThrow(expect.objectContaining(refused));
    const payer = { userId: '1', apiKeyId: '1', accountId: '1', groupId: '1', subscriptionId: '1' };
    await expect(record(gateway.em(), usageOf(payer), wrong)).rejects.toMatchObject(refused);
  });
});

describe('rights, where the logs are divided by month', () => {
  it('go from the table to its successor, and let old programs claim', async () => {
    const { url } = await cloneTestDatabase();
    const own = await openGateway({ url });
    const payer = await mustCreatePayer(own.em());
    const role = `writer_${Date.now()}`;
    await own.rows(`create role ${role}`);
    await own.rows(`grant select, insert, delete on usage_logs to ${role}`);
    await own.rows(`grant usage on sequence usage_logs_id_seq to ${role}`);
    await divideUsageLogs(url);
    const insert = `insert into usage_logs (user_id, api_key_id, account_id, model, request_id)
      values (${payer.userId}, ${payer.apiKeyId}, ${payer.accountId}, 'm', 'theirs')`;
    await own.em().transactional(async (em) => {
      await em.execute(`set local role ${role}`);
      await em.execute(`set local search_path to public, pg_temp`);
      await em.execute(insert);
      await em.execute(`delete from usage_logs where request_id = 'theirs'`);
      await em.execute(insert);
    });
    expect(await straysOf(own)).toEqual(NO_STRAYS);
    // The functions remove what they are told, so nobody else may hang them on a table.
    const hang = own.em().transactional(async (em) => {
      await em.execute(`set local role ${role}`);
      await em.execute('create temp table trap (id bigint, api_key_id bigint, request_id text)');
      await em.execute(`create trigger trap after delete on trap referencing old table as gone
        for each statement execute function public.release_usage_logs()`);
    });
    await expect(hang).rejects.toMatchObject({ sqlState: '42501' });
    await own.rows(`drop owned by ${role}`);
    await own.rows(`drop role ${role}`);
    await own.close();
  });
});
