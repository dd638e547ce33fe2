import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKey, type ApiKeyRecord, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { insertBareKey } from '../support/gateway-api-keys.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

// What the original did wrong with keys; each test shows that first.

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const keys = (): GatewayRepositories['apiKeys'] => gatewayRepositories(gateway.em()).apiKeys;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

describe('F14: a value that a deleted key holds', () => {
  it('looks free to a look at live rows, and is not', async () => {
    const key = await mustCreateApiKey(gateway.em(), { key: 'sk-held' });
    await keys().delete(key.id);
    const liveOnly = 'select exists (select from api_keys where key = ? and deleted_at is null) as taken';
    expect(await gateway.em().execute(liveOnly, ['sk-held'])).toEqual([{ taken: false }]);
    const bare = insertBareKey(gateway.em(), { user_id: key.userId, key: 'sk-held' });
    expect(await codeOf(bare)).toBe('API_KEY_EXISTS');
    expect(await keys().existsByKey('sk-held')).toBe(true);
  });
});

describe('F16: the instant of the last change', () => {
  const OLD = '2020-01-01 00:00:00+00';
  const age = (id: string) => gateway.rows('update api_keys set updated_at = ? where id = ?', [OLD, id]);
  const isOld = async (id: string): Promise<boolean> => {
    const sql = 'select updated_at < created_at as old from api_keys where id = ?';
    return (await gateway.rows<{ old: boolean }>(sql, [id]))[0]?.old === true;
  };

  it('stays where a raw write forgets it', async () => {
    const key = await mustCreateApiKey(gateway.em());
    await age(key.id);
    await gateway.rows('update api_keys set group_id = null where id = ?', [key.id]);
    expect(await isOld(key.id)).toBe(true);
  });

  it.each<[string, (key: ApiKeyRecord) => Promise<unknown>]>([
    ['update', (key) => keys().update({ id: key.id, name: 'new' })],
    ['update that changes nothing', (key) => keys().update({ id: key.id })],
    ['delete', (key) => keys().delete(key.id)],
    ['clearGroupIdByGroupId', (key) => keys().clearGroupIdByGroupId(key.groupId ?? '')],
  ])('moves on in %s', async (_, write) => {
    const group = await mustCreateGroup(gateway.em());
    const key = await mustCreateApiKey(gateway.em(), { groupId: group.id });
    await age(key.id);
    await write(key);
    expect(await isOld(key.id)).toBe(false);
  });

  it('stays when there is nothing to do: at a second deletion, and for deleted keys of a group', async () => {
    const group = await mustCreateGroup(gateway.em());
    const key = await mustCreateApiKey(gateway.em(), { groupId: group.id });
    await keys().delete(key.id);
    await age(key.id);
    await keys().delete(key.id);
    expect(await keys().clearGroupIdByGroupId(group.id)).toBe(0);
    expect(await isOld(key.id)).toBe(true);
  });
});

describe('F29: statements', () => {
  it('are one for a key with owner and group, where one after the other are three', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const key = await mustCreateApiKey(gateway.em(), { userId: user.id, groupId: group.id });
    gateway.statements();
    const em = gateway.em();
    const loaded = await em.findOneOrFail(ApiKey, { key: key.key });
    await em.populate([loaded], ['user', 'group'], { strategy: 'select-in' });
    expect(gateway.statements()).toHaveLength(3);
    const reads = [
      () => keys().getByKeyForAuth(key.key),
      () => keys().getByKey(key.key),
      () => keys().getById(key.id),
      () => keys().listByUserId(user.id),
      () => keys().listByGroupId(group.id),
    ];
    for (const read of reads) {
      await read();
      expect(gateway.statements()).toHaveLength(1);
    }
  });
});

describe('F31: pages of keys', () => {
  it('follow the size that is used, not the one that was asked for', async () => {
    const user = await mustCreateUser(gateway.em());
    const made: string[] = [];
    for (let n = 0; n < 130; n += 1) made.unshift(await insertBareKey(gateway.em(), { user_id: user.id }));
    const idsOf = async (page: number, pageSize: number) =>
      (await keys().listByUserId(user.id, { page, pageSize })).items.map((key) => key.id);
    // The original cut 500 to 100 rows and still skipped 500 for the second page; 0 gave page 1 again.
    const original =
      'select id from api_keys where user_id = ? and deleted_at is null order by id desc limit 100 offset ?';
    expect(await gateway.em().execute(original, [user.id, 500])).toEqual([]);
    expect(await idsOf(2, 500)).toEqual(made.slice(100));
    expect(await idsOf(2, 0)).toEqual(made.slice(20, 40));
    expect(await idsOf(-3, -1)).toEqual(made.slice(0, 20));
    expect(await keys().listByUserId(user.id, { page: 9, pageSize: 50 })).toMatchObject({
      items: [],
      total: 130,
      page: 9,
      pages: 3,
    });
    const nobody = await mustCreateUser(gateway.em());
    expect(await keys().listByUserId(nobody.id)).toMatchObject({ items: [], total: 0, pages: 0 });
  });
});

describe('F41: what the database refuses', () => {
  const insert = (values: object) => {
    const em = gateway.em();
    em.create(ApiKey, { name: 'n', key: 'sk-f41', ...values } as never);
    return codeOf(em.flush());
  };

  it('has the code of the specification, also past the checks of the repository', async () => {
    const { id } = await mustCreateUser(gateway.em());
    expect(await insert({ user: '987654321' })).toBe('USER_NOT_FOUND');
    expect(await insert({ user: id, group: '987654321' })).toBe('GROUP_NOT_FOUND');
    expect(await insert({ user: id, key: 'k'.repeat(129) })).toBe('VALIDATION');
    const tooLong = { userId: id, key: 'k'.repeat(129), name: 'n' };
    expect(await codeOf(keys().create(tooLong))).toBe('VALIDATION');
    expect(await insert({ user: id })).toBe('done');
    expect(await insert({ user: id })).toBe('API_KEY_EXISTS');
  });
});

describe('F46: secrets', () => {
  it('are in a row that is shown as it is, and in no answer of the repository', async () => {
    const user = await mustCreateUser(gateway.em(), { passwordHash: 'hash-secret' });
    const key = await mustCreateApiKey(gateway.em(), { userId: user.id, key: 'sk-secret' });
    const rows = await gateway.rows(
      'select k.key, u.password_hash from api_keys k join users u on u.id = k.user_id where k.id = ?',
      [key.id],
    );
    const show = (value: unknown): string => JSON.stringify(value) + inspect(value, { depth: 9 });
    expect(show(rows)).toMatch(/sk-secret.*hash-secret/s);
    const found = await keys().getById(key.id);
    const answers = [
      key,
      found,
      await keys().getByKey('sk-secret'),
      await keys().getByKeyForAuth('sk-secret'),
      await keys().getKeyAndOwnerId(key.id),
      await keys().listByUserId(user.id),
      await keys().searchApiKeys(user.id, '', 5),
      structuredClone(found),
    ];
    expect(show(answers)).not.toMatch(/sk-secret|hash-secret/);
    // The hash is not read at all: there is nothing to keep out of sight.
    expect(inspect(found.user, { showHidden: true })).not.toContain('hash-secret');
    expect([found.key, (await keys().listByUserId(user.id)).items[0]?.key]).toEqual([
      'sk-secret',
      'sk-secret',
    ]);
  });
});
