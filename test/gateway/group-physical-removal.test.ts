import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, Group } from 'tombstone/gateway';
import { mustCreateGroupWithChildren } from '../support/gateway-groups.ts';
import { storedEvents } from '../support/gateway-rows.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const groups = (): GatewayRepositories['groups'] => gatewayRepositories(gateway.em()).groups;
const row = async (table: string, id: string): Promise<Record<string, unknown> | undefined> =>
  (await gateway.rows<Record<string, unknown>>(`select * from ${table} where id = ?`, [id]))[0];
const rowsOfGroup = (table: string, id: string): Promise<object[]> =>
  gateway.rows(`select * from ${table} where group_id = ?`, [id]);
const eventsOf = async (id: string): Promise<unknown[]> =>
  (await storedEvents(gateway.em())).filter((event) => event.group_id === id).slice(1);

describe('removing a group physically', () => {
  const actions = async (full: Awaited<ReturnType<typeof mustCreateGroupWithChildren>>): Promise<void> => {
    expect(await row('groups', full.group.id)).toBeUndefined();
    for (const key of [full.liveKey, full.deletedKey])
      expect(await row('api_keys', key)).toMatchObject({ group_id: null });
    expect(await row('redeem_codes', full.redeemCode)).toMatchObject({ group_id: null });
    expect(await row('groups', full.dependent)).toMatchObject({ fallback_group_id: null, deleted_at: null });
    expect(await row('user_subscriptions', full.subscription)).toBeUndefined();
    expect(await rowsOfGroup('account_groups', full.group.id)).toEqual([]);
    expect(await rowsOfGroup('user_allowed_groups', full.group.id)).toEqual([]);
    expect(await row('users', full.user)).toMatchObject({ deleted_at: null });
    expect(await row('accounts', full.account)).toMatchObject({ deleted_at: null });
  };

  it('lets the foreign keys act, and tells the scheduler', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em());
    await gateway.em().skipSoftDelete((all) => gatewayRepositories(all).groups.delete(full.group.id));
    await actions(full);
    expect(await eventsOf(full.group.id)).toHaveLength(1);
    await gateway.em().skipSoftDelete((all) => gatewayRepositories(all).groups.delete(full.group.id));
    expect(await eventsOf(full.group.id)).toHaveLength(1);
  });

  it('removes a group that was soft-deleted before', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em());
    await groups().delete(full.group.id);
    expect(await rowsOfGroup('account_groups', full.group.id)).toHaveLength(1);
    await gateway.em().getRepository(Group).hardDelete(full.group.id);
    await actions(full);
  });

  it('is what a cascade does inside skipSoftDelete, with the same answer', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em());
    const users = await gateway
      .em()
      .skipSoftDelete((all) => gatewayRepositories(all).groups.deleteCascade(full.group.id));
    expect(users).toEqual([full.user]);
    expect(await row('groups', full.group.id)).toBeUndefined();
    expect(await row('user_subscriptions', full.subscription)).toBeUndefined();
    expect(await eventsOf(full.group.id)).toHaveLength(1);
  });
});
