import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, type SchedulableAccount } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { mustCreateAccount } from '../support/gateway-accounts.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { insertAccount, insertBinding } from '../support/gateway-rows.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const NOW = '2030-05-05 05:05:05.123456+00';
const BEFORE = '2030-05-05 05:05:05.123455+00';
const AFTER = '2030-05-05 05:05:05.123457+00';

let gateway: Gateway;
let accounts: GatewayRepositories['accounts'];
/** A database whose statements all begin at {@link NOW}, to the microsecond. */
beforeAll(async () => {
  const { url } = await cloneTestDatabase();
  const plain = await openGateway({ url });
  await plain.rows('create schema clock');
  await plain.rows(`create function clock.statement_timestamp() returns timestamptz stable language sql
    as $$ select timestamptz '${NOW}' $$`);
  const [row] = await plain.rows<{ name: string }>('select quote_ident(current_database()) as name');
  await plain.rows(`alter database ${row?.name} set search_path = clock, pg_catalog, public`);
  await plain.close();
  gateway = await openGateway({ url });
  accounts = gatewayRepositories(gateway.em()).accounts;
});
afterAll(() => gateway.close());

const idsOf = (found: readonly SchedulableAccount[]): string[] => found.map((account) => account.id);
// Each test has the accounts of it to itself.
const platform = 'gemini';
beforeEach(() => gateway.rows('delete from accounts'));

describe('an account may be chosen', () => {
  it.each<[boolean, string, Record<string, unknown>]>([
    [true, 'as it is made', {}],
    [false, 'unless it is not active', { status: 'error' }],
    [false, 'unless it is switched off', { schedulable: false }],
    [false, 'unless it is deleted', { deleted_at: NOW }],
    [false, 'unless it is paused', { temp_unschedulable_until: AFTER }],
    [true, 'at the instant at which its pause ends', { temp_unschedulable_until: NOW }],
    [false, 'unless it is overloaded', { overload_until: AFTER }],
    [true, 'at the instant at which its overload ends', { overload_until: NOW }],
    [false, 'unless its rate is limited', { rate_limit_reset_at: AFTER }],
    [true, 'at the instant at which its limit ends', { rate_limit_reset_at: NOW }],
    [true, 'although it was limited once', { rate_limited_at: AFTER }],
    [true, 'until it expires', { expires_at: AFTER }],
    [false, 'unless it expires at this instant', { expires_at: NOW }],
    [false, 'unless it has expired', { expires_at: BEFORE }],
    [
      true,
      'although it has expired, where it does not pause',
      { expires_at: BEFORE, auto_pause_on_expired: false },
    ],
  ])('%p: %s', async (isChosen, _what, values) => {
    const id = await insertAccount(gateway.em(), { platform, ...values });
    const group = await mustCreateGroup(gateway.em());
    await insertBinding(gateway.em(), id, group.id);
    const expected = isChosen ? [id] : [];
    expect(idsOf(await accounts.listSchedulable()).includes(id)).toBe(isChosen);
    expect(idsOf(await accounts.listSchedulableByPlatform(platform))).toEqual(expected);
    expect(idsOf(await accounts.listSchedulableByPlatforms([platform, 'sora']))).toEqual(expected);
    expect(idsOf(await accounts.listSchedulableByGroupId(group.id))).toEqual(expected);
    expect(idsOf(await accounts.listSchedulableByGroupIdAndPlatform(group.id, platform))).toEqual(expected);
    expect(idsOf(await accounts.listSchedulableByGroupIdAndPlatforms(group.id, [platform]))).toEqual(
      expected,
    );
    expect(await accounts.listSchedulableByGroupIdAndPlatform(group.id, 'sora')).toEqual([]);
    expect(await accounts.listSchedulableByGroupIdAndPlatforms(group.id, ['sora', 'openai'])).toEqual([]);
  });

  it('F13: not with a deleted proxy, nor for a deleted group', async () => {
    const [kept, gone] = [await mustCreateProxy(gateway.em()), await mustCreateProxy(gateway.em())];
    const a = await mustCreateAccount(gateway.em(), { platform, proxyId: kept.id });
    const b = await mustCreateAccount(gateway.em(), { platform, proxyId: gone.id });
    await gateway.rows('update proxies set deleted_at = now() where id = ?', [gone.id]);
    // The original looks at the account alone, and loads no proxy with it.
    const original = `select id from accounts where platform = ? and status = 'active' and schedulable and deleted_at is null`;
    expect(await gateway.rows(original, [platform])).toContainEqual({ id: b.id });
    expect((await accounts.listSchedulableByPlatform(platform)).map((one) => [one.id, one.proxyId])).toEqual([
      [a.id, kept.id],
    ]);
    const group = await mustCreateGroup(gateway.em());
    await accounts.bindGroups(a.id, [group.id]);
    await accounts.bindGroups(b.id, [group.id]);
    expect(idsOf(await accounts.listSchedulableByGroupId(group.id))).toEqual([a.id]);
    await gatewayRepositories(gateway.em()).groups.delete(group.id);
    expect(await accounts.listSchedulableByGroupId(group.id)).toEqual([]);
    expect((await accounts.listSchedulableByPlatform(platform))[0]?.groupIds).toEqual([]);
  });
});

it('the order is the priority, then the id; of a group first that of the binding', async () => {
  const [a, b, c, d] = await Promise.all(
    [5, 5, 1, 9].map((priority) => mustCreateAccount(gateway.em(), { platform, priority })),
  );
  const ids = [a, b, c, d].map((account) => account?.id ?? '') as [string, string, string, string];
  const tied = [ids[0], ids[1]].toSorted((x, y) => Number(x) - Number(y));
  expect(idsOf(await accounts.listSchedulableByPlatform(platform))).toEqual([ids[2], ...tied, ids[3]]);
  const group = await mustCreateGroup(gateway.em());
  for (const id of ids) await accounts.addToGroup(id, group.id, id === ids[3] ? 1 : 2);
  expect(idsOf(await accounts.listSchedulableByGroupId(group.id))).toEqual([ids[3], ids[2], ...tied]);
});

it('a row has every column, the proxy and the groups by the priority of the binding', async () => {
  const proxy = await mustCreateProxy(gateway.em());
  const [first, second] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
  const made = await mustCreateAccount(gateway.em(), {
    platform,
    proxyId: proxy.id,
    credentials: { token: 't' },
    extra: { a: [1] },
    expiresAt: new Date('2040-01-01T00:00:00.123Z'),
    errorMessage: null,
    notes: 'n',
  });
  await accounts.bindGroups(made.id, [second.id, first.id]);
  const [row] = await accounts.listSchedulableByPlatform(platform);
  const {
    proxy: _p,
    isProxyDeleted: _d,
    groups: _g,
    accountGroups: _b,
    ...columns
  } = await accounts.getById(made.id);
  expect(row).toEqual({ ...columns, groupIds: [second.id, first.id] });
  expect(row?.credentials).toEqual({ token: 't' });
  const inside = await gateway
    .em()
    .transactional((tx) => gatewayRepositories(tx).accounts.listSchedulableByPlatforms([platform]));
  expect(inside).toEqual([row]);
});

it('of no platforms there are none, without a statement', async () => {
  gateway.statements();
  expect(await accounts.listSchedulableByPlatforms([])).toEqual([]);
  expect(await accounts.listSchedulableByGroupIdAndPlatforms('1', [])).toEqual([]);
  expect(gateway.statements()).toEqual([]);
});

it('a transaction that began long ago sees the instant of the statement', async () => {
  const other = await openGateway();
  try {
    await other.em().transactional(async (tx) => {
      const own = gatewayRepositories(tx).accounts;
      const id = await insertAccount(tx, { platform });
      // Between the beginning of the transaction and the next statement.
      await tx.execute(
        `update accounts set overload_until = clock_timestamp() where id = ? and deleted_at is null`,
        [id],
      );
      const sql = 'select overload_until > now() as late from accounts where id = ? and deleted_at is null';
      expect(await tx.execute(sql, [id])).toEqual([{ late: true }]);
      expect(idsOf(await own.listSchedulableByPlatform(platform))).toEqual([id]);
    });
  } finally {
    await other.close();
  }
});
