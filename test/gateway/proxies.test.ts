import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, Proxy, type ProxyRecord } from 'tombstone/gateway';
import { insertAccount } from '../support/gateway-rows.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const proxies = (): GatewayRepositories['proxies'] => gatewayRepositories(gateway.em()).proxies;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const stored = async (id: string): Promise<object | undefined> =>
  (await gateway.rows('select username, password, deleted_at from proxies where id = ?', [id]))[0];
const MINIMAL = { name: 'p', protocol: 'http', host: 'h', port: 80 } as const;

describe('proxies', () => {
  it('are stored with the defaults of the columns, and answered as they are stored', async () => {
    const proxy = await proxies().create({ ...MINIMAL, username: 'ada', password: 'pw' });
    expect(proxy).toEqual({
      id: expect.any(String),
      ...MINIMAL,
      username: 'ada',
      status: 'active',
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(proxy.password).toBe('pw');
    const found = await proxies().getById(proxy.id);
    expect(found).toEqual(proxy);
    expect(found.password).toBe('pw');
  });

  it.each(['', null, undefined])(
    'keep %p for a name and a password as NULL and give them back empty',
    async (none) => {
      const proxy = await mustCreateProxy(gateway.em(), { username: none, password: none });
      expect(await stored(proxy.id)).toMatchObject({ username: null, password: null });
      const found = await proxies().getById(proxy.id);
      expect([proxy.username, proxy.password, found.username, found.password]).toEqual(['', '', '', '']);
    },
  );

  it('are changed column by column: undefined keeps, null and the empty string clear', async () => {
    const proxy = await mustCreateProxy(gateway.em(), { username: 'ada', password: 'pw' });
    gateway.statements();
    const changed = await proxies().update({
      id: proxy.id,
      port: 1080,
      protocol: 'socks5',
      host: proxy.host,
    });
    const updates = gateway.statements().filter((sql) => sql.startsWith('update'));
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatch(/set "protocol" = 'socks5', "port" = 1080, "updated_at" = now\(\) where/);
    expect(changed).toMatchObject({ port: 1080, protocol: 'socks5', username: 'ada', password: 'pw' });
    expect(changed.updatedAt.getTime()).toBeGreaterThanOrEqual(proxy.updatedAt.getTime());
    expect(await proxies().update({ id: proxy.id, username: '', password: null })).toMatchObject({
      username: '',
    });
    expect(await stored(proxy.id)).toMatchObject({ username: null, password: null });
  });

  it('F41: answer PROXY_NOT_FOUND once deleted or for an unknown id, where the original let the driver speak', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    await proxies().delete(proxy.id);
    for (const id of [proxy.id, '987654321']) {
      expect(await codeOf(proxies().getById(id))).toBe('PROXY_NOT_FOUND');
      expect(await codeOf(proxies().update({ id, name: 'x' }))).toBe('PROXY_NOT_FOUND');
      expect(await proxies().findById(id)).toBeNull();
    }
    const dead = await gateway
      .em()
      .skipSoftDelete((em) => gatewayRepositories(em).proxies.findById(proxy.id));
    expect(dead).toMatchObject({ id: proxy.id, name: proxy.name });
  });

  it('F41: refuse a text that is too long themselves; the column would have answered 22001', async () => {
    const host = 'h'.repeat(256);
    const raw = gateway
      .em()
      .execute(`insert into proxies (name, protocol, host, port) values ('p', 'http', ?, 80)`, [host]);
    await expect(raw).rejects.toMatchObject({ sqlState: '22001' });
    gateway.statements();
    const error: unknown = await proxies()
      .create({ ...MINIMAL, host })
      .catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ code: 'VALIDATION', field: 'host' });
    expect(gateway.statements()).toEqual([]);
  });

  it.each([
    ['null', null],
    ['no name', { protocol: 'http', host: 'h', port: 80 }],
    ['an empty name', { ...MINIMAL, name: '' }],
    ['a name of 101 characters', { ...MINIMAL, name: 'x'.repeat(101) }],
    ['a name with NUL', { ...MINIMAL, name: 'a\0' }],
    ['an unknown protocol', { ...MINIMAL, protocol: 'gopher' }],
    ['a number for the host', { ...MINIMAL, host: 7 }],
    ['a lone surrogate in the host', { ...MINIMAL, host: '\ud800' }],
    ['port 0', { ...MINIMAL, port: 0 }],
    ['port 65536', { ...MINIMAL, port: 65_536 }],
    ['half a port', { ...MINIMAL, port: 80.5 }],
    ['a text for the port', { ...MINIMAL, port: '80' }],
    ['a user name of 101 characters', { ...MINIMAL, username: 'x'.repeat(101) }],
    ['a password with NUL', { ...MINIMAL, password: 'a\0' }],
    ['an empty status', { ...MINIMAL, status: '' }],
  ])('refuse %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(proxies().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it.each(['seven', '0', '-1', '01', '9223372036854775808', 7])(
    'refuse %p for an id before any SQL',
    async (id) => {
      gateway.statements();
      const calls = [
        proxies().getById(id as string),
        proxies().update({ id: id as string }),
        proxies().delete(id as string),
        proxies().countAccountsByProxyId(id as string),
        proxies().listAccountSummariesByProxyId(id as string),
      ];
      expect(await Promise.all(calls.map(codeOf))).toEqual(Array(5).fill('VALIDATION'));
      expect(gateway.statements()).toEqual([]);
    },
  );

  it('F46: keep the password out of JSON, logs, copies and errors; the row itself would show it', async () => {
    const proxy = await mustCreateProxy(gateway.em(), { password: 'very secret', username: 'ada' });
    const [row] = await gateway.rows('select * from proxies where id = ?', [proxy.id]);
    expect(JSON.stringify(row)).toContain('very secret');
    const lists: ProxyRecord[] = [
      ...(await proxies().list()).items,
      ...(await proxies().listWithFiltersAndAccountCount({}, {})).items,
      ...(await proxies().listActive()),
      ...(await proxies().listActiveWithAccountCount()),
    ];
    expect(lists.filter((found) => found.password === 'very secret')).toHaveLength(4);
    const tooLong = await proxies()
      .update({ id: proxy.id, password: 'very secret'.repeat(20) })
      .catch((error: unknown) => error);
    const shown = [proxy, await proxies().getById(proxy.id), ...lists, { ...proxy }, tooLong]
      .map((value) => JSON.stringify(value) + inspect(value, { depth: 6 }))
      .join();
    expect(shown).toContain('password must have at most 100 characters');
    expect(shown).not.toContain('very secret');
  });
});

describe('deleting a proxy', () => {
  it('marks it, and succeeds for one that is deleted already or unknown', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    gateway.statements();
    await proxies().delete(proxy.id);
    expect(gateway.statements()).toHaveLength(3);
    const first = await stored(proxy.id);
    expect(first).toMatchObject({ deleted_at: expect.anything() });
    await proxies().delete(proxy.id);
    await proxies().delete('987654321');
    expect(await stored(proxy.id)).toEqual(first);
  });

  it('F24: is refused with PROXY_IN_USE while a live account uses it; a deleted account is none', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    await insertAccount(gateway.em(), { proxy_id: proxy.id, deleted_at: new Date() });
    const account = await insertAccount(gateway.em(), { proxy_id: proxy.id });
    expect(await codeOf(proxies().delete(proxy.id))).toBe('PROXY_IN_USE');
    expect(await proxies().findById(proxy.id)).not.toBeNull();
    await gateway
      .em()
      .execute('update accounts set proxy_id = null where id = ? and deleted_at is null', [account]);
    expect(await codeOf(proxies().delete(proxy.id))).toBe('done');
  });

  it('is physical within skipSoftDelete, of a deleted proxy too, and refused there as well for a live account', async () => {
    const [used, dead] = [await mustCreateProxy(gateway.em()), await mustCreateProxy(gateway.em())];
    await insertAccount(gateway.em(), { proxy_id: used.id });
    await proxies().delete(dead.id);
    const physically = (id: string) =>
      codeOf(gateway.em().skipSoftDelete((em) => gatewayRepositories(em).proxies.delete(id)));
    expect([await physically(used.id), await physically(dead.id)]).toEqual(['PROXY_IN_USE', 'done']);
    expect(await stored(dead.id)).toBeUndefined();
    expect(await stored(used.id)).toMatchObject({ deleted_at: null });
  });
});

it('F17: every method runs in the caller’s transaction on a pool of one connection, which undoes all of it', async () => {
  const own = await openGateway({ pool: { min: 0, max: 1 } });
  const answers: Record<string, unknown> = {};
  const attempt = own.em().transactional(async (tx) => {
    const repository = gatewayRepositories(tx).proxies;
    const { id } = await repository.create({ ...MINIMAL, name: 'inside' });
    await insertAccount(tx, { proxy_id: id });
    const free = await repository.create({ ...MINIMAL, name: 'free' });
    // One entry per method, so that a method without one does not compile.
    const calls: Readonly<Record<keyof GatewayRepositories['proxies'], () => Promise<unknown>>> = {
      create: () => repository.create(MINIMAL),
      getById: () => repository.getById(id),
      findById: () => repository.findById(id),
      update: () => repository.update({ id, port: 81 }),
      list: () => repository.list(),
      listWithFilters: () => repository.listWithFilters({}, { search: 'inside' }),
      listWithFiltersAndAccountCount: () =>
        repository.listWithFiltersAndAccountCount({}, { search: 'inside' }),
      listActive: () => repository.listActive(),
      listActiveWithAccountCount: () => repository.listActiveWithAccountCount(),
      existsByHostPortAuth: () => repository.existsByHostPortAuth('h', 81, '', ''),
      countAccountsByProxyId: () => repository.countAccountsByProxyId(id),
      getAccountCountsForProxies: () => repository.getAccountCountsForProxies(),
      listAccountSummariesByProxyId: () => repository.listAccountSummariesByProxyId(id),
      delete: () => repository.delete(free.id),
    };
    for (const [method, call] of Object.entries(calls)) answers[method] = await call();
    answers['after'] = await repository.findById(free.id);
    throw new Error('enough');
  });
  await expect(attempt).rejects.toThrow('enough');
  expect(answers).toMatchObject({
    listWithFiltersAndAccountCount: { total: 1, items: [{ name: 'inside', port: 81, accountCount: 1 }] },
    existsByHostPortAuth: true,
    countAccountsByProxyId: 1,
    after: null,
  });
  expect(await own.em().skipSoftDelete((em) => em.count(Proxy))).toBe(0);
  await own.close();
});
