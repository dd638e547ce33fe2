import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteGroupCascade,
  type GatewayRepositories,
  gatewayRepositories,
  verifyAllowedGroups,
} from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 1 } });
});
afterAll(() => gateway.close());

type Calls<T> = Readonly<Record<keyof T, () => Promise<unknown>>>;
interface Rows {
  readonly user: string;
  readonly group: string;
  readonly apiKey: string;
}

// One entry per method, so that a method without one does not compile; the last ones delete what the others use.
const callsOfUsers = (
  users: GatewayRepositories['users'],
  rows: Rows,
): Calls<GatewayRepositories['users']> => ({
  create: () => users.create({ email: 'two@example.com', passwordHash: 'h', allowedGroups: [rows.group] }),
  getById: () => users.getById(rows.user),
  findById: () => users.findById(rows.user),
  getByEmail: () => users.getByEmail('inside@example.com'),
  findByEmail: () => users.findByEmail('inside@example.com'),
  getFirstAdmin: () => users.getFirstAdmin(),
  update: () => users.update({ id: rows.user, notes: 'seen', allowedGroups: [rows.group] }),
  list: () => users.list(),
  listWithFilters: () => users.listWithFilters({}, { search: 'inside' }),
  updateBalance: () => users.updateBalance(rows.user, '2'),
  deductBalance: () => users.deductBalance(rows.user, '1'),
  setBalance: () => users.setBalance(rows.user, 'add', '1'),
  updateConcurrency: () => users.updateConcurrency(rows.user, 1),
  existsByEmail: () => users.existsByEmail('inside@example.com'),
  removeGroupFromAllowedGroups: () => users.removeGroupFromAllowedGroups(rows.group),
  delete: async () => {
    await users.delete(rows.user);
    await users.delete(rows.user);
  },
});

const callsOfGroups = (
  groups: GatewayRepositories['groups'],
  rows: Rows,
): Calls<GatewayRepositories['groups']> => ({
  create: () => groups.create({ name: 'two', fallbackGroupId: rows.group }),
  getById: () => groups.getById(rows.group),
  getByIdLite: () => groups.getByIdLite(rows.group),
  findById: () => groups.findById(rows.group),
  update: () => groups.update({ id: rows.group, fallbackGroupId: rows.group }),
  list: () => groups.list(),
  listWithFilters: () => groups.listWithFilters({}, { search: 'inside' }),
  listActive: () => groups.listActive(),
  listActiveByPlatform: () => groups.listActiveByPlatform('anthropic'),
  existsByName: () => groups.existsByName('inside'),
  getAccountCount: () => groups.getAccountCount(rows.group),
  deleteAccountGroupsByGroupId: () => groups.deleteAccountGroupsByGroupId(rows.group),
  deleteCascade: async () => groups.deleteCascade((await groups.create({ name: 'cascade' })).id),
  delete: () => groups.delete(rows.group),
});

const callsOfApiKeys = (
  apiKeys: GatewayRepositories['apiKeys'],
  rows: Rows,
): Calls<GatewayRepositories['apiKeys']> => ({
  create: () => apiKeys.create({ userId: rows.user, groupId: rows.group, key: 'sk-two', name: 'k' }),
  getById: () => apiKeys.getById(rows.apiKey),
  getByIds: () => apiKeys.getByIds([rows.apiKey]),
  getByKey: () => apiKeys.getByKey('sk-inside'),
  findById: () => apiKeys.findById(rows.apiKey),
  findByKey: () => apiKeys.findByKey('sk-inside'),
  getKeyAndOwnerId: () => apiKeys.getKeyAndOwnerId(rows.apiKey),
  findKeyAndOwnerId: () => apiKeys.findKeyAndOwnerId(rows.apiKey),
  getByKeyForAuth: () => apiKeys.getByKeyForAuth('sk-inside'),
  findByKeyForAuth: () => apiKeys.findByKeyForAuth('sk-inside'),
  update: () => apiKeys.update({ id: rows.apiKey, groupId: rows.group }),
  updateMany: () => apiKeys.updateMany([{ id: rows.apiKey, name: 'many' }]),
  listByUserId: () => apiKeys.listByUserId(rows.user),
  listByGroupId: () => apiKeys.listByGroupId(rows.group),
  searchApiKeys: () => apiKeys.searchApiKeys(rows.user, 'k', 10),
  verifyOwnership: () => apiKeys.verifyOwnership(rows.user, [rows.apiKey]),
  countByUserId: () => apiKeys.countByUserId(rows.user),
  countByGroupId: () => apiKeys.countByGroupId(rows.group),
  existsByKey: () => apiKeys.existsByKey('sk-inside'),
  listKeysByUserId: () => apiKeys.listKeysByUserId(rows.user),
  listKeysByGroupId: () => apiKeys.listKeysByGroupId(rows.group),
  clearGroupIdByGroupId: () => apiKeys.clearGroupIdByGroupId(rows.group),
  delete: async () => {
    await apiKeys.delete(rows.apiKey);
    await apiKeys.delete(rows.apiKey);
  },
});

async function insideRows({ users, groups, apiKeys }: GatewayRepositories): Promise<Rows> {
  const group = await groups.create({ name: 'inside' });
  const user = await users.create({
    email: 'inside@example.com',
    passwordHash: 'h',
    role: 'admin',
    allowedGroups: [group.id],
  });
  const apiKey = await apiKeys.create({ userId: user.id, key: 'sk-inside', name: 'k', groupId: group.id });
  return { user: user.id, group: group.id, apiKey: apiKey.id };
}

describe('F17: every method, on a pool of one connection', () => {
  // A method that asked the pool for a second connection would wait for ever; one that asked another connection would
  // not see rows that are not committed.
  it('runs in the caller’s transaction, which undoes all of it', async () => {
    const answers: Record<string, unknown> = {};
    const attempt = gateway.em().transactional(async (tx) => {
      const repositories = gatewayRepositories(tx);
      const rows = await insideRows(repositories);
      const calls = {
        apiKeys: callsOfApiKeys(repositories.apiKeys, rows),
        users: callsOfUsers(repositories.users, rows),
        groups: callsOfGroups(repositories.groups, rows),
      };
      for (const [repository, methods] of Object.entries(calls)) {
        for (const [method, call] of Object.entries(methods))
          answers[`${repository}.${method}`] = await call();
      }
      const other = await repositories.groups.create({ name: 'other cascade' });
      await deleteGroupCascade(tx, other.id);
      await verifyAllowedGroups(tx);
      throw new Error('enough');
    });
    await expect(attempt).rejects.toThrow('enough');

    expect(answers).toMatchObject({
      'users.getByEmail': { email: 'inside@example.com', role: 'admin', allowedGroups: [expect.any(String)] },
      'users.getFirstAdmin': { email: 'inside@example.com' },
      'users.update': { notes: 'seen' },
      'users.listWithFilters': { total: 1 },
      'users.setBalance': { before: '1.0000000000', after: '2.0000000000' },
      'users.existsByEmail': true,
      'users.removeGroupFromAllowedGroups': 2,
      'groups.existsByName': true,
      'apiKeys.getByKeyForAuth': { user: { role: 'admin' }, group: { name: 'inside' } },
      'apiKeys.listKeysByGroupId': ['sk-inside', 'sk-two'],
      'apiKeys.clearGroupIdByGroupId': 2,
    });
    const after = gatewayRepositories(gateway.em());
    expect(await after.users.existsByEmail('inside@example.com')).toBe(false);
    expect(await after.groups.existsByName('inside')).toBe(false);
    expect(await after.apiKeys.existsByKey('sk-inside')).toBe(false);
  });

  it('runs without a transaction too', async () => {
    const repositories = gatewayRepositories(gateway.em());
    const rows = await insideRows(repositories);
    for (const methods of [
      callsOfApiKeys(repositories.apiKeys, rows),
      callsOfUsers(repositories.users, rows),
      callsOfGroups(repositories.groups, rows),
    ]) {
      for (const call of Object.values(methods)) await call();
    }
    expect(await repositories.users.existsByEmail('inside@example.com')).toBe(false);
  });
});
