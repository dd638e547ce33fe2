import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { mustCreateDefinition } from '../support/gateway-attributes.ts';
import { codeOf, mustCreatePromoCode, mustCreateRedeemCode } from '../support/gateway-codes.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

const UNKNOWN = '987654321';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const of = (): GatewayRepositories => gatewayRepositories(gateway.em());
const mustCreateProxy = () => of().proxies.create({ name: 'p', protocol: 'http', host: 'h', port: 80 });

interface Aggregate {
  readonly make: () => Promise<{ id: string }>;
  readonly remove: (id: string) => Promise<unknown>;
  /** Of a row that never was, and of one that is deleted already. */
  readonly answers: readonly [unknown, unknown];
  /** A soft-deletable table: what `change` answers for a deleted row of it. */
  readonly table?: string;
  readonly change?: (id: string) => Promise<unknown>;
  readonly refusal?: string;
}

const AGGREGATES: Record<string, Aggregate> = {
  users: {
    make: () => mustCreateUser(gateway.em()),
    remove: (id) => of().users.delete(id),
    answers: ['USER_NOT_FOUND', 'done'],
    table: 'users',
    change: (id) => of().users.update({ id, status: 'other' }),
    refusal: 'USER_NOT_FOUND',
  },
  'API keys': {
    make: () => mustCreateApiKey(gateway.em()),
    remove: (id) => of().apiKeys.delete(id),
    answers: ['API_KEY_NOT_FOUND', 'done'],
    table: 'api_keys',
    change: (id) => of().apiKeys.update({ id, status: 'other' }),
    refusal: 'API_KEY_NOT_FOUND',
  },
  groups: {
    make: () => mustCreateGroup(gateway.em()),
    remove: (id) => of().groups.delete(id),
    answers: ['done', 'done'],
    table: 'groups',
    change: (id) => of().groups.update({ id, status: 'other' }),
    refusal: 'GROUP_NOT_FOUND',
  },
  'groups with what hangs on them': {
    make: () => mustCreateGroup(gateway.em()),
    remove: (id) => of().groups.deleteCascade(id),
    answers: ['GROUP_NOT_FOUND', 'GROUP_NOT_FOUND'],
  },
  proxies: {
    make: mustCreateProxy,
    remove: (id) => of().proxies.delete(id),
    answers: ['done', 'done'],
    table: 'proxies',
    change: (id) => of().proxies.update({ id, status: 'other' }),
    refusal: 'PROXY_NOT_FOUND',
  },
  'attribute definitions': {
    make: () => mustCreateDefinition(gateway.em()),
    remove: (id) => of().attributeDefinitions.delete(id),
    answers: ['done', 'done'],
    table: 'user_attribute_definitions',
    change: (id) => of().attributeDefinitions.update({ id, name: 'other' }),
    refusal: 'ATTRIBUTE_DEFINITION_NOT_FOUND',
  },
  'redeem codes': {
    make: () => mustCreateRedeemCode(gateway.em()),
    remove: (id) => of().redeemCodes.delete(id),
    answers: ['done', 'done'],
  },
  'promo codes': {
    make: () => mustCreatePromoCode(gateway.em()),
    remove: (id) => of().promoCodes.delete(id),
    answers: ['done', 'done'],
  },
};

describe.each(Object.entries(AGGREGATES))('deleting %s', (_name, { make, remove, answers, ...rest }) => {
  it('F12: answers for an unknown row and a deleted one as the table of the specification says', async () => {
    const { id } = await make();
    expect(await codeOf(remove(id))).toBe('done');
    expect([await codeOf(remove(UNKNOWN)), await codeOf(remove(id))]).toEqual(answers);
  });

  const { table, change, refusal } = rest;
  if (!table || !change) return;
  it('F11: makes the row unchangeable, where the original’s update reaches it', async () => {
    const { id } = await make();
    await remove(id);
    const row = () => gateway.rows(`select * from ${table} where id = ?`, [id]);
    const before = await row();
    expect(await codeOf(change(id))).toBe(refusal);
    expect(await row()).toEqual(before);
    await gateway.rows(`update ${table} set updated_at = now() where id = ?`, [id]);
    expect(await row()).not.toEqual(before);
  });
});

describe('F16: the instant of the last change', () => {
  const instantOf = async (table: string, id: string): Promise<string | undefined> =>
    (await gateway.rows<{ at: string }>(`select updated_at::text as at from ${table} where id = ?`, [id]))[0]
      ?.at;
  const changes: [string, string, () => Promise<{ id: string }>, (id: string) => Promise<unknown>][] = [
    ['proxies', 'an update', mustCreateProxy, (id) => of().proxies.update({ id, status: 'other' })],
    ['proxies', 'a deletion', mustCreateProxy, (id) => of().proxies.delete(id)],
    [
      'user_attribute_definitions',
      'a new order',
      () => mustCreateDefinition(gateway.em()),
      (id) => of().attributeDefinitions.updateDisplayOrders(new Map([[id, 7]])),
    ],
    [
      'user_attribute_definitions',
      'a deletion',
      () => mustCreateDefinition(gateway.em()),
      (id) => of().attributeDefinitions.delete(id),
    ],
    [
      'promo_codes',
      'a use',
      () => mustCreatePromoCode(gateway.em()),
      (id) => of().promoCodes.incrementUsedCount(id),
    ],
    [
      'promo_codes',
      'an update',
      () => mustCreatePromoCode(gateway.em()),
      (id) => of().promoCodes.update({ id, notes: 'other' }),
    ],
  ];

  it.each(changes)('of %s is set by %s', async (table, _what, make, change) => {
    const { id } = await make();
    const before = await instantOf(table, id);
    await sleep(2);
    await change(id);
    expect(await instantOf(table, id)).not.toBe(before);
  });
});

it('F15: a proxy does not count its deleted accounts, which the rows of the table would', async () => {
  const { id } = await mustCreateProxy();
  const insert = `insert into accounts (name, platform, type, proxy_id, deleted_at) values
    ('live', 'p', 't', ?, null), ('dead', 'p', 't', ?, now())`;
  await gateway.rows(insert, [id, id]);
  expect(await gateway.rows('select 1 from accounts where proxy_id = ?', [id])).toHaveLength(2);
  expect(await of().proxies.countAccountsByProxyId(id)).toBe(1);
  expect((await of().proxies.getAccountCountsForProxies()).get(id)).toBe(1);
  expect(await of().proxies.listAccountSummariesByProxyId(id)).toMatchObject([{ name: 'live' }]);
});
