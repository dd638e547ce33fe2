import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKey, Group, User } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

const ROWS = 100_000;

/** Nine of ten users are deleted and each address was used ten times; so is every other group; `other` groups fall back to one each. */
const FILL = `
  insert into users (email, password_hash, deleted_at)
    select 'user' || (n / 10) || '@example.com', 'hash', case when n % 10 = 0 then null else now() end
    from generate_series(0, ${ROWS - 1}) n;
  insert into groups (name, deleted_at, fallback_group_id)
    select 'group ' || (n / 2), case when n % 2 = 0 then null else now() end, 1 from generate_series(0, 999) n;
  insert into groups (name, fallback_group_id)
    select 'other ' || n, (select min(id) + n from groups) from generate_series(1, 899) n;
  insert into api_keys (user_id, key, name, deleted_at)
    select u.id, 'key ' || u.id, 'key', u.deleted_at from users u;
  analyze users, groups, api_keys`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.rows(FILL);
});
afterAll(() => gateway.close());

/** The plan of the one statement that the work sends. */
async function planOf(work: () => Promise<unknown>): Promise<string> {
  gateway.statements();
  await work();
  const [sql, ...others] = gateway.statements();
  expect(others).toEqual([]);
  return explain(String(sql));
}

async function explain(sql: string): Promise<string> {
  const rows = await gateway.rows<{ 'QUERY PLAN': string }>(`explain ${withoutTiming(sql)}`);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

const withoutTiming = (sql: string): string => sql.replace(/ \[took .*$/, '');

describe(`plans on ${ROWS} rows, most of them dead`, () => {
  it('find the live user of an address in the partial unique index', async () => {
    const plan = await planOf(() => gateway.em().findOne(User, { email: 'user77@example.com' }));
    expect(plan).toContain('Index Scan using users_email_unique_active');
    expect(plan).not.toContain('Seq Scan');
  });

  it('find it there in a query builder and in a count', async () => {
    const builder = gateway.em().createQueryBuilder(User).select('*').where({ email: 'user77@example.com' });
    expect(await planOf(() => builder.getResultList())).toContain('users_email_unique_active');
    const count = planOf(() => gateway.em().count(User, { email: 'user77@example.com' }));
    expect(await count).toContain('users_email_unique_active');
  });

  it('cannot use that index without the condition of the layer', async () => {
    const sql = `select * from users where email = 'user77@example.com'`;
    expect(await explain(sql)).not.toContain('users_email_unique_active');
  });

  it('update the live user of an address through it', async () => {
    const change = () => gateway.em().nativeUpdate(User, { email: 'user77@example.com' }, { username: 'x' });
    expect(await planOf(change)).toContain('users_email_unique_active');
  });

  it('soft-delete the live user of an address through it', async () => {
    const remove = () => gateway.em().nativeDelete(User, { email: 'user78@example.com' });
    expect(await planOf(remove)).toContain('users_email_unique_active');
  });

  it('find the groups that fall back to one in the partial index of live rows', async () => {
    const [group] = await gateway.em().find(Group, { name: 'group 7' });
    const plan = await planOf(() => gateway.em().find(Group, { fallbackGroup: String(group?.id) }));
    expect(plan).toContain('idx_groups_fallback_group_id');
  });

  it('join the live user of an address through it, in a joined populate by that address', async () => {
    const where = { user: { email: 'user77@example.com' } };
    const plan = await planOf(() =>
      gateway.em().find(ApiKey, where, { populate: ['user'], strategy: 'joined' }),
    );
    expect(plan).toContain('users_email_unique_active');
    expect(plan).not.toContain('Seq Scan');
  });

  it('find the group of a name in it, with its fallback in a joined populate', async () => {
    const options = { populate: ['fallbackGroup'], strategy: 'joined' } as const;
    const plan = await planOf(() => gateway.em().find(Group, { name: 'group 7' }, options));
    expect(plan).toContain('groups_name_unique_active');
    expect(plan).not.toContain('Seq Scan');
  });

  it('mark a removed row by its primary key', async () => {
    const em = gateway.em();
    em.remove(await em.findOneOrFail(User, { email: 'user79@example.com' }));
    const plan = await planOf(() => em.flush());
    expect(plan).toContain('users_pkey');
    expect(plan).toContain('deleted_at IS NULL');
  });

  it('join the live user of a key by its primary key, with the condition on both', async () => {
    const plan = await planOf(() =>
      gateway.em().findOne(ApiKey, { key: 'key 1' }, { populate: ['user'], strategy: 'joined' }),
    );
    expect(plan).toMatch(/Index Scan using users_pkey/);
    expect(plan).not.toContain('Seq Scan on users');
    expect(plan.match(/deleted_at IS NULL/g)).toHaveLength(2);
  });
});
