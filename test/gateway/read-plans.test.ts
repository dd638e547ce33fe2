import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

const ROWS = 100_000;
const BIG = ['users', 'api_keys', 'user_allowed_groups', 'user_subscriptions'];

/** Three of ten rows are deleted, by a number that has nothing to do with what the rows refer to. */
const DEAD = (n: string): string => `case when (${n} / 7) % 10 < 3 then now() end`;

/** User 1 has 5,000 keys beside its own, and one user of a hundred is disabled. */
const FILL = `
  insert into groups (name, deleted_at) select 'g' || n, ${DEAD('n')} from generate_series(1, 2000) n;
  insert into users (email, password_hash, status, username, deleted_at)
    select 'user' || n || '@example.com', 'h', case when n % 100 = 0 then 'disabled' else 'active' end, 'name ' || n, ${DEAD('n')}
    from generate_series(1, ${ROWS}) n;
  insert into api_keys (user_id, key, name, group_id, deleted_at)
    select case when n % 20 = 0 then u.first else u.first + (n * 13) % 20000 end, 'sk-' || n, 'k', g.first + n % 2000, ${DEAD('n')}
    from generate_series(1, ${ROWS}) n, (select min(id) as first from users) u, (select min(id) as first from groups) g;
  insert into user_allowed_groups (user_id, group_id)
    select u.first + n % ${ROWS}, g.first + (n * 31) % 2000
    from generate_series(0, ${2 * ROWS - 1}) n, (select min(id) as first from users) u, (select min(id) as first from groups) g
    on conflict do nothing;
  insert into user_subscriptions (user_id, group_id, starts_at, expires_at, deleted_at)
    select u.first + n % ${ROWS}, g.first + (n * 17 + n / ${ROWS}) % 2000, now(), now() + interval '1 day', ${DEAD('n')}
    from generate_series(0, ${2 * ROWS - 1}) n, (select min(id) as first from users) u, (select min(id) as first from groups) g
    on conflict do nothing;
  analyze`;

let gateway: Gateway;
let first: { user: string; group: string };
beforeAll(async () => {
  // One connection, so that what it has prepared can be asked for its plan.
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
  await gateway.rows(FILL);
  const sql = 'select (select min(id) from users) as user, (select min(id) from groups) as group';
  [first = { user: '', group: '' }] = await gateway.rows<typeof first>(sql);
});
afterAll(() => gateway.close());

const { apiKeys, users } = {
  apiKeys: () => gatewayRepositories(gateway.em()).apiKeys,
  users: () => gatewayRepositories(gateway.em()).users,
};
const add = (id: string, n: number): string => String(BigInt(id) + BigInt(n));

async function explain(statement: string): Promise<string> {
  const rows = await gateway.rows<{ 'QUERY PLAN': string }>(`explain ${statement}`);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/** The plans of the statement that the call has prepared: for its values, and for any. */
async function preparedPlans(call: Promise<unknown>, name: string, values: string): Promise<string[]> {
  await call;
  const plans: string[] = [];
  for (const mode of ['force_custom_plan', 'force_generic_plan']) {
    await gateway.rows(`set plan_cache_mode = ${mode}`);
    plans.push(await explain(`execute ${name}(${values})`));
  }
  await gateway.rows('reset plan_cache_mode');
  return plans;
}

/** The plan of each statement that the call has sent. */
async function sentPlans(call: () => Promise<unknown>): Promise<string[]> {
  gateway.statements();
  await call();
  const plans: string[] = [];
  for (const sql of gateway.statements()) plans.push(await explain(sql.replace(/ \[took .*$/, '')));
  return plans;
}

function expectIndexes(plan: string, indexes: readonly (string | RegExp)[]): void {
  for (const index of indexes)
    expect(plan).toMatch(index instanceof RegExp ? index : new RegExp(`using ${index}|on ${index}`));
  for (const table of BIG) expect(plan).not.toMatch(new RegExp(`Seq Scan on ${table}\\b`));
}

const JOINS = ['users_pkey', 'groups_pkey'];

describe(`on ${ROWS} rows of each table, 30 % of them deleted`, () => {
  it('the fill is what it says', async () => {
    for (const table of ['users', 'api_keys', 'user_subscriptions']) {
      const sql = `select count(*) filter (where deleted_at is not null)::float / count(*) as dead, count(*) >= ${ROWS} as big from ${table}`;
      const [row] = await gateway.rows<{ dead: number; big: boolean }>(sql);
      expect(row).toEqual({ dead: expect.closeTo(0.3, 2), big: true });
    }
  });

  it.each<[string, () => Promise<unknown>, string, () => string, string[]]>([
    [
      'authentication',
      () => apiKeys().findByKeyForAuth('sk-5555'),
      'gateway_api_key_for_auth',
      () => `'sk-5555'`,
      ['api_keys_key_key', ...JOINS],
    ],
    [
      'a key by its value',
      () => apiKeys().findByKey('sk-5555'),
      'gateway_api_key_by_key',
      () => `'sk-5555'`,
      ['api_keys_key_key', ...JOINS],
    ],
    [
      'a key by its id',
      () => apiKeys().findById('5555'),
      'gateway_api_key_by_id',
      () => `5555`,
      ['api_keys_pkey', ...JOINS],
    ],
    [
      'a page of keys of a user',
      () => apiKeys().listByUserId(add(first.user, 14)),
      'gateway_api_keys_by_user_id',
      () => `${add(first.user, 14)}, 20, 0`,
      ['idx_api_keys_user_id', 'api_keys_pkey', ...JOINS],
    ],
    [
      'a page of keys of a user with thousands',
      () => apiKeys().listByUserId(first.user),
      'gateway_api_keys_by_user_id',
      () => `${first.user}, 50, 2000`,
      ['idx_api_keys_user_id', 'api_keys_pkey'],
    ],
    [
      'a page of keys of a group',
      () => apiKeys().listByGroupId(first.group),
      'gateway_api_keys_by_group_id',
      () => `${add(first.group, 15)}, 20, 20`,
      ['idx_api_keys_group_id', 'api_keys_pkey', 'users_pkey'],
    ],
  ])('%s is prepared, and found by its indexes with any values', async (_, call, name, values, indexes) => {
    for (const plan of await preparedPlans(call(), name, values())) expectIndexes(plan, indexes);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['count', () => apiKeys().countByUserId(add(first.user, 14)), 'idx_api_keys_user_id'],
    ['count of a group', () => apiKeys().countByGroupId(add(first.group, 15)), 'idx_api_keys_group_id'],
    ['values of a user', () => apiKeys().listKeysByUserId(add(first.user, 14)), 'idx_api_keys_user_id'],
    ['values of a group', () => apiKeys().listKeysByGroupId(add(first.group, 15)), 'idx_api_keys_group_id'],
    [
      'ownership',
      () => apiKeys().verifyOwnership(add(first.user, 14), ['1', '2']),
      /api_keys_pkey|idx_api_keys_user_id/ as never,
    ],
    ['existence', () => apiKeys().existsByKey('sk-5555'), 'api_keys_key_key'],
  ])('of keys: %s', async (_, call, index) => {
    const plans = await sentPlans(call);
    expect(plans).toHaveLength(1);
    expectIndexes(plans.join(), [index]);
  });

  it('a user by e-mail is found in the partial unique index, with the set by its primary key', async () => {
    const plans = await sentPlans(() => users().getByEmail('user55555@example.com'));
    expectIndexes(plans.join('\n'), ['users_email_unique_active', 'user_allowed_groups_pkey']);
  });

  // Whatever the list reads beside the users, it reads by the ids of the page.
  it('a page of users of a rare status, with their sets and subscriptions, is found by its indexes', async () => {
    const plans = (
      await sentPlans(() => users().listWithFilters({ pageSize: 50 }, { status: 'disabled' }))
    ).join('\n');
    expectIndexes(plans, ['idx_users_status', 'user_allowed_groups_pkey']);
    expect(plans).toMatch(/user_subscriptions_user_group_unique_active|idx_user_subscriptions_user_id/);
  });

  it('subscriptions of a page of users are prepared, and found by their users', async () => {
    const ids = Array.from({ length: 100 }, (_, n) => add(first.user, ROWS - 1 - n)).join();
    const call = users().list({ pageSize: 100 });
    for (const plan of await preparedPlans(call, 'gateway_active_subscriptions_of_users', `'{${ids}}'`)) {
      expectIndexes(plan, [/user_subscriptions_user_group_unique_active|idx_user_subscriptions_user_id/]);
    }
  });

  // A text inside another one has no place in a B-tree, so this is a scan, and is said to be one.
  it('a search of users is a scan of the live rows, and of nothing else', async () => {
    const plans = await sentPlans(() => users().listWithFilters({}, { search: 'name 777' }));
    expect(plans.join('\n')).toMatch(/(Seq Scan on|users_pkey on|idx_users_deleted_at on) users/);
    expect(plans.join('\n')).toContain('~~*');
    expect(plans.join('\n')).not.toMatch(/Seq Scan on (user_allowed_groups|user_subscriptions)/);
  });
});
