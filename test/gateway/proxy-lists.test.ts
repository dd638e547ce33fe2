import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { insertAccount } from '../support/gateway-rows.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
const ids: Record<string, string> = {};
beforeAll(async () => {
  gateway = await openGateway();
  const em = gateway.em();
  const values = [
    { name: 'alpha', username: 'ada', password: 'pw' },
    { name: '100%', status: 'disabled' },
    { name: 'gamma', protocol: 'socks5', port: 1080 },
    { name: 'delta', host: 'other.test' },
    { name: 'dead', host: 'dead.test' },
  ] as const;
  for (const value of values) ids[value.name] = (await mustCreateProxy(em, value)).id;
  for (const proxy of ['alpha', 'alpha', 'gamma'])
    await insertAccount(em, { proxy_id: ids[proxy], notes: proxy });
  await insertAccount(em, { proxy_id: ids['alpha'], deleted_at: new Date() });
  await gatewayRepositories(em).proxies.delete(ids['dead'] ?? '');
});
afterAll(() => gateway.close());

const proxies = (): GatewayRepositories['proxies'] => gatewayRepositories(gateway.em()).proxies;
const names = (items: readonly { name: string }[]): string[] => items.map((item) => item.name);

describe('lists of proxies', () => {
  it('F30: are newest first, or by id where they are of active ones, without the deleted one', async () => {
    expect(names((await proxies().list()).items)).toEqual(['delta', 'gamma', '100%', 'alpha']);
    expect(names(await proxies().listActive())).toEqual(['alpha', 'gamma', 'delta']);
    const all = await gateway.em().skipSoftDelete((em) => gatewayRepositories(em).proxies.list());
    expect(names(all.items)).toContain('dead');
  });

  it('F30: put proxies of one instant by id, where the original’s order is that of its plan', async () => {
    const own = await openGateway();
    // Of two pairs that were written in opposite orders, one comes out against its ids, whichever way rows are read.
    for (const [id, day] of [
      [9002, 1],
      [9001, 1],
      [9003, 2],
      [9004, 2],
    ])
      await own.rows(
        `insert into proxies (id, name, protocol, host, port, created_at) values (?, 'p', 'http', 'h', 80, make_date(2026, 1, ?))`,
        [id, day],
      );
    const original = `select id from proxies where status = 'active' and deleted_at is null order by created_at desc`;
    const ours = await gatewayRepositories(own.em()).proxies.listActiveWithAccountCount();
    expect(ours.map(({ id }) => id)).toEqual(['9004', '9003', '9002', '9001']);
    const theirs = await own.rows<{ id: string }>(original);
    expect(theirs.map(({ id }) => id)).not.toEqual(ours.map(({ id }) => id));
    await own.close();
  });

  it('F31: take the offset from the clamped size, where the original gave page 1 again', async () => {
    const original = await gateway.rows<{ name: string }>(
      'select name from proxies where deleted_at is null order by id desc limit 20 offset (2 - 1) * 0',
    );
    expect(original).toHaveLength(4);
    expect(await proxies().list({ page: 2, pageSize: 0 })).toMatchObject({
      items: [],
      pageSize: 20,
      total: 4,
    });
    expect(await proxies().list({ page: 2, pageSize: 3 })).toMatchObject({
      items: [{ name: 'alpha' }],
      pages: 2,
    });
    expect(await proxies().list({ page: -1, pageSize: 500 })).toMatchObject({
      page: 1,
      pageSize: 100,
      total: 4,
    });
    expect(await proxies().listWithFilters({}, { search: 'nothing' })).toMatchObject({ total: 0, pages: 0 });
  });

  it('filter by protocol, status and part of the name, with wildcards taken literally', async () => {
    const found = async (filters: object) => names((await proxies().listWithFilters({}, filters)).items);
    expect(await found({ protocol: 'socks5' })).toEqual(['gamma']);
    expect(await found({ status: 'disabled' })).toEqual(['100%']);
    expect(await found({ search: 'ALPH' })).toEqual(['alpha']);
    expect(await found({ search: '%' })).toEqual(['100%']);
    expect(await found({ search: '', protocol: '', status: '' })).toHaveLength(4);
    gateway.statements();
    await expect(found({ search: 'a\0' })).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });

  it('F32: refuse to be an end of a longer list', async () => {
    const own = await openGateway();
    const fill = (rows: number) =>
      own.rows(
        `insert into proxies (name, protocol, host, port) select 'p', 'http', 'h', 80 from generate_series(1, ${rows})`,
      );
    await fill(10_000);
    const repository = gatewayRepositories(own.em()).proxies;
    expect(await repository.listActive()).toHaveLength(10_000);
    const [proxy] = await own.rows<{ id: string }>('select id from proxies limit 1');
    const attach = `insert into accounts (name, platform, type, proxy_id) select 'a', 'p', 't', ? from generate_series(1, 10001)`;
    await own.rows(attach, [proxy?.id]);
    const summaries = repository.listAccountSummariesByProxyId(proxy?.id ?? '');
    await expect(summaries).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
    await fill(1);
    await expect(repository.listActive()).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
    await expect(repository.listActiveWithAccountCount()).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
    await own.close();
  });
});

describe('accounts of proxies', () => {
  it('are counted for the proxies of the page alone, live ones only, in one grouped statement', async () => {
    gateway.statements();
    const page = await proxies().listWithFiltersAndAccountCount({ page: 2, pageSize: 2 }, {});
    const statements = gateway.statements();
    expect(page).toMatchObject({
      total: 4,
      items: [
        { name: '100%', accountCount: 0 },
        { name: 'alpha', accountCount: 2 },
      ],
    });
    expect(statements).toHaveLength(3);
    expect(statements.at(-1)).toContain(`{${ids['100%']},${ids['alpha']}}`);
    expect(statements.at(-1)).toContain('group by proxy_id');
    const [row] = await gateway.rows<{ count: number }>(
      'select count(*)::int as count from accounts where proxy_id = ?',
      [ids['alpha']],
    );
    expect(row?.count).toBe(3);
  });

  it('take the same number of statements for every size of the page, and none to count nothing', async () => {
    const counts: number[] = [];
    for (const pageSize of [1, 4, 100]) {
      gateway.statements();
      await proxies().listWithFiltersAndAccountCount({ pageSize }, {});
      counts.push(gateway.statements().length);
    }
    expect(counts).toEqual([3, 3, 3]);
    await proxies().listWithFiltersAndAccountCount({}, { search: 'nothing' });
    expect(gateway.statements()).toHaveLength(2);
    await proxies().listActiveWithAccountCount();
    expect(gateway.statements()).toHaveLength(2);
  });

  it('are counted by proxy, and listed newest first', async () => {
    expect(await proxies().countAccountsByProxyId(ids['alpha'] ?? '')).toBe(2);
    expect(await proxies().countAccountsByProxyId(ids['delta'] ?? '')).toBe(0);
    expect(await proxies().getAccountCountsForProxies()).toEqual(
      new Map([
        [ids['alpha'], 2],
        [ids['gamma'], 1],
      ]),
    );
    const summaries = await proxies().listAccountSummariesByProxyId(ids['alpha'] ?? '');
    expect(summaries).toHaveLength(2);
    expect(Number(summaries[0]?.id)).toBeGreaterThan(Number(summaries[1]?.id));
    expect(summaries[0]).toEqual({
      id: expect.any(String),
      name: expect.any(String),
      platform: 'anthropic',
      type: 'oauth',
      notes: 'alpha',
    });
  });
});

describe('whether there is such a proxy', () => {
  it('compares host, port, name and password exactly, and no protocol', async () => {
    const exists = (host: string, port: number, username: string, password: string) =>
      proxies().existsByHostPortAuth(host, port, username, password);
    expect(await exists('proxy.test', 8080, 'ada', 'pw')).toBe(true);
    expect(await exists('proxy.test', 8080, 'ada', '')).toBe(false);
    expect(await exists('proxy.test', 8080, '', 'pw')).toBe(false);
    expect(await exists('proxy.test', 8080, 'Ada', 'pw')).toBe(false);
    expect(await exists('proxy.test', 1080, '', '')).toBe(true);
    expect(await exists('proxy.test', 1081, '', '')).toBe(false);
    expect(await exists('dead.test', 8080, '', '')).toBe(false);
    const dead = await gateway
      .em()
      .skipSoftDelete((em) =>
        gatewayRepositories(em).proxies.existsByHostPortAuth('dead.test', 8080, '', ''),
      );
    expect(dead).toBe(true);
  });

  it('takes an empty string for none, whether the row has NULL or, from another program, an empty string', async () => {
    await gateway.rows(
      `insert into proxies (name, protocol, host, port, username, password) values ('old', 'http', 'old.test', 80, '', null)`,
    );
    expect(await proxies().existsByHostPortAuth('old.test', 80, '', '')).toBe(true);
    expect(await proxies().existsByHostPortAuth('other.test', 8080, '', '')).toBe(true);
    gateway.statements();
    for (const wrong of [
      ['a\0', 80, '', ''],
      ['h', 0.5, '', ''],
      ['h', 80, 7, ''],
      ['h', 80, '', '\ud800'],
    ] as const)
      await expect(
        proxies().existsByHostPortAuth(...(wrong as unknown as [string, number, string, string])),
      ).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });
});
