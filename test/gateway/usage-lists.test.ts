import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, type UsageLogRecord } from 'tombstone/gateway';
import { insertLogs, mustCreateUsageWorld, type UsageWorld } from '../support/gateway-usage-logs.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const DAY = '2026-03-0';
let gateway: Gateway;
let ada: UsageWorld;
let bob: UsageWorld;
let ids: string[];
beforeAll(async () => {
  gateway = await openGateway();
  const em = gateway.em();
  ada = await mustCreateUsageWorld(em);
  bob = await mustCreateUsageWorld(em);
  ids = await insertLogs(em, ada, [
    { created_at: `${DAY}1T00:00:00Z`, stream: true, billing_type: 1, total_cost: '0.1234567891' },
    { created_at: `${DAY}2T00:00:00.123456Z`, model: 'gpt', image_count: null },
    { created_at: `${DAY}3T00:00:00Z`, group_id: null, subscription_id: null },
    { created_at: `${DAY}1T12:00:00Z`, account_id: bob.account_id },
  ]);
  const repositories = gatewayRepositories(em);
  ids.push(...(await insertLogs(em, bob, [{ created_at: `${DAY}2T00:00:00Z` }])));
  await repositories.users.delete(bob.user_id);
  await repositories.apiKeys.delete(bob.api_key_id);
  await repositories.groups.delete(bob.group_id);
  for (const table of ['accounts', 'user_subscriptions'])
    await gateway.rows(
      `update ${table} set deleted_at = now() where id = ? /* soft-delete: all rows, because of the id */`,
      [table === 'accounts' ? bob.account_id : bob.subscription_id],
    );
});
afterAll(() => gateway.close());

const logs = (): GatewayRepositories['usageLogs'] => gatewayRepositories(gateway.em()).usageLogs;
const numbers = (items: readonly UsageLogRecord[]): number[] => items.map((log) => ids.indexOf(log.id));
const at = (text: string): Date => new Date(`${DAY}${text}`);

describe('a usage log', () => {
  it('has exact amounts, and ids of whatever is deleted', async () => {
    const log = await logs().getById(ids[0] ?? '');
    expect(log).toMatchObject({
      userId: ada.user_id,
      apiKeyId: ada.api_key_id,
      accountId: ada.account_id,
      groupId: ada.group_id,
      subscriptionId: ada.subscription_id,
      totalCost: '0.1234567891',
      rateMultiplier: '1.0000',
      accountRateMultiplier: null,
      requestId: null,
      billingType: 1,
      stream: true,
      createdAt: at('1T00:00:00Z'),
    });
    expect(await logs().getById(ids[4] ?? '')).toMatchObject({
      userId: bob.user_id,
      groupId: bob.group_id,
    });
  });

  it('F40: has 0 images where an older program left NULL', async () => {
    const [stored] = await gateway.rows('select image_count from usage_logs where id = ?', [ids[1]]);
    expect(stored).toEqual({ image_count: null });
    expect((await logs().getById(ids[1] ?? '')).imageCount).toBe(0);
  });

  it('is USAGE_LOG_NOT_FOUND where there is none', async () => {
    await expect(logs().getById('999')).rejects.toMatchObject({ code: 'USAGE_LOG_NOT_FOUND', status: 404 });
    expect(await logs().findById('999')).toBeNull();
  });

  it('is read in the transaction of the caller, on a pool of one connection', async () => {
    const own = await openGateway({ pool: { min: 1, max: 1 } });
    await own
      .em()
      .transactional(async (em) => {
        const world = await mustCreateUsageWorld(em);
        const [id = ''] = await insertLogs(em, world, [{}]);
        const repository = gatewayRepositories(em).usageLogs;
        expect((await repository.getById(id)).userId).toBe(world.user_id);
        expect((await repository.listByUser(world.user_id)).total).toBe(1);
        const range = { start: new Date(0), end: new Date(Date.now() + 60_000) };
        expect(await repository.listByUserAndTimeRange(world.user_id, range)).toHaveLength(1);
        expect((await repository.listWithFilters({}, {})).items[0]?.user).not.toBeNull();
        expect((await repository.listSlice({}, {})).items).toHaveLength(1);
        throw new Error('rolled back');
      })
      .catch((error: Error) => expect(error.message).toBe('rolled back'));
    expect(await own.rows('select id from usage_logs')).toEqual([]);
    await own.close();
  });
});

describe('lists of usage logs', () => {
  it('are newest first by id, of a user, a key or an account', async () => {
    expect(numbers((await logs().listByUser(ada.user_id)).items)).toEqual([3, 2, 1, 0]);
    expect(numbers((await logs().listByApiKey(ada.api_key_id)).items)).toEqual([3, 2, 1, 0]);
    expect(numbers((await logs().listByAccount(bob.account_id)).items)).toEqual([4, 3]);
  });

  it('F31: page by the clamped size, where the original gave page 1 again', async () => {
    const original = `select id from usage_logs where user_id = ? order by id desc limit 20 offset (2 - 1) * 0`;
    expect(await gateway.rows(original, [ada.user_id])).toHaveLength(4);
    expect(await logs().listByUser(ada.user_id, { page: 2, pageSize: 0 })).toMatchObject({
      items: [],
      pageSize: 20,
      total: 4,
    });
    const second = await logs().listByUser(ada.user_id, { page: 2, pageSize: 3 });
    expect(numbers(second.items)).toEqual([0]);
    expect(second.pages).toBe(2);
    expect(await logs().listByUser('999')).toMatchObject({ items: [], total: 0, pages: 0 });
  });

  it('F36: of a time range end before its end, and lists with filters at their end', async () => {
    const range = { start: at('1T00:00:00Z'), end: at('2T00:00:00.123Z') };
    expect(numbers(await logs().listByUserAndTimeRange(ada.user_id, range))).toEqual([3, 0]);
    expect(numbers(await logs().listByApiKeyAndTimeRange(ada.api_key_id, range))).toEqual([3, 0]);
    expect(numbers(await logs().listByAccountAndTimeRange(bob.account_id, range))).toEqual([4, 3]);
    expect(numbers(await logs().listByModelAndTimeRange('claude', range))).toEqual([4, 3, 0]);
    const until = async (endTime: Date): Promise<number[]> =>
      numbers((await logs().listWithFilters({}, { userId: ada.user_id, endTime })).items);
    expect(await until(at('3T00:00:00Z'))).toEqual([3, 2, 1, 0]);
    expect(await until(at('2T00:00:00.122Z'))).toEqual([3, 0]);
    // The log's own instant, from which a Date has cut .456 of a millisecond.
    expect(await until((await logs().getById(ids[1] ?? '')).createdAt)).toEqual([3, 1, 0]);
  });

  it('filter by whatever is given', async () => {
    const found = async (filters: Parameters<typeof listed>[0]) => numbers(await listed(filters));
    expect(await found({ accountId: bob.account_id })).toEqual([4, 3]);
    expect(await found({ userId: ada.user_id, accountId: bob.account_id })).toEqual([3]);
    expect(await found({ groupId: ada.group_id })).toEqual([3, 1, 0]);
    expect(await found({ model: 'gpt' })).toEqual([1]);
    expect(await found({ stream: true })).toEqual([0]);
    expect(await found({ billingType: 1, startTime: at('1T00:00:00Z') })).toEqual([0]);
    expect(await found({ userId: '0', model: '', stream: null, endTime: null as never })).toHaveLength(5);
  });

  it('give null for what is deleted, keep its id, and show no secret', async () => {
    const [log] = await listed({ userId: bob.user_id });
    const nothing = { user: null, apiKey: null, account: null, group: null, subscription: null };
    expect(log).toMatchObject({ ...nothing, userId: bob.user_id, subscriptionId: bob.subscription_id });
    const live = await listed({ userId: ada.user_id });
    expect(live[3]).toMatchObject({
      user: { id: ada.user_id, status: 'active' },
      apiKey: { id: ada.api_key_id },
      account: { id: ada.account_id, platform: 'anthropic' },
      group: { id: ada.group_id, rateMultiplier: '1.0000' },
      subscription: { id: ada.subscription_id, status: 'active' },
    });
    gateway.statements();
    await listed({});
    expect(gateway.statements().join()).not.toMatch(/password_hash|credentials|"key"/);
  });

  it('F29: hydrate in seven statements, whatever the size of the page', async () => {
    for (const pageSize of [2, 100]) {
      gateway.statements();
      await logs().listWithFilters({ pageSize }, {});
      expect(gateway.statements()).toHaveLength(7);
    }
  });

  it('F32: go on from an id, with the same logs as the pages, and without counting', async () => {
    const filters = { startTime: at('1T00:00:00Z') };
    const all: UsageLogRecord[] = [];
    let before: string | null = null;
    do {
      const slice = await logs().listSlice({ before, limit: 2 }, filters);
      all.push(...slice.items);
      before = slice.next;
    } while (before);
    expect(numbers(all)).toEqual([4, 3, 2, 1, 0]);
    gateway.statements();
    await logs().listSlice({ limit: 2 }, filters);
    expect(gateway.statements()).toHaveLength(6);
  });

  it('F32: of a range refuse more than 10,000 logs, which the original gave', async () => {
    const own = await openGateway();
    const world = await mustCreateUsageWorld(own.em());
    const columns = 'user_id, api_key_id, account_id, model, created_at';
    await own.rows(
      `insert into usage_logs (${columns}) select ?, ?, ?, 'claude', '2026-03-01' from generate_series(1, 10001)`,
      [world.user_id, world.api_key_id, world.account_id],
    );
    const original = 'select id from usage_logs where user_id = ? order by id desc';
    expect(await own.rows(original, [world.user_id])).toHaveLength(10_001);
    const range = { start: at('1T00:00:00Z'), end: at('2T00:00:00Z') };
    const list = () => gatewayRepositories(own.em()).usageLogs.listByUserAndTimeRange(world.user_id, range);
    await expect(list()).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
    await own.rows('delete from usage_logs where id = (select min(id) from usage_logs)');
    expect(await list()).toHaveLength(10_000);
    await own.close();
  });

  it('refuse bad input before any statement', async () => {
    gateway.statements();
    const start = new Date(0);
    const calls = [
      logs().listByUser('x'),
      logs().listByUserAndTimeRange('1', { start, end: new Date(Number.NaN) }),
      logs().listByUserAndTimeRange('1', { start: '2026-01-01' as never, end: start }),
      logs().listByModelAndTimeRange('a\0', { start, end: start }),
      logs().listWithFilters({}, { userId: '1.5' }),
      logs().listWithFilters({}, { stream: 'yes' as never }),
      logs().listWithFilters({}, { billingType: 2 }),
      logs().listWithFilters({}, null as never),
      logs().listSlice({ before: 'x' }, {}),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });
});

async function listed(filters: Parameters<GatewayRepositories['usageLogs']['listWithFilters']>[1]) {
  return (await logs().listWithFilters({ pageSize: 100 }, filters)).items;
}
