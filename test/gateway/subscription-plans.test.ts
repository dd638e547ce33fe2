import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const ROWS = 100_000;
const BIG = ['users', 'user_subscriptions'];

/** Three of ten subscriptions are deleted, one of a hundred is active and over, and each user has several deleted ones of a group. */
const FILL = `
  insert into groups (name, subscription_type) select 'g' || n, 'subscription' from generate_series(1, 200) n;
  insert into users (email, password_hash) select 'user' || n, 'h' from generate_series(1, 20000) n;
  insert into user_subscriptions (user_id, group_id, starts_at, expires_at, status, deleted_at)
    select u.first + n % 20000, g.first + (n % 20000 + n / 20000 * 7) % 200, now(),
      now() + case when n % 100 = 3 or n % 5 = 2 then interval '-1 day' else interval '30 days' end,
      case when n % 5 = 2 then 'expired' else 'active' end,
      case when (n / 7) % 10 < 3 then now() end
    from generate_series(0, ${ROWS - 1}) n, (select min(id) as first from users) u, (select min(id) as first from groups) g;
  insert into user_subscriptions (user_id, group_id, starts_at, expires_at, deleted_at)
    select user_id, group_id, starts_at, expires_at, now()
    from user_subscriptions, generate_series(1, 10) n where user_id % 50 = 0;
  analyze`;

interface Found {
  readonly id: string;
  readonly user_id: string;
  readonly group_id: string;
}

let gateway: Gateway;
let found: Found;
beforeAll(async () => {
  // One connection, so that what it has prepared can be asked for its plan.
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
  await gateway.rows(FILL);
  const sql = `select s.id, s.user_id, s.group_id from user_subscriptions s
    where s.deleted_at is null and s.status = 'active' and s.expires_at > now() and s.user_id % 50 = 0 order by s.id limit 1`;
  [found = { id: '', user_id: '', group_id: '' }] = await gateway.rows<Found>(sql);
});
afterAll(() => gateway.close());

const subscriptions = () => subscriptionsOf(gateway);

/** The plans of the statement that the call has prepared: for its values, and for any. */
async function preparedPlans(call: () => Promise<unknown>, name: string, values: string): Promise<string[]> {
  await call();
  const plans: string[] = [];
  for (const mode of ['force_custom_plan', 'force_generic_plan']) {
    await gateway.rows(`set plan_cache_mode = ${mode}`);
    const rows = await gateway.rows<{ 'QUERY PLAN': string }>(`explain execute ${name}(${values})`);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  await gateway.rows('reset plan_cache_mode');
  return plans;
}

function expectIndexes(plan: string, indexes: readonly string[]): void {
  for (const index of indexes) expect(plan).toMatch(new RegExp(`using ${index}|on ${index}`));
  for (const table of BIG) expect(plan).not.toMatch(new RegExp(`Seq Scan on ${table}\\b`));
}

describe(`on ${ROWS} subscriptions, 30 % of them deleted`, () => {
  it.each<[string, () => Promise<unknown>, string, () => string, string[]]>([
    [
      '6.3: the active one of a pair',
      () => subscriptions().getActiveByUserIdAndGroupId(found.user_id, found.group_id),
      'gateway_active_subscription',
      () => `${found.user_id}, ${found.group_id}`,
      ['user_subscriptions_user_group_unique_active'],
    ],
    [
      'the one of a pair, of any status',
      () => subscriptions().getByUserIdAndGroupId(found.user_id, found.group_id),
      'gateway_subscription_group_of_user_and_group',
      () => `${found.user_id}, ${found.group_id}`,
      ['user_subscriptions_user_group_unique_active'],
    ],
    [
      'one by its id',
      () => subscriptions().getById(found.id),
      'gateway_subscription_all_by_id',
      () => found.id,
      ['user_subscriptions_pkey', 'users_pkey'],
    ],
    [
      '6.5: a charge',
      () => subscriptions().incrementUsage(found.id, '0'),
      'gateway_subscription_increment',
      () => `${found.id}, 0`,
      ['user_subscriptions_pkey'],
    ],
    [
      'a check of the windows',
      () => subscriptions().checkWindows(found.id),
      'gateway_subscription_windows_check',
      () => `${found.id}, null, 'UTC'`,
      ['user_subscriptions_pkey'],
    ],
    [
      'an extension',
      () => subscriptions().extendByDays(found.id, 1),
      'gateway_subscription_extend_by_days',
      () => `${found.id}, 1`,
      ['user_subscriptions_pkey'],
    ],
    [
      'those of a group, page by page',
      () => subscriptions().listByGroupId(found.group_id),
      'gateway_subscriptions_parents_of_group',
      () => `${found.group_id}, 20, 0`,
      ['idx_user_subscriptions_group_id', 'user_subscriptions_pkey', 'users_pkey'],
    ],
  ])('%s is prepared, and found by its indexes with any values', async (_, call, name, values, indexes) => {
    for (const plan of await preparedPlans(call, name, values())) expectIndexes(plan, indexes);
  });

  it.each<[string, () => Promise<unknown>, string, () => string]>([
    [
      'those of a user',
      () => subscriptions().listByUserId(found.user_id),
      'gateway_subscriptions_group_of_user',
      () => `${found.user_id}, 10001`,
    ],
    [
      'the active ones of a user',
      () => subscriptions().listActiveByUserId(found.user_id),
      'gateway_subscriptions_group_active_of_user',
      () => `${found.user_id}, 10001`,
    ],
  ])('%s are found by the user', async (_, call, name, values) => {
    for (const plan of await preparedPlans(call, name, values()))
      expect(plan).toMatch(/user_subscriptions_user_group_unique_active|idx_user_subscriptions_user_id/);
  });

  it('6.3 reads a handful of pages, and not the deleted ones of the pair', async () => {
    await subscriptions().getActiveByUserIdAndGroupId(found.user_id, found.group_id);
    const sql = `explain (analyze, buffers, format json) execute gateway_active_subscription(${found.user_id}, ${found.group_id})`;
    const [row] = await gateway.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(sql);
    const { Plan: plan } = row?.['QUERY PLAN'][0] ?? { Plan: {} };
    expect(plan['Actual Rows']).toBe(1);
    expect((plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)).toBeLessThan(15);
  });

  it.each<[string, string, string]>([
    ['the status job', 'gateway_subscriptions_expire', '1000'],
    ['the list of those that are over', 'gateway_subscriptions_none_overdue', '10001'],
  ])('%s reads those alone', async (_, name, values) => {
    // Inside a transaction that is undone, so that the job leaves what it looks for.
    const plans: string[] = [];
    const work = gateway.em().transactional(async (tx) => {
      const own = gatewayRepositories(tx).subscriptions;
      await own.listExpired();
      await own.batchUpdateExpiredStatus();
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await tx.execute(`set local plan_cache_mode = ${mode}`);
        const rows = await tx.execute<{ 'QUERY PLAN': string }[]>(`explain execute ${name}(${values})`);
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
      }
      throw new Error('undo');
    });
    await expect(work).rejects.toThrow('undo');
    for (const plan of plans) {
      expectIndexes(plan, ['idx_user_subscriptions_overdue']);
      // Planned without statistics, a join of the job's rows took twenty seconds for ten thousand.
      expect(plan).not.toMatch(/Join|Nested Loop/);
    }
  });

  it('the status job with nothing to do reads a page or two, and without its index all that are active or over', async () => {
    await subscriptions().batchUpdateExpiredStatus();
    await gateway.rows('vacuum analyze user_subscriptions');
    const blocks = async (): Promise<number> => {
      const sql = `explain (analyze, buffers, format json) execute gateway_subscriptions_expire(1000)`;
      const [row] = await gateway.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(sql);
      const { Plan: plan } = row?.['QUERY PLAN'][0] ?? { Plan: {} };
      expect(plan['Actual Rows']).toBe(0);
      return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    };
    const before = await blocks();
    await gateway.rows('drop index idx_user_subscriptions_overdue');
    const without = await blocks();
    expect(before).toBeLessThan(10);
    expect(without).toBeGreaterThan(100);
  });
});
