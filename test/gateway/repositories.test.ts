import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { openGateway, type Gateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

it('a repository is made once, and shares the entity manager with the others', async () => {
  const repositories = gatewayRepositories(gateway.em());
  expect(repositories.users).toBe(repositories.users);
  const { users, apiKeys } = repositories;
  const user = await users.create({ email: 'own@example.com', passwordHash: 'hash' });
  expect((await apiKeys.listByUserId(user.id)).total).toBe(0);
});

it.each<[string, unknown]>([
  ['timeZone', 'Mars/Base'],
  ['allowedGroups', 'both'],
  ['usageLogs', 'weekly'],
  ['reads', 'anywhere'],
  ['soraKeys', { current: 'a', keys: { a: 'short' } }],
])('a wrong %s is refused before any repository is asked for', (option, value) => {
  const make = (): unknown => gatewayRepositories(gateway.em(), { [option]: value });
  expect(make).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
});
