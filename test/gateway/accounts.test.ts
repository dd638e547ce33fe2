import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Account,
  type AccountRecord,
  type GatewayRepositories,
  gatewayRepositories,
} from 'tombstone/gateway';
import { eventsOf, mustCreateAccount } from '../support/gateway-accounts.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const UNKNOWN = '987654321';

let gateway: Gateway;
let accounts: GatewayRepositories['accounts'];
beforeAll(async () => {
  gateway = await openGateway();
  accounts = gatewayRepositories(gateway.em()).accounts;
});
afterAll(() => gateway.close());

const made = (values: Parameters<typeof mustCreateAccount>[1] = {}): Promise<AccountRecord> =>
  mustCreateAccount(gateway.em(), values);
async function deletedAccount(): Promise<string> {
  const { id } = await made();
  await accounts.delete(id);
  return id;
}

describe('create', () => {
  it('gives what is left out its default, and reads empty texts for none', async () => {
    expect(await made({ name: 'plain', credentials: null, extra: null })).toMatchObject({
      name: 'plain',
      notes: null,
      extra: {},
      proxyId: null,
      proxy: null,
      isProxyDeleted: false,
      concurrency: 3,
      priority: 50,
      rateMultiplier: '1.0000',
      status: 'active',
      errorMessage: '',
      lastUsedAt: null,
      autoPauseOnExpired: true,
      schedulable: true,
      tempUnschedulableUntil: null,
      tempUnschedulableReason: '',
      sessionWindowStatus: '',
      groups: [],
      groupIds: [],
      accountGroups: [],
      createdAt: expect.any(Date),
    });
  });

  it('stores everything that is given, at the instant that was given', async () => {
    const expiresAt = new Date('2031-02-03T04:05:06.789Z');
    const proxy = await mustCreateProxy(gateway.em(), { password: 'pw' });
    const account = await made({
      notes: 'n',
      credentials: { token: 'secret' },
      extra: { a: { b: [1, null, 'x'] } },
      proxyId: proxy.id,
      rateMultiplier: '0.25',
      expiresAt,
      autoPauseOnExpired: false,
      sessionWindowStatus: 'allowed',
    });
    expect(account).toMatchObject({ notes: 'n', extra: { a: { b: [1, null, 'x'] } }, expiresAt });
    expect([account.proxy?.id, account.rateMultiplier]).toEqual([proxy.id, '0.2500']);
    expect([account.credentials, account.proxy?.password]).toEqual([{ token: 'secret' }, 'pw']);
  });

  it('binds no groups and tells the scheduler of those that it is given', async () => {
    const group = await mustCreateGroup(gateway.em());
    let account: AccountRecord | undefined;
    const events = await eventsOf(gateway, async () => (account = await made({ groupIds: [group.id] })));
    expect(account?.accountGroups).toEqual([]);
    const payload = { group_ids: [group.id] };
    expect(events).toEqual([
      { event_type: 'account_changed', account_id: account?.id, group_id: null, payload },
    ]);
  });

  it('of nothing is ACCOUNT_NIL_INPUT', async () => {
    await expect(accounts.create(null as never)).rejects.toMatchObject({
      code: 'ACCOUNT_NIL_INPUT',
      status: 400,
    });
    await expect(accounts.update(null as never)).rejects.toMatchObject({ code: 'ACCOUNT_NIL_INPUT' });
  });
});

it('F46: secrets are in no copy, no JSON and no log of an account', async () => {
  const proxy = await mustCreateProxy(gateway.em(), { password: 'proxy-secret' });
  const { id } = await made({ credentials: { token: 'account-secret' }, proxyId: proxy.id });
  const found = [
    await accounts.getById(id),
    (await accounts.listWithFilters({}, { search: '' })).items,
    await accounts.listSchedulable(),
  ];
  // The original's answer is the row.
  const original = await gateway.rows('select * from accounts where id = ?', [id]);
  expect(JSON.stringify(original)).toMatch(/account-secret/);
  expect(JSON.stringify(found)).not.toMatch(/secret/);
  expect(JSON.stringify({ ...(found[0] as object) })).not.toMatch(/secret/);
  expect((await accounts.getById(id)).credentials).toEqual({ token: 'account-secret' });
});

describe('reads', () => {
  it('tell missing from found', async () => {
    const dead = await deletedAccount();
    for (const id of [UNKNOWN, dead]) {
      expect([await accounts.findById(id), await accounts.existsById(id)]).toEqual([null, false]);
      await expect(accounts.getById(id)).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND', status: 404 });
    }
    expect(await accounts.existsById((await made()).id)).toBe(true);
  });

  it('give several in the order in which they are asked for, each once', async () => {
    const [a, b, dead] = [await made(), await made(), await deletedAccount()];
    const found = await accounts.getByIds([b.id, '0', a.id, '-1', dead, b.id, UNKNOWN]);
    expect(found.map((account) => account.id)).toEqual([b.id, a.id]);
    gateway.statements();
    expect([await accounts.getByIds([]), await accounts.getByIds(['0'])]).toEqual([[], []]);
    expect(gateway.statements()).toEqual([]);
  });

  it('order groups and bindings by the priority of the binding, then by group, and show live groups only', async () => {
    const { id } = await made();
    const [a, b, c, dead] = await Promise.all([1, 2, 3, 4].map(() => mustCreateGroup(gateway.em())));
    const ids = [a, b, c, dead].map((group) => group?.id ?? '');
    for (const [index, priority] of [7, 3, 7, 1].entries()) {
      await accounts.addToGroup(id, ids[index] ?? '', priority);
    }
    await gatewayRepositories(gateway.em()).groups.delete(ids[3] ?? '');
    const account = await accounts.getById(id);
    const tied = [ids[0], ids[2]].toSorted((x, y) => Number(x) - Number(y));
    expect(account.groupIds).toEqual([ids[1], ...tied]);
    expect(account.groups.map((group) => group.id)).toEqual(account.groupIds);
    expect(account.accountGroups.map((one) => [one.groupId, one.priority])).toEqual([
      [ids[3], 1],
      [ids[1], 3],
      ...tied.map((group) => [group, 7]),
    ]);
    expect((await accounts.getGroups(id)).map((group) => group.id)).toEqual(account.groupIds);
    expect(await accounts.getGroups(UNKNOWN)).toEqual([]);
  });

  it('F13: a deleted proxy is seen as such, and not as none', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    const { id } = await made({ proxyId: proxy.id });
    // Past the repository, which refuses it.
    await gateway.rows('update proxies set deleted_at = now() where id = ?', [proxy.id]);
    // What the original reads: the account, and its proxy by a filtered query of its own.
    const [row] = await gateway.rows<{ proxy: string | null }>(
      `select p.id as proxy from accounts a left join proxies p on p.id = a.proxy_id and p.deleted_at is null
       where a.id = ? and a.deleted_at is null`,
      [id],
    );
    expect(row?.proxy).toBeNull();
    expect(await accounts.getById(id)).toMatchObject({
      proxy: null,
      proxyId: proxy.id,
      isProxyDeleted: true,
    });
    expect((await accounts.listSchedulable()).map((account) => account.id)).not.toContain(id);
  });

  it('F29: send as many statements for many accounts as for one', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    const group = await mustCreateGroup(gateway.em());
    const made30 = await Promise.all(Array.from({ length: 30 }, () => made({ proxyId: proxy.id })));
    for (const { id } of made30) await accounts.bindGroups(id, [group.id]);
    const ids = made30.map((account) => account.id);
    const budget = async (work: () => Promise<unknown>): Promise<number> => {
      gateway.statements();
      await work();
      return gateway.statements().length;
    };
    expect(await budget(() => Promise.all(ids.map((id) => accounts.getById(id))))).toBe(4 * 30);
    expect(await budget(() => accounts.getById(ids[0] ?? ''))).toBe(4);
    expect(await budget(() => accounts.getByIds(ids))).toBe(4);
    expect(await budget(() => accounts.listWithFilters({ pageSize: 5 }, {}))).toBe(5);
    expect(await budget(() => accounts.listWithFilters({ pageSize: 100 }, {}))).toBe(5);
    expect(await budget(() => accounts.listByGroup(group.id))).toBe(5);
    expect(await budget(() => accounts.listActive())).toBe(4);
    expect(await budget(() => accounts.listSchedulableByGroupId(group.id))).toBeLessThanOrEqual(1);
  });
});

describe('lists', () => {
  it('are filtered, newest first, in pages', async () => {
    const platform = 'gemini';
    const [a, b] = [await made({ platform, name: 'has 50% off' }), await made({ platform, type: 'apikey' })];
    await made({ platform, status: 'disabled' });
    const dead = await made({ platform });
    await accounts.delete(dead.id);
    const page = await accounts.listWithFilters({ page: 2, pageSize: 1 }, { platform });
    expect(page).toMatchObject({ total: 3, page: 2, pageSize: 1, pages: 3 });
    expect(page.items.map((account) => account.id)).toEqual([b.id]);
    const ids = async (filters: object): Promise<string[]> =>
      (await accounts.listWithFilters({}, { platform, ...filters })).items.map((account) => account.id);
    expect(await ids({ search: '50%' })).toEqual([a.id]);
    expect(await ids({ search: '5_%' })).toEqual([]);
    expect(await ids({ type: 'apikey', status: 'active' })).toEqual([b.id]);
  });

  it('F30: of active accounts go by priority, then by id', async () => {
    const platform = 'sora';
    const [a, b, c] = [
      await made({ platform, priority: 5 }),
      await made({ platform, priority: 5 }),
      await made({ platform, priority: 1 }),
    ];
    await made({ platform, status: 'error' });
    const order = (await accounts.listByPlatform(platform)).map((account) => account.id);
    expect(order).toEqual([c.id, a.id, b.id]);
    // Of two pairs that were written in opposite orders, one comes out against its ids, whichever way rows are read.
    for (const [id, priority] of [
      [9002, 1],
      [9001, 1],
      [9003, 2],
      [9004, 2],
    ])
      await gateway.rows(
        `insert into accounts (id, name, platform, type, priority) values (?, 'a', 'antigravity', 'oauth', ?)`,
        [id, priority],
      );
    const ours = (await accounts.listByPlatform('antigravity')).map((account) => account.id);
    expect(ours).toEqual(['9001', '9002', '9003', '9004']);
    // The original's order is that of its plan; our index, which it has not, would lend it one.
    const theirs = await gateway.em().transactional(async (tx) => {
      await tx.execute('set local enable_indexscan = off');
      await tx.execute('set local enable_bitmapscan = off');
      return tx.execute<{ id: string }[]>(
        `select id from accounts where platform = 'antigravity' and status = 'active' and deleted_at is null order by priority`,
      );
    });
    expect(theirs.map(({ id }) => id)).not.toEqual(ours);
    expect((await accounts.listActive()).map((account) => account.id)).toEqual(expect.arrayContaining(order));
    const group = await mustCreateGroup(gateway.em());
    await accounts.addToGroup(a.id, group.id, 2);
    await accounts.addToGroup(b.id, group.id, 1);
    await accounts.addToGroup(c.id, group.id, 2);
    expect((await accounts.listByGroup(group.id)).map((account) => account.id)).toEqual([b.id, c.id, a.id]);
  });
});

describe('F37: an account by the id that another system knows', () => {
  it('is the oldest live one, and none for the empty text', async () => {
    const extra = { crs_account_id: "crs-'1" };
    const [dead, first] = [await made({ extra }), await made({ extra })];
    await made({ extra });
    await accounts.delete(dead.id);
    // The original wants one row of these, and fails.
    const original = `select id from accounts where extra->>'crs_account_id' = ? and deleted_at is null`;
    expect(await gateway.rows(original, ["crs-'1"])).toHaveLength(2);
    expect((await accounts.getByCrsAccountId("crs-'1"))?.id).toBe(first.id);
    expect([await accounts.getByCrsAccountId('none'), await accounts.getByCrsAccountId('')]).toEqual([
      null,
      null,
    ]);
  });

  it('is found in an index', async () => {
    await gateway.rows(`insert into accounts (name, platform, type, extra)
      select 'n', 'crs', 'oauth', jsonb_build_object('crs_account_id', n::text) from generate_series(1, 3000) n`);
    await gateway.rows('analyze accounts');
    gateway.statements();
    await accounts.getByCrsAccountId('77');
    const [sql] = gateway.statements();
    const plan = await gateway.rows<{ 'QUERY PLAN': string }>(`explain ${sql?.replace(/ \[took .*$/s, '')}`);
    expect(JSON.stringify(plan)).toContain('Index Scan using idx_accounts_crs_account_id');
    expect(JSON.stringify(plan)).not.toMatch(/Sort|Seq Scan/);
    // The original's database has no such index.
    const without = await gateway.em().transactional(async (tx) => {
      await tx.execute('drop index idx_accounts_crs_account_id');
      const lines = await tx.execute(`explain ${sql?.replace(/ \[took .*$/s, '')}`);
      await tx.execute(
        `create index idx_accounts_crs_account_id on accounts ((extra ->> 'crs_account_id'), id) where deleted_at is null`,
      );
      return JSON.stringify(lines);
    });
    expect(without).toMatch(/Filter: .*crs_account_id/);
    await gateway.rows(`delete from accounts where platform = 'crs'`);
  });
});

describe('delete', () => {
  it('removes the bindings and tells which there were', async () => {
    const { id } = await made();
    const group = await mustCreateGroup(gateway.em());
    await accounts.bindGroups(id, [group.id]);
    const payload = { group_ids: [group.id] };
    expect(await eventsOf(gateway, () => accounts.delete(id))).toMatchObject([
      { event_type: 'account_changed', account_id: id, payload },
    ]);
    expect(await gateway.rows('select from account_groups where account_id = ?', [id])).toEqual([]);
    expect(await gateway.rows('select from accounts where id = ? and deleted_at is not null', [id])).toEqual([
      {},
    ]);
    // F15: nothing is left that a count could count.
    expect(await gatewayRepositories(gateway.em()).groups.getAccountCount(group.id)).toBe(0);
  });

  it('of a missing or deleted account succeeds and tells nobody', async () => {
    const dead = await deletedAccount();
    expect(await eventsOf(gateway, () => accounts.delete(dead))).toEqual([]);
    expect(await eventsOf(gateway, () => accounts.delete(UNKNOWN))).toEqual([]);
  });
});

it('a managed entity has no say: what it was loaded with is never answered', async () => {
  const { id } = await made();
  const em = gateway.em();
  await em.findOneOrFail(Account, id);
  await gateway.rows(`update accounts set name = 'raw' where id = ?`, [id]);
  expect((await gatewayRepositories(em).accounts.getById(id)).name).toBe('raw');
});
