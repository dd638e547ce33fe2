import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type AccountRecord, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { eventsOf, mustCreateAccount } from '../support/gateway-accounts.ts';
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

describe('updateExtra', () => {
  it('replaces top-level keys whole, stores JSON null and keeps the rest', async () => {
    expect(await accounts.updateExtra(account.id, { deep: { z: 3 }, none: null })).toBe(true);
    expect((await stored()).extra).toEqual({ kept: 1, deep: { z: 3 }, none: null });
  });

  it('of nothing sends no statement', async () => {
    gateway.statements();
    expect(await accounts.updateExtra(account.id, {})).toBe(false);
    expect(await accounts.updateExtra(account.id, { left: undefined }, { removeKeys: [] })).toBe(false);
    expect(gateway.statements()).toEqual([]);
  });

  it('is one statement', async () => {
    gateway.statements();
    await accounts.updateExtra(account.id, { a: 1 });
    expect(gateway.statements()).toHaveLength(1);
  });

  it('F16: sets updated_at, which the original’s merge leaves as it was', async () => {
    const old = `updated_at = '2020-01-01'`;
    await gateway.rows(`update accounts set ${old} where id = ?`, [account.id]);
    await gateway.rows(`update accounts set extra = extra || '{"a": 1}' where id = ?`, [account.id]);
    const unchanged = `select id from accounts where id = ? and ${old}`;
    expect(await gateway.rows(unchanged, [account.id])).toEqual([{ id: account.id }]);
    await accounts.updateExtra(account.id, { a: 2 });
    expect(await gateway.rows(unchanged, [account.id])).toEqual([]);
  });

  it('F28: removes keys, and makes an object of what is none, which a plain || makes a list of', async () => {
    await accounts.updateExtra(account.id, { deep: 1 }, { removeKeys: ['kept', 'deep', 'a,b"{}'] });
    expect((await stored()).extra).toEqual({ deep: 1 });
    for (const broken of ['[1]', '"text"', '7', 'null']) {
      await gateway.rows('update accounts set extra = ?::jsonb where id = ?', [broken, account.id]);
      const [row] = await gateway.rows<{ merged: unknown }>(
        `select extra || '{"a": 1}'::jsonb as merged from accounts where id = ?`,
        [account.id],
      );
      expect(Array.isArray(row?.merged)).toBe(true);
      await accounts.updateExtra(account.id, { a: 1 });
      expect((await stored()).extra).toEqual({ a: 1 });
    }
  });

  it('F21: tells nobody of a patch that no choice looks at, nor of one that changes nothing', async () => {
    const patch = { codex_used: 5 };
    // The original's two statements, whatever the patch.
    const original = await eventsOf(gateway, async () => {
      await gateway.rows(`update accounts set extra = extra || '{"codex_used": 4}' where id = ?`, [
        account.id,
      ]);
      await gateway.rows(
        `insert into scheduler_outbox (event_type, account_id) values ('account_changed', ?)`,
        [account.id],
      );
    });
    expect(original).toMatchObject([changed(account.id)]);
    const quiet = await eventsOf(gateway, () =>
      accounts.updateExtra(account.id, patch, { affectsScheduling: false }),
    );
    expect([quiet, (await stored()).extra]).toMatchObject([[], patch]);
    expect(await eventsOf(gateway, () => accounts.updateExtra(account.id, patch))).toEqual([]);
    const other = { codex_used: 6 };
    expect(await eventsOf(gateway, () => accounts.updateExtra(account.id, other))).toMatchObject([
      changed(account.id),
    ]);
  });

  it('F11: of a missing or deleted account is ACCOUNT_NOT_FOUND', async () => {
    // The original's reaches the deleted one.
    const original = `update accounts set extra = extra || '{"b": 1}' where id = ? returning id`;
    expect(await gateway.rows(original, [dead])).toEqual([{ id: dead }]);
    for (const id of [UNKNOWN, dead]) {
      await expect(accounts.updateExtra(id, { a: 1 })).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
    }
  });
});

describe('limits of models and quota scopes', () => {
  const reset = new Date('2031-02-03T04:05:06.999Z');
  const limitsOf = async (): Promise<Record<string, unknown>> =>
    (await stored()).extra['model_rate_limits'] as Record<string, unknown>;

  it('F26: of an account without any are stored, which a path of two steps does not do', async () => {
    const [row] = await gateway.rows<{ extra: object }>(
      `select jsonb_set(extra, '{model_rate_limits,opus}', '{}') as extra from accounts where id = ?`,
      [account.id],
    );
    expect(row?.extra).toEqual(account.extra);
    expect(await accounts.setModelRateLimit(account.id, 'opus', reset)).toBe(true);
    const extra = (await stored()).extra;
    expect(extra).toMatchObject({ ...account.extra, model_rate_limits: { opus: {} } });
    expect(extra['model_rate_limits']).toEqual({
      opus: {
        rate_limited_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        rate_limit_reset_at: '2031-02-03T04:05:06Z',
      },
    });
  });

  it('F27: of a scope in a path of text are stored elsewhere, or not at all', async () => {
    await accounts.setModelRateLimit(account.id, 'a', reset);
    const path = (scope: string): string => `{model_rate_limits,${scope}}`;
    const sql = `select jsonb_set(extra, ?::text[], '"x"') -> 'model_rate_limits' as limits from accounts where id = ?`;
    const [row] = await gateway.rows<{ limits: object }>(sql, [path('a,b'), account.id]);
    expect(row?.limits).toEqual({ a: expect.objectContaining({ b: 'x' }) });
    await expect(gateway.rows(sql, [path('a}b'), account.id])).rejects.toMatchObject({ sqlState: '22P02' });
  });

  it.each(['a,b', 'a}b', '{"', '"', String.raw`\"`, 'ä', "'", '0', '?'])(
    'F27: of the scope %p are stored under exactly that key, beside the others',
    async (scope) => {
      await accounts.setModelRateLimit(account.id, 'opus', reset);
      await accounts.setModelRateLimit(account.id, scope, reset);
      expect(Object.keys(await limitsOf()).toSorted()).toEqual(['opus', scope].toSorted());
    },
  );

  it('take the place of a parent that is no object', async () => {
    for (const broken of [[1], 'text', null]) {
      await accounts.updateExtra(account.id, { model_rate_limits: broken });
      await accounts.setModelRateLimit(account.id, 'opus', reset);
      expect(Object.keys(await limitsOf())).toEqual(['opus']);
    }
  });

  it('are told of, once each, and removed together', async () => {
    const set = () => accounts.setAntigravityQuotaScopeLimit(account.id, 'gemini_text', reset);
    expect(await eventsOf(gateway, set)).toMatchObject([changed(account.id)]);
    await accounts.setModelRateLimit(account.id, 'opus', reset);
    expect(await accounts.clearAntigravityQuotaScopes(account.id)).toBe(true);
    expect(Object.keys((await stored()).extra)).not.toContain('antigravity_quota_scopes');
    expect(await accounts.clearModelRateLimits(account.id)).toBe(true);
    expect((await stored()).extra).toEqual(account.extra);
    const again = () => accounts.clearModelRateLimits(account.id);
    expect([await eventsOf(gateway, again), await again()]).toEqual([[], false]);
  });

  it('of no scope are none, without a statement', async () => {
    gateway.statements();
    expect(await accounts.setModelRateLimit(account.id, '', reset)).toBe(false);
    expect(await accounts.setAntigravityQuotaScopeLimit(account.id, '', reset)).toBe(false);
    expect(gateway.statements()).toEqual([]);
  });

  it('of a missing or deleted account are ACCOUNT_NOT_FOUND', async () => {
    for (const id of [UNKNOWN, dead]) {
      for (const attempt of [
        () => accounts.setModelRateLimit(id, 'opus', reset),
        () => accounts.setAntigravityQuotaScopeLimit(id, 'claude', reset),
        () => accounts.clearModelRateLimits(id),
        () => accounts.clearAntigravityQuotaScopes(id),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
      }
    }
  });
});
