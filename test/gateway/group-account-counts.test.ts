import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { insertAccount, insertBinding, storedEvents } from '../support/gateway-rows.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const groups = (): GatewayRepositories['groups'] => gatewayRepositories(gateway.em()).groups;

/** A group with two live accounts and a deleted one. */
async function boundGroup(values: object = {}): Promise<string> {
  const em = gateway.em();
  const group = await mustCreateGroup(em, values);
  for (const deleted_at of [null, null, new Date()])
    await insertBinding(em, await insertAccount(em, { deleted_at }), group.id);
  return group.id;
}

describe('the number of accounts of a group', () => {
  it('F15: leaves deleted accounts out, which the rows of the table do not', async () => {
    const id = await boundGroup();
    const original = 'select count(*)::int as count from account_groups where group_id = ?';
    expect(await gateway.rows(original, [id])).toEqual([{ count: 3 }]);
    expect(await groups().getAccountCount(id)).toBe(2);
  });

  it('is part of a group wherever it is read but in getByIdLite', async () => {
    const id = await boundGroup({ platform: 'sora' });
    const one = { id, accountCount: 2 };
    expect(await groups().getById(id)).toMatchObject(one);
    expect(await groups().findById(id)).toMatchObject(one);
    expect(await groups().update({ id, description: 'x' })).toMatchObject(one);
    expect(await groups().update({ id, description: 'x' })).toMatchObject(one);
    expect((await groups().list({ pageSize: 100 })).items).toContainEqual(expect.objectContaining(one));
    expect((await groups().listWithFilters({}, { platform: 'sora' })).items).toMatchObject([one]);
    expect(await groups().listActive()).toContainEqual(expect.objectContaining(one));
    expect(await groups().listActiveByPlatform('sora')).toMatchObject([one]);
    expect(await groups().create({ name: 'just created' })).toMatchObject({ accountCount: 0 });

    const lite = await groups().getByIdLite(id);
    // @ts-expect-error The type has no count, so that nobody reads an undefined one.
    expect(lite.accountCount).toBeUndefined();
    expect({ ...lite, accountCount: 2 }).toEqual(await groups().getById(id));
  });

  it('is 0 for a group without accounts and for no group, and counts for a deleted group', async () => {
    const [bound, empty] = [await boundGroup(), await mustCreateGroup(gateway.em())];
    expect(await groups().getById(empty.id)).toMatchObject({ accountCount: 0 });
    expect(await groups().getAccountCount(empty.id)).toBe(0);
    expect(await groups().getAccountCount('987654321')).toBe(0);
    await groups().delete(bound);
    expect(await groups().getAccountCount(bound)).toBe(2);
  });

  it('is of live accounts in every scope', async () => {
    const id = await boundGroup();
    const read = { id, accountCount: 2 };
    const em = gateway.em();
    expect(await em.withDeleted((all) => gatewayRepositories(all).groups.getById(id))).toMatchObject(read);
    await groups().delete(id);
    expect(await em.skipSoftDelete((all) => gatewayRepositories(all).groups.getById(id))).toMatchObject(read);
    expect(await em.onlyDeleted((dead) => gatewayRepositories(dead).groups.getById(id))).toMatchObject(read);
  });

  it('F17: sees a binding of the caller’s transaction that is not committed', async () => {
    const group = await mustCreateGroup(gateway.em());
    const account = await insertAccount(gateway.em());
    await gateway.em().transactional(async (tx) => {
      await insertBinding(tx, account, group.id);
      expect(await gatewayRepositories(tx).groups.getById(group.id)).toMatchObject({ accountCount: 1 });
      expect(await groups().getById(group.id)).toMatchObject({ accountCount: 0 });
    });
  });

  it('F42: fails with the read instead of being 0', async () => {
    const id = await boundGroup();
    const reads: Record<string, (own: GatewayRepositories['groups']) => Promise<unknown>> = {
      getById: (own) => own.getById(id),
      list: (own) => own.list(),
      listActive: (own) => own.listActive(),
      getAccountCount: (own) => own.getAccountCount(id),
    };
    for (const [name, read] of Object.entries(reads)) {
      const attempt = gateway.em().transactional(async (tx) => {
        await tx.execute('alter table account_groups rename to gone');
        return read(gatewayRepositories(tx).groups);
      });
      expect([name, await attempt.catch((error: { sqlState?: string }) => error.sqlState)]).toEqual([
        name,
        '42P01',
      ]);
    }
    expect(await groups().getAccountCount(id)).toBe(2);
  });

  it.each(['x', '0', '-1', '9223372036854775808', 1, null])(
    'refuses the id %p before any SQL',
    async (id) => {
      gateway.statements();
      await expect(groups().getAccountCount(id as never)).rejects.toMatchObject({ code: 'VALIDATION' });
      await expect(groups().deleteAccountGroupsByGroupId(id as never)).rejects.toMatchObject({
        code: 'VALIDATION',
      });
      await expect(groups().deleteCascade(id as never)).rejects.toMatchObject({ code: 'VALIDATION' });
      expect(gateway.statements()).toEqual([]);
    },
  );
});

describe('unbinding all accounts of a group', () => {
  const bindings = (id: string) =>
    gateway.rows('select account_id from account_groups where group_id = ?', [id]);
  const eventsOf = async (id: string): Promise<unknown[]> =>
    (await storedEvents(gateway.em())).filter((event) => event.group_id === id).slice(1);

  it('removes those of deleted accounts too, of this group alone, and tells the scheduler once', async () => {
    const [id, other] = [await boundGroup(), await boundGroup()];
    expect(await groups().deleteAccountGroupsByGroupId(id)).toBe(3);
    expect(await bindings(id)).toEqual([]);
    expect(await bindings(other)).toHaveLength(3);
    const event = { event_type: 'group_changed', account_id: null, group_id: id, payload: null };
    expect(await eventsOf(id)).toEqual([event]);

    expect(await groups().deleteAccountGroupsByGroupId(id)).toBe(0);
    expect(await groups().deleteAccountGroupsByGroupId('987654321')).toBe(0);
    expect(await eventsOf(id)).toEqual([event]);
    expect(await eventsOf('987654321')).toEqual([]);
  });

  it('works for a deleted group, whose bindings a plain delete leaves', async () => {
    const id = await boundGroup();
    await groups().delete(id);
    expect(await groups().deleteAccountGroupsByGroupId(id)).toBe(3);
    expect(await bindings(id)).toEqual([]);
  });

  it('is undone together with its event', async () => {
    const id = await boundGroup();
    const attempt = gateway.em().transactional(async (tx) => {
      expect(await gatewayRepositories(tx).groups.deleteAccountGroupsByGroupId(id)).toBe(3);
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect(await bindings(id)).toHaveLength(3);
    expect(await eventsOf(id)).toEqual([]);
  });
});

describe('F29: 3,000 groups with 60,000 bindings', () => {
  let own: Gateway;
  beforeAll(async () => {
    own = await openGateway();
    await own.rows(`insert into groups (name, platform) select 'group ' || n, case when n <= 200 then 'gemini' else 'openai' end
        from generate_series(1, 3000) n;
      insert into accounts (name, platform, type, deleted_at)
        select 'account ' || n, 'anthropic', 'oauth', case when n % 3 = 0 then now() end from generate_series(1, 20000) n;
      insert into account_groups (account_id, group_id)
        select 1 + (g.id * 7 + k * 997) % 20000, g.id from groups g cross join generate_series(1, 20) k;
      analyze groups, accounts, account_groups`);
  });
  afterAll(() => own.close());
  const many = (): GatewayRepositories['groups'] => gatewayRepositories(own.em()).groups;
  const sentBy = async (work: () => Promise<unknown>): Promise<string[]> => {
    own.statements();
    await work();
    return own.statements().map((sql) => sql.replace(/ \[took .*$/, ''));
  };
  const planOf = async (sql: string): Promise<string> =>
    (await own.rows<{ 'QUERY PLAN': string }>(`explain ${sql}`)).map((row) => row['QUERY PLAN']).join('\n');

  it('are read in as many statements as one group', async () => {
    const some = await many().list({ pageSize: 1 });
    const id = some.items[0]?.id ?? '';
    expect(await sentBy(() => many().getByIdLite(id))).toHaveLength(1);
    expect(await sentBy(() => many().getById(id))).toHaveLength(2);
    expect(await sentBy(() => many().getAccountCount(id))).toHaveLength(1);
    for (const pageSize of [1, 10, 100])
      expect(await sentBy(() => many().list({ page: 2, pageSize }))).toHaveLength(3);
    for (const platform of ['anthropic', 'gemini', 'openai'])
      expect(await sentBy(() => many().listActiveByPlatform(platform))).toHaveLength(2);
    expect(await sentBy(() => many().listActive())).toHaveLength(2);
    expect(await sentBy(() => many().listWithFilters({}, { search: 'in no group' }))).toHaveLength(2);
  });

  it('have the counts of a count by hand', async () => {
    const { items } = await many().list({ page: 3, pageSize: 100 });
    const sql = `select count(*)::int as count from account_groups b
      where group_id = ? and exists (select from accounts a where a.id = b.account_id and a.deleted_at is null)`;
    for (const item of items.slice(0, 10))
      expect(await own.rows(sql, [item.id])).toEqual([{ count: item.accountCount }]);
    expect(items.reduce((sum, item) => sum + item.accountCount, 0)).toBeGreaterThan(1000);
  });

  it('find the accounts of one group by two indexes', async () => {
    const [sql = ''] = await sentBy(() => many().getAccountCount('1500'));
    const plan = await planOf(sql);
    expect(plan).toContain('idx_account_groups_group_id');
    expect(plan).toContain('accounts_pkey');
    expect(plan).not.toContain('Seq Scan');
  });

  it('find the bindings of a page in the index of groups', async () => {
    const [, , sql = ''] = await sentBy(() => many().list({ page: 5 }));
    const plan = await planOf(sql);
    expect(plan).toContain('idx_account_groups_group_id');
    expect(plan).not.toContain('Seq Scan on account_groups');
  });
});
