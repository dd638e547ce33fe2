import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type AccountRecord,
  type BulkAccountChange,
  type GatewayRepositories,
  gatewayRepositories,
} from 'tombstone/gateway';
import { eventsOf, mustCreateAccount } from '../support/gateway-accounts.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const UNKNOWN = '987654321';

let gateway: Gateway;
let accounts: GatewayRepositories['accounts'];
let account: AccountRecord;
let dead: string;
beforeAll(async () => {
  gateway = await openGateway();
  accounts = gatewayRepositories(gateway.em()).accounts;
  dead = (await mustCreateAccount(gateway.em())).id;
  await accounts.delete(dead);
});
beforeEach(async () => {
  const credentials = { access: 'a', refresh: 'r' };
  account = await mustCreateAccount(gateway.em(), { credentials, extra: { kept: 1, deep: { x: 1, y: 2 } } });
});
afterAll(() => gateway.close());

const stored = (): Promise<AccountRecord> => accounts.getById(account.id);
const changed = (id: string): object => ({ event_type: 'account_changed', account_id: id });
const versionOf = async (id: string): Promise<string | undefined> =>
  (await gateway.rows<{ xmin: string }>('select xmin::text from accounts where id = ?', [id]))[0]?.xmin;

describe('F5: update', () => {
  it('keeps what others have written since, which the original’s erases', async () => {
    const reset = new Date('2031-01-01T00:00:00Z');
    // The original: read the row, change the token, write all columns.
    await accounts.setRateLimited(account.id, reset);
    await gateway.rows(
      `update accounts set credentials = ?::jsonb, extra = ?::jsonb, rate_limit_reset_at = ? where id = ?`,
      [
        JSON.stringify({ ...account.credentials, access: 'new' }),
        JSON.stringify(account.extra),
        account.rateLimitResetAt,
        account.id,
      ],
    );
    expect((await stored()).rateLimitResetAt).toBeNull();

    await accounts.setRateLimited(account.id, reset);
    await accounts.updateExtra(account.id, { other: true });
    const updated = await accounts.update({ id: account.id, credentials: { access: 'newer' } });
    expect(updated).toMatchObject({ rateLimitResetAt: reset, extra: { kept: 1, other: true } });
    expect(updated.credentials).toEqual({ access: 'newer', refresh: 'r' });
  });

  it('names the changed columns alone, and sets updated_at', async () => {
    gateway.statements();
    await accounts.update({ id: account.id, name: 'renamed', notes: undefined });
    const update = gateway.statements().find((sql) => sql.includes('update accounts'));
    expect(update).toMatch(/update accounts set name = .*, updated_at = now\(\)\s+where/);
    expect(update).not.toMatch(/notes|extra|credentials/);
  });

  it('writes nothing and tells nobody where nothing differs', async () => {
    const version = await versionOf(account.id);
    const same = { id: account.id, name: account.name, rateMultiplier: '1', extra: { kept: 1 } };
    expect(await eventsOf(gateway, () => accounts.update(same))).toEqual([]);
    expect(await eventsOf(gateway, () => accounts.update({ id: account.id }))).toEqual([]);
    expect(await versionOf(account.id)).toBe(version);
    expect(await eventsOf(gateway, () => accounts.update({ ...same, priority: 1 }))).toMatchObject([
      changed(account.id),
    ]);
  });

  it('clears by null what may be empty', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    const at = new Date('2031-01-01T00:00:00.123Z');
    const full = {
      notes: 'n',
      proxyId: proxy.id,
      errorMessage: 'e',
      lastUsedAt: at,
      expiresAt: at,
      rateLimitedAt: at,
      rateLimitResetAt: at,
      overloadUntil: at,
      tempUnschedulableUntil: at,
      tempUnschedulableReason: 'r',
      sessionWindowStart: at,
      sessionWindowEnd: at,
      sessionWindowStatus: 's',
    };
    expect(await accounts.update({ id: account.id, ...full })).toMatchObject(full);
    const cleared = Object.fromEntries(Object.keys(full).map((name) => [name, null]));
    expect(await accounts.update({ id: account.id, ...cleared })).toMatchObject({
      ...cleared,
      errorMessage: '',
      tempUnschedulableReason: '',
      sessionWindowStatus: '',
    });
  });

  it('F11: of a missing or deleted account is ACCOUNT_NOT_FOUND and tells nobody', async () => {
    // The original's reaches the deleted one.
    const original = 'update accounts set priority = 3 where id = ? returning id';
    expect(await gateway.rows(original, [dead])).toEqual([{ id: dead }]);
    for (const id of [UNKNOWN, dead]) {
      for (const change of [{}, { name: 'x' }, { extra: { x: 1 } }]) {
        const events = await eventsOf(gateway, () =>
          expect(accounts.update({ id, ...change })).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' }),
        );
        expect(events).toEqual([]);
      }
    }
  });

  it('F13: to a deleted proxy is PROXY_NOT_FOUND', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    await gatewayRepositories(gateway.em()).proxies.delete(proxy.id);
    // The original's, which the foreign key lets pass.
    const original = 'update accounts set proxy_id = ? where id = ? returning proxy_id';
    expect(await gateway.rows(original, [proxy.id, account.id])).toEqual([{ proxy_id: proxy.id }]);
    await accounts.update({ id: account.id, proxyId: null });
    const refused = { code: 'PROXY_NOT_FOUND' };
    await expect(accounts.update({ id: account.id, proxyId: proxy.id })).rejects.toMatchObject(refused);
    await expect(accounts.bulkUpdate([account.id], { proxyId: proxy.id })).rejects.toMatchObject(refused);
    await expect(mustCreateAccount(gateway.em(), { proxyId: proxy.id })).rejects.toMatchObject(refused);
    expect((await stored()).proxyId).toBeNull();
  });
});

describe('bulkUpdate', () => {
  it('changes live accounts in one update, merges JSON and tells once', async () => {
    const other = await mustCreateAccount(gateway.em(), { extra: { b: 1 } });
    const change = { priority: 7, rateMultiplier: '2.5', extra: { a: 1 }, removeExtra: ['deep'] };
    let count = 0;
    const events = await eventsOf(gateway, async () => {
      gateway.statements();
      count = await accounts.bulkUpdate([other.id, account.id, dead, UNKNOWN, '0', other.id], change);
      expect(gateway.statements()).toHaveLength(1);
    });
    const payload = { account_ids: [account.id, other.id] };
    expect([count, events]).toMatchObject([
      2,
      [{ event_type: 'account_bulk_changed', account_id: null, payload }],
    ]);
    expect(await stored()).toMatchObject({ priority: 7, rateMultiplier: '2.5000', extra: { kept: 1, a: 1 } });
    expect((await accounts.getById(other.id)).extra).toEqual({ a: 1, b: 1 });
    expect(await gateway.rows('select from accounts where id = ? and priority = 7', [dead])).toEqual([]);
  });

  it.each<[string, string[], BulkAccountChange]>([
    ['no ids', [], { priority: 1 }],
    ['ids that mean none', ['0', '-1'], { priority: 1 }],
    ['no change', ['1'], {}],
    ['what cannot be changed in bulk', ['1'], { platform: 'x' } as never],
  ])('of %s is 0, without a statement', async (_what, ids, change) => {
    gateway.statements();
    expect(await accounts.bulkUpdate(ids, change)).toBe(0);
    expect(gateway.statements()).toEqual([]);
  });

  it('of accounts that are missing or deleted tells nobody', async () => {
    expect(await eventsOf(gateway, () => accounts.bulkUpdate([dead, UNKNOWN], { priority: 1 }))).toEqual([]);
  });

  it('takes proxies away by null and by 0', async () => {
    const proxy = await mustCreateProxy(gateway.em());
    for (const none of [null, '0']) {
      await accounts.bulkUpdate([account.id], { proxyId: proxy.id });
      expect((await stored()).proxyId).toBe(proxy.id);
      await accounts.bulkUpdate([account.id], { proxyId: none });
      expect((await stored()).proxyId).toBeNull();
    }
  });
});

describe('input that a column cannot hold', () => {
  const at = new Date('2031-01-01T00:00:00Z');
  const NEW = { name: 'new', platform: 'sora', type: 'apikey' } as const;
  it.each<[string, () => Promise<unknown>]>([
    ['no name', () => accounts.create({ platform: 'openai', type: 'oauth' } as never)],
    ['a platform that there is not', () => accounts.update({ id: '1', platform: 'kiro' as 'sora' })],
    ['a type that there is not', () => accounts.update({ id: '1', type: 'official' as 'oauth' })],
    ['a status of codes', () => accounts.update({ id: '1', status: 'used' as 'active' })],
    ['a status in capitals', () => accounts.bulkUpdate(['1'], { status: 'Active' as 'active' })],
    ['an empty status', () => accounts.bulkUpdate([], { status: '' as 'active' })],
    ['a new account of another type', () => accounts.create({ ...NEW, type: 'x' as 'oauth' })],
    ['a new account of another platform', () => accounts.create({ ...NEW, platform: 'x' as 'sora' })],
    ['a new account with another status', () => accounts.create({ ...NEW, status: 'x' as 'error' })],
    ['a filter by no platform', () => accounts.listWithFilters({}, { platform: 'x' as 'sora' })],
    ['a filter by no type', () => accounts.listWithFilters({}, { type: 'x' as 'oauth' })],
    ['a filter by no status', () => accounts.listWithFilters({}, { status: 'x' as 'error' })],
    ['a list of no platform', () => accounts.listByPlatform('x')],
    ['a choice of no platform', () => accounts.listSchedulableByPlatform('')],
    ['a choice of a group and no platform', () => accounts.listSchedulableByGroupIdAndPlatform('1', 'x')],
    ['one platform and none', () => accounts.listSchedulableByPlatforms(['sora', 'x'])],
    ['a long name', () => accounts.update({ id: '1', name: 'x'.repeat(101) })],
    ['an id that is a number', () => accounts.update({ id: 1 as never })],
    ['a negative multiplier', () => accounts.update({ id: '1', rateMultiplier: '-1' })],
    ['a multiplier with five decimals', () => accounts.bulkUpdate(['1'], { rateMultiplier: '1.00001' })],
    ['a priority past 32 bits', () => accounts.update({ id: '1', priority: 2 ** 31 })],
    ['an invalid Date', () => accounts.update({ id: '1', expiresAt: new Date(Number.NaN) })],
    ['a text as Date', () => accounts.setRateLimited('1', '2031-01-01' as never)],
    ['a year past 9999', () => accounts.setOverloaded('1', new Date(8.64e15))],
    ['credentials that are a list', () => accounts.update({ id: '1', credentials: [] as never })],
    ['extra with NaN', () => accounts.updateExtra('1', { n: Number.NaN })],
    ['extra with a Date', () => accounts.updateExtra('1', { n: at })],
    ['extra with a NUL in a key', () => accounts.updateExtra('1', { 'a\0': 1 })],
    ['no extra', () => accounts.updateExtra('1', null as never)],
    ['keys that are a text', () => accounts.updateExtra('1', {}, { removeKeys: 'a' as never })],
    ['an unknown quota scope', () => accounts.setAntigravityQuotaScopeLimit('1', 'x' as never, at)],
    ['a NUL in a scope', () => accounts.setModelRateLimit('1', 'a\0', at)],
    ['a flag that is none', () => accounts.setSchedulable('1', 1 as never)],
    ['times that are no Map', () => accounts.batchUpdateLastUsed({} as never)],
    ['times with an invalid Date', () => accounts.batchUpdateLastUsed(new Map([['1', new Date('x')]]))],
    ['platforms that are a text', () => accounts.listSchedulableByPlatforms('x' as never)],
    ['a binding priority of 1.5', () => accounts.addToGroup('1', '1', 1.5)],
    ['groups that are no ids', () => accounts.bindGroups('1', ['x'])],
    ['a long window status', () => accounts.updateSessionWindow('1', null, null, 'x'.repeat(21))],
  ])('is refused before any SQL: %s', async (_what, attempt) => {
    gateway.statements();
    await expect(attempt()).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });

  it('is none for each platform, type and status that there is', async () => {
    const platforms = ['anthropic', 'openai', 'gemini', 'antigravity', 'sora'] as const;
    for (const platform of platforms)
      for (const type of ['oauth', 'setup-token', 'apikey'] as const) {
        const { id } = await accounts.create({ name: 'one of each', platform, type });
        for (const status of ['disabled', 'error', 'active'] as const) {
          expect(await accounts.update({ id, status })).toMatchObject({ platform, type, status });
          const found = await accounts.listWithFilters({}, { platform, type, status });
          expect(found.items.map((one) => one.id)).toContain(id);
        }
        expect((await accounts.listSchedulableByPlatform(platform)).map((one) => one.id)).toContain(id);
      }
  });

  it('what a table of another program’s making holds is read, and changed elsewhere', async () => {
    const [row] = await gateway.rows<{ id: string }>(
      `insert into accounts (name, platform, type, status) values ('foreign', 'kiro', 'official', 'odd') returning id`,
    );
    const id = row?.id ?? '';
    const foreign = { platform: 'kiro', type: 'official', status: 'odd' };
    expect(await accounts.update({ id, notes: 'seen' })).toMatchObject({ ...foreign, notes: 'seen' });
    expect(await accounts.bulkUpdate([id], { status: 'active' })).toBe(1);
    expect(await accounts.getById(id)).toMatchObject({ ...foreign, status: 'active' });
  });

  it('is never in the message', async () => {
    const secret = { token: 'secret\0' };
    const error: unknown = await accounts.update({ id: '1', credentials: secret }).catch((e: unknown) => e);
    expect(String(error)).toBe('InvalidInputError: credentials must not contain a NUL character.');
  });
});
