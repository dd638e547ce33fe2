import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AccountRecord, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { mustCreateAccount } from '../support/gateway-accounts.ts';
import { mustCreateProxy } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const LOOKS = 150;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 16 } });
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const live = (sql: string) => `${sql} and deleted_at is null`;

/** An account of a group, with a proxy. */
async function bound(groupId: string): Promise<AccountRecord> {
  const { id: proxyId } = await mustCreateProxy(gateway.em());
  const { id } = await mustCreateAccount(gateway.em(), { proxyId });
  await repositories().accounts.addToGroup(id, groupId, 1);
  return repositories().accounts.getById(id);
}

/** Gives the account another proxy and deletes the one that it had, as an administrator does. */
async function moveProxy({ id, proxyId }: AccountRecord): Promise<void> {
  const next = await mustCreateProxy(gateway.em());
  await repositories().accounts.update({ id, proxyId: next.id });
  await repositories().proxies.delete(proxyId ?? '');
}

/** How the original chooses: bindings, accounts, their proxies, all bindings, the groups, and two columns by themselves. */
async function original(
  groupId: string,
  between: () => Promise<void>,
): Promise<{ id: string; proxy: string | null }[]> {
  const bindings = await gateway.rows<{ account_id: string }>(
    'select account_id from account_groups where group_id = ? order by priority',
    [groupId],
  );
  const ids = `{${bindings.map((row) => row.account_id).join(',')}}`;
  const accounts = await gateway.rows<{ id: string; proxy_id: string | null }>(
    live(
      `select id, proxy_id from accounts where id = any (?::bigint[]) and status = 'active' and schedulable`,
    ),
    [ids],
  );
  await between();
  const proxyIds = `{${accounts.flatMap((row) => row.proxy_id ?? []).join(',')}}`;
  const proxies = await gateway.rows<{ id: string }>(
    live('select id from proxies where id = any (?::bigint[])'),
    [proxyIds],
  );
  const all = 'select group_id from account_groups where account_id = any (?::bigint[])';
  const groups = (await gateway.rows<{ group_id: string }>(all, [ids])).map((row) => row.group_id);
  await gateway.rows(live('select id from groups where id = any (?::bigint[])'), [`{${groups.join(',')}}`]);
  await gateway.rows('select id, temp_unschedulable_until from accounts where id = any (?::bigint[])', [ids]);
  const known = new Set(proxies.map(({ id }) => id));
  return accounts.map(({ id, proxy_id: proxy }) => ({ id, proxy: proxy && known.has(proxy) ? proxy : null }));
}

describe('F29: a choice of accounts', () => {
  it('takes six statements in the original, between which a proxy turns into none', async () => {
    const { id: groupId } = await mustCreateGroup(gateway.em());
    const account = await bound(groupId);
    gateway.statements();
    expect(await original(groupId, async () => undefined)).toEqual([
      { id: account.id, proxy: account.proxyId },
    ]);
    expect(gateway.statements()).toHaveLength(6);
    // The account has had a live proxy at every moment.
    expect(await original(groupId, () => moveProxy(account))).toEqual([{ id: account.id, proxy: null }]);
  });

  it('takes one of ours, and has a live proxy whenever it is made', async () => {
    const { id: groupId } = await mustCreateGroup(gateway.em());
    const account = await bound(groupId);
    gateway.statements();
    await repositories().accounts.listSchedulableByGroupId(groupId);
    expect(gateway.statements()).toHaveLength(1);
    const moved = new AbortController();
    const moving = (async () => {
      while (!moved.signal.aborted) await moveProxy(await repositories().accounts.getById(account.id));
    })();
    try {
      const seen = new Set<string | null>();
      for (let look = 0; look < LOOKS; look += 1) {
        const chosen = await repositories().accounts.listSchedulableByGroupId(groupId);
        expect(chosen.map(({ id }) => id)).toEqual([account.id]);
        seen.add(chosen[0]?.proxyId ?? null);
      }
      expect(seen).not.toContain(null);
      expect(seen.size).toBeGreaterThan(1);
    } finally {
      moved.abort();
      await moving;
    }
  });
});
