import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { openGateway, type Gateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

it('repositories are made once for an entity manager, and share it', async () => {
  const em = gateway.em();
  const { users, apiKeys } = gatewayRepositories(em);
  expect(gatewayRepositories(em).users).toBe(users);
  expect(gatewayRepositories(gateway.em()).users).not.toBe(users);
  expect(gatewayRepositories(em, {}).users).not.toBe(users);
  const user = await users.create({ email: 'own@example.com', passwordHash: 'hash' });
  expect((await apiKeys.listByUserId(user.id)).total).toBe(0);
});

it.each<[string, unknown]>([
  ['timeZone', 'Mars/Base'],
  ['allowedGroups', 'both'],
  ['usageLogs', 'weekly'],
  ['reads', 'anywhere'],
  ['soraKeys', { current: 'a', keys: { a: 'short' } }],
])('a wrong %s is refused at once', (option, value) => {
  const make = (): unknown => gatewayRepositories(gateway.em(), { [option]: value });
  expect(make).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
});
