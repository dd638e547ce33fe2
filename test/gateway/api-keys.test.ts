import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKey, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const keys = (): GatewayRepositories['apiKeys'] => repositories().apiKeys;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

describe('creating a key', () => {
  it('gives the stored row; an empty list of addresses is none', async () => {
    const user = await mustCreateUser(gateway.em());
    const key = await keys().create({
      userId: user.id,
      key: 'sk-new',
      name: 'n',
      ipWhitelist: ['10.0.0.0/8', '::1'],
      ipBlacklist: [],
    });
    expect(key).toMatchObject({
      userId: user.id,
      groupId: null,
      status: 'active',
      ipWhitelist: ['10.0.0.0/8', '::1'],
      ipBlacklist: null,
    });
    const [row] = await gateway.rows<{ list: unknown }>(
      'select ip_blacklist as list from api_keys where id = ?',
      [key.id],
    );
    expect(row?.list).toBeNull();
    expect(await keys().findByKey('sk-new')).toMatchObject({ ...key, user: { id: user.id }, group: null });
  });

  it('F14: answers API_KEY_EXISTS for a value that a deleted key holds, and existsByKey says so before', async () => {
    const key = await mustCreateApiKey(gateway.em(), { key: 'sk-once' });
    await keys().delete(key.id);
    expect(await keys().findByKey('sk-once')).toBeNull();
    expect(await keys().existsByKey('sk-once')).toBe(true);
    expect(await keys().existsByKey('sk-never')).toBe(false);
    expect(await codeOf(mustCreateApiKey(gateway.em(), { key: 'sk-once' }))).toBe('API_KEY_EXISTS');
  });

  it('F13: refuses a deleted or unknown owner or group', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    await repositories().users.delete(user.id);
    await repositories().groups.delete(group.id);
    expect(await codeOf(mustCreateApiKey(gateway.em(), { userId: user.id }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(mustCreateApiKey(gateway.em(), { userId: '987654321' }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(mustCreateApiKey(gateway.em(), { groupId: group.id }))).toBe('GROUP_NOT_FOUND');
    expect(await codeOf(mustCreateApiKey(gateway.em(), { groupId: '987654321' }))).toBe('GROUP_NOT_FOUND');
  });

  it.each([
    ['null', null],
    ['an empty key', { userId: '1', key: '', name: 'n' }],
    ['a key of 129 characters', { userId: '1', key: 'k'.repeat(129), name: 'n' }],
    ['no owner', { key: 'k', name: 'n' }],
    ['an owner as a number', { userId: 1, key: 'k', name: 'n' }],
    ['a host name for an address', { userId: '1', key: 'k', name: 'n', ipWhitelist: ['localhost'] }],
    ['a prefix of 33 bits', { userId: '1', key: 'k', name: 'n', ipBlacklist: ['10.0.0.0/33'] }],
    ['a text for a list', { userId: '1', key: 'k', name: 'n', ipBlacklist: '10.0.0.1' }],
    ['a number for an address', { userId: '1', key: 'k', name: 'n', ipBlacklist: [10] }],
    ['two prefixes', { userId: '1', key: 'k', name: 'n', ipBlacklist: ['10.0.0.0/8/8'] }],
  ])('refuses %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(keys().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('F46: keeps the value out of JSON, logs, copies and errors', async () => {
    const key = await mustCreateApiKey(gateway.em(), { key: 'sk-very-secret' });
    expect(key.key).toBe('sk-very-secret');
    const full = await keys().getById(key.id);
    expect(full.key).toBe('sk-very-secret');
    const twin = await mustCreateApiKey(gateway.em(), { key: 'sk-very-secret' }).catch(
      (error: unknown) => error,
    );
    const shown = [key, full, { ...full }, twin]
      .map((value) => JSON.stringify(value) + inspect(value, { depth: 6 }))
      .join();
    expect(shown).toContain('API_KEY_EXISTS');
    expect(shown).not.toContain('sk-very-secret');
  });
});

describe('reading keys', () => {
  it('gives owner and group, null where they are deleted while their ids stay visible', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const key = await mustCreateApiKey(gateway.em(), { userId: user.id, groupId: group.id });
    expect(await keys().getById(key.id)).toMatchObject({
      user: { id: user.id, email: user.email },
      group: { id: group.id },
    });
    await repositories().users.delete(user.id);
    await repositories().groups.delete(group.id);
    const skipped = await gateway
      .em()
      .skipSoftDelete((em) => gatewayRepositories(em).apiKeys.getById(key.id));
    expect(skipped).toMatchObject({ user: { id: user.id }, group: { id: group.id } });
    for (const found of [await keys().getById(key.id), await keys().getByKey(key.key)]) {
      expect(found).toMatchObject({ userId: user.id, groupId: group.id, user: null, group: null });
    }
    expect(await keys().getByKeyForAuth(key.key)).toMatchObject({
      userId: user.id,
      groupId: group.id,
      user: null,
      group: null,
    });
  });

  it('gives value and owner alone, without reading anything else', async () => {
    const key = await mustCreateApiKey(gateway.em(), { ipWhitelist: ['::1'] });
    gateway.statements();
    const found = await keys().getKeyAndOwnerId(key.id);
    expect([found.key, found]).toEqual([key.key, { userId: key.userId }]);
    const [sql, ...more] = gateway.statements();
    expect(more).toEqual([]);
    expect(sql).not.toMatch(/ip_whitelist|"name"|group_id/);
  });

  it('authenticates in one statement, inside a transaction too, with every column that it needs', async () => {
    const group = await mustCreateGroup(gateway.em(), {
      rateMultiplier: '0.5',
      dailyLimitUsd: '10',
      imagePrice2k: '0.02',
      modelRouting: { '*': ['3'] },
      modelRoutingEnabled: true,
    });
    const user = await mustCreateUser(gateway.em(), { balance: '12.5', concurrency: 3 });
    const key = await mustCreateApiKey(gateway.em(), {
      userId: user.id,
      groupId: group.id,
      ipWhitelist: ['127.0.0.1'],
    });
    const snapshot = await keys().getByKeyForAuth(key.key);
    expect(snapshot).toEqual({
      id: key.id,
      userId: user.id,
      groupId: group.id,
      status: 'active',
      ipWhitelist: ['127.0.0.1'],
      ipBlacklist: null,
      user: { id: user.id, status: 'active', role: 'user', balance: '12.5000000000', concurrency: 3 },
      group: {
        id: group.id,
        name: group.name,
        platform: 'anthropic',
        status: 'active',
        subscriptionType: 'standard',
        rateMultiplier: '0.5000',
        dailyLimitUsd: '10.00000000',
        weeklyLimitUsd: null,
        monthlyLimitUsd: null,
        imagePrice1k: null,
        imagePrice2k: '0.02000000',
        imagePrice4k: null,
        claudeCodeOnly: false,
        fallbackGroupId: null,
        modelRoutingEnabled: true,
        modelRouting: { '*': ['3'] },
      },
    });
    gateway.statements();
    const inside = await gateway
      .em()
      .transactional((tx) => gatewayRepositories(tx).apiKeys.getByKeyForAuth(key.key));
    expect(inside).toEqual(snapshot);
    expect(gateway.statements()).toHaveLength(1);
  });

  it('answers API_KEY_NOT_FOUND for a deleted or unknown key', async () => {
    const key = await mustCreateApiKey(gateway.em());
    await keys().delete(key.id);
    const attempts = [
      keys().getById(key.id),
      keys().getByKey(key.key),
      keys().getByKeyForAuth(key.key),
      keys().getKeyAndOwnerId(key.id),
      keys().getKeyAndOwnerId('987654321'),
      keys().update({ id: key.id, name: 'x' }),
    ];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(Array(6).fill('API_KEY_NOT_FOUND'));
    const finds = [keys().findById(key.id), keys().findByKey(key.key), keys().findKeyAndOwnerId(key.id)];
    expect(await Promise.all([...finds, keys().findByKeyForAuth('sk-unknown')])).toEqual(Array(4).fill(null));
    await keys().delete(key.id);
    expect(await codeOf(keys().delete('987654321'))).toBe('API_KEY_NOT_FOUND');
    expect(await gateway.em().skipSoftDelete((em) => em.count(ApiKey, { id: key.id }))).toBe(1);
  });
});

describe('changing a key', () => {
  it('writes what is given in one update, and answers the instant that is stored', async () => {
    const group = await mustCreateGroup(gateway.em());
    const key = await mustCreateApiKey(gateway.em(), { groupId: group.id, ipWhitelist: ['127.0.0.1'] });
    gateway.statements();
    const { updatedAt } = await keys().update({
      id: key.id,
      name: 'renamed',
      key: 'stolen',
      userId: '1',
    } as never);
    expect(gateway.statements().filter((sql) => sql.startsWith('update'))).toHaveLength(1);
    const after = await keys().getById(key.id);
    expect(after).toMatchObject({
      key: key.key,
      userId: key.userId,
      name: 'renamed',
      groupId: group.id,
      ipWhitelist: ['127.0.0.1'],
    });
    expect(after.updatedAt).toEqual(updatedAt);
  });

  it('F45: clears group and addresses by null, and addresses by an empty list', async () => {
    const group = await mustCreateGroup(gateway.em());
    const key = await mustCreateApiKey(gateway.em(), {
      groupId: group.id,
      ipWhitelist: ['127.0.0.1'],
      ipBlacklist: ['::1'],
    });
    await keys().update({ id: key.id, groupId: null, ipWhitelist: [], ipBlacklist: null });
    expect(await keys().getById(key.id)).toMatchObject({
      groupId: null,
      group: null,
      ipWhitelist: null,
      ipBlacklist: null,
    });
    expect(await codeOf(keys().update({ id: key.id, groupId: '987654321' }))).toBe('GROUP_NOT_FOUND');
  });

  it('keeps a deleted group that the key has already, and refuses it to any other key', async () => {
    const group = await mustCreateGroup(gateway.em());
    const [having, other] = [
      await mustCreateApiKey(gateway.em(), { groupId: group.id }),
      await mustCreateApiKey(gateway.em()),
    ];
    await repositories().groups.delete(group.id);
    await keys().update({ id: having.id, status: 'disabled', groupId: group.id });
    expect(await keys().getById(having.id)).toMatchObject({
      status: 'disabled',
      groupId: group.id,
      group: null,
    });
    expect(await codeOf(keys().update({ id: other.id, status: 'disabled', groupId: group.id }))).toBe(
      'GROUP_NOT_FOUND',
    );
    expect(await keys().getById(other.id)).toMatchObject({ status: 'active', groupId: null });
  });
});

describe('lists of keys', () => {
  let own: Gateway;
  let ids: { user: string; other: string; group: string; keys: string[] };
  beforeAll(async () => {
    own = await openGateway();
    const em = own.em();
    const [user, other, group] = [
      await mustCreateUser(em),
      await mustCreateUser(em),
      await mustCreateGroup(em),
    ];
    const made: string[] = [];
    for (let n = 1; n <= 6; n += 1)
      made.push(
        (
          await mustCreateApiKey(em, {
            userId: user.id,
            groupId: n % 2 ? group.id : null,
            name: n === 3 ? '50%' : `name ${n}`,
          })
        ).id,
      );
    made.push((await mustCreateApiKey(em, { userId: other.id, groupId: group.id })).id);
    await gatewayRepositories(em).apiKeys.delete(made[4] ?? '');
    ids = { user: user.id, other: other.id, group: group.id, keys: made };
  });
  afterAll(() => own.close());
  const list = () => gatewayRepositories(own.em()).apiKeys;

  it('F30: are newest first, without deleted keys, in the same number of statements for every size', async () => {
    const page = await list().listByUserId(ids.user, { pageSize: 2 });
    expect(page).toMatchObject({
      total: 5,
      pages: 3,
      items: [{ id: ids.keys[5] }, { id: ids.keys[3], group: null }],
    });
    const ofGroup = await list().listByGroupId(ids.group);
    expect(ofGroup.items.map((key) => key.id)).toEqual([ids.keys[6], ids.keys[2], ids.keys[0]]);
    expect(ofGroup.items[0]).toMatchObject({ user: { id: ids.other }, group: { id: ids.group } });
    const counts: number[] = [];
    for (const pageSize of [3, 50]) {
      own.statements();
      await list().listByUserId(ids.user, { pageSize });
      counts.push(own.statements().length);
    }
    expect(counts).toEqual([1, 1]);
  });

  it('count, search and give values of live keys only', async () => {
    expect(await list().countByUserId(ids.user)).toBe(5);
    expect(await list().countByGroupId(ids.group)).toBe(3);
    expect(
      await own.em().skipSoftDelete((em) => gatewayRepositories(em).apiKeys.countByUserId(ids.user)),
    ).toBe(6);
    const values = async (picked: number[]) =>
      Promise.all(picked.map(async (n) => (await list().getById(ids.keys[n] ?? '')).key));
    expect(await list().listKeysByUserId(ids.user)).toEqual(await values([0, 1, 2, 3, 5]));
    expect(await list().listKeysByGroupId(ids.group)).toEqual(await values([0, 2, 6]));
    expect((await list().searchApiKeys(ids.user, '%', 10)).map((key) => key.name)).toEqual(['50%']);
    expect((await list().searchApiKeys(undefined, '', 2)).map((key) => key.id)).toEqual([
      ids.keys[6],
      ids.keys[5],
    ]);
    expect((await list().searchApiKeys('0', 'NAME', 999)).length).toBe(4);
    expect((await list().searchApiKeys(ids.user, '', Number.NaN)).length).toBe(1);
  });

  it('verify who owns which', async () => {
    expect(await list().verifyOwnership(ids.user, [...ids.keys, '987654321'].toReversed())).toEqual(
      [0, 1, 2, 3, 5].map((n) => ids.keys[n]),
    );
    own.statements();
    expect(await list().verifyOwnership(ids.user, [])).toEqual([]);
    expect(own.statements()).toEqual([]);
  });

  it('lose their group together, live ones only', async () => {
    const dead = ids.keys[4] ?? '';
    expect(await list().clearGroupIdByGroupId(ids.group)).toBe(3);
    expect(await list().clearGroupIdByGroupId(ids.group)).toBe(0);
    expect(await list().countByGroupId(ids.group)).toBe(0);
    const [row] = await own.rows<{ group_id: string }>('select group_id from api_keys where id = ?', [dead]);
    expect(row?.group_id).toBe(ids.group);
  });
});
