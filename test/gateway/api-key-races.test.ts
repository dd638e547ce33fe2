import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { ApiKey, deleteGroupCascade, gatewayRepositories } from 'tombstone/gateway';
import { insertBareKey, untilLockWaits } from '../support/gateway-api-keys.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 4 } });
});
afterAll(() => gateway.close());

const repositories = (em = gateway.em()) => gatewayRepositories(em);
const all = (code: string): string[] => Array(CALLERS).fill(code) as string[];
const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const each = (work: (caller: number) => Promise<unknown>): Promise<unknown[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => codeOf(work(caller))));

/** Runs `work` for every caller after `first` was done and before it is committed; answers what the callers met. */
async function during(
  first: (tx: DataEntityManager) => Promise<unknown>,
  work: (caller: number) => Promise<unknown>,
): Promise<unknown[]> {
  let attempts: Promise<unknown[]> | undefined;
  await gateway.em().transactional(async (tx) => {
    await first(tx);
    let ended = 0;
    attempts = each((caller) => work(caller).finally(() => (ended += 1)));
    await untilLockWaits(gateway, () => CALLERS - ended);
  });
  return attempts ?? [];
}

/** Starts `then` once every caller has done its work and holds it open, and lets them commit when it waits for them. */
async function whileOpen(
  work: (tx: DataEntityManager, caller: number) => Promise<unknown>,
  then: () => Promise<unknown>,
): Promise<unknown[]> {
  let ready = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  let last: Promise<unknown> | undefined;
  const callers = each((caller) =>
    gateway.em().transactional(async (tx) => {
      await work(tx, caller);
      ready += 1;
      if (ready === CALLERS) {
        last = codeOf(then());
        await untilLockWaits(gateway, () => 1);
        open();
      }
      await gate;
    }),
  );
  return [...new Set([...(await callers), await last])];
}

describe(`the owner is deleted while ${CALLERS} keys are created`, () => {
  const deleteUser = (id: string) => (tx: DataEntityManager) => repositories(tx).users.delete(id);

  it('F13: with the foreign key alone, every key is attached to a deleted owner', async () => {
    const { id } = await mustCreateUser(gateway.em());
    const bare = () => insertBareKey(gateway.em(), { user_id: id });
    expect(await during(deleteUser(id), bare)).toEqual(all('done'));
    expect(await repositories().apiKeys.countByUserId(id)).toBe(CALLERS);
  });

  it('F13: create waits for the deletion, and is refused', async () => {
    const { id } = await mustCreateUser(gateway.em());
    const create = () => mustCreateApiKey(gateway.em(), { userId: id });
    expect(await during(deleteUser(id), create)).toEqual(all('USER_NOT_FOUND'));
    expect(await repositories().apiKeys.countByUserId(id)).toBe(0);
  });

  it('F13: the deletion waits for keys that are being created', async () => {
    const { id } = await mustCreateUser(gateway.em());
    const create = (tx: DataEntityManager) => mustCreateApiKey(tx, { userId: id });
    expect(await whileOpen(create, () => repositories().users.delete(id))).toEqual(['done']);
    expect(await repositories().apiKeys.countByUserId(id)).toBe(CALLERS);
    expect(await repositories().users.findById(id)).toBeNull();
  });
});

describe.each([
  ['deleted', (tx: DataEntityManager, id: string) => gatewayRepositories(tx).groups.delete(id)],
  ['deleted with what hangs on it', (tx: DataEntityManager, id: string) => deleteGroupCascade(tx, id)],
])(`a group is %s while ${CALLERS} keys come in`, (name, remove) => {
  const live = (group: string) => gateway.em().count(ApiKey, { group });
  const keysOutside = async (): Promise<string[]> => {
    const { id: userId } = await mustCreateUser(gateway.em());
    const keys = Array.from({ length: CALLERS }, () => mustCreateApiKey(gateway.em(), { userId }));
    return (await Promise.all(keys)).map((key) => key.id);
  };

  it('F13: with the foreign key alone, every key moves into a deleted group', async () => {
    const [group, keys] = [await mustCreateGroup(gateway.em()), await keysOutside()];
    const sql = 'update api_keys set group_id = ? where id = ? and deleted_at is null';
    const bare = (caller: number) => gateway.em().execute(sql, [group.id, keys[caller]], 'run');
    const met = await during((tx) => remove(tx, group.id), bare);
    expect(met).toEqual(all('done'));
    expect(await live(group.id)).toBe(CALLERS);
  });

  it('F13: update waits for the deletion, and is refused; so is create', async () => {
    const [group, keys] = [await mustCreateGroup(gateway.em()), await keysOutside()];
    const { id: userId } = await mustCreateUser(gateway.em());
    const move = (caller: number) =>
      caller % 2
        ? repositories().apiKeys.update({ id: keys[caller] ?? '', groupId: group.id })
        : mustCreateApiKey(gateway.em(), { userId, groupId: group.id });
    const met = await during((tx) => remove(tx, group.id), move);
    expect(met).toEqual(all('GROUP_NOT_FOUND'));
    expect(await live(group.id)).toBe(0);
    expect(await repositories().apiKeys.countByUserId(userId)).toBe(0);
  });

  it('F13: the deletion waits for keys that are on their way', async () => {
    const [group, keys] = [await mustCreateGroup(gateway.em()), await keysOutside()];
    const move = (tx: DataEntityManager, caller: number) =>
      repositories(tx).apiKeys.update({ id: keys[caller] ?? '', groupId: group.id });
    const deletion = () => gateway.em().transactional(async (tx): Promise<unknown> => remove(tx, group.id));
    expect(await whileOpen(move, deletion)).toEqual(['done']);
    expect(await live(group.id)).toBe(name === 'deleted' ? CALLERS : 0);
  });
});

describe(`${CALLERS} callers`, () => {
  it('move one key between two groups that are deleted meanwhile, without a deadlock', async () => {
    for (let round = 0; round < 5; round += 1) {
      const groups = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
      const key = await mustCreateApiKey(gateway.em(), { groupId: groups[0]?.id ?? null });
      const met = await each(async (caller): Promise<unknown> => {
        const groupId = groups[caller % 2]?.id ?? '';
        if (caller === 12 || caller === 21) return deleteGroupCascade(gateway.em(), groupId);
        return repositories().apiKeys.update({ id: key.id, groupId, name: `by ${caller}` });
      });
      expect(met.filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
      expect(await repositories().apiKeys.findById(key.id)).toMatchObject({ groupId: null, group: null });
    }
  });

  it('F25: that look before they create all find nothing, and all but one meet the database', async () => {
    const { id } = await mustCreateUser(gateway.em());
    const looked = await Promise.all(
      Array.from({ length: CALLERS }, () => repositories().apiKeys.existsByKey('sk-looked')),
    );
    expect(new Set(looked)).toEqual(new Set([false]));
    const met = await each(() => mustCreateApiKey(gateway.em(), { userId: id, key: 'sk-looked' }));
    expect(met.toSorted()).toEqual([...Array(CALLERS - 1).fill('API_KEY_EXISTS'), 'done']);
    expect(await repositories().apiKeys.countByUserId(id)).toBe(1);
  });

  it('F25: wait for a value that is being created, and one has it when that is undone', async () => {
    const { id } = await mustCreateUser(gateway.em());
    const create = (em: DataEntityManager) => mustCreateApiKey(em, { userId: id, key: 'sk-undone' });
    let attempts: Promise<unknown[]> | undefined;
    const undone = gateway.em().transactional(async (tx) => {
      await create(tx);
      attempts = each(() => create(gateway.em()));
      await untilLockWaits(gateway, () => CALLERS);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect((await attempts)?.toSorted()).toEqual([...Array(CALLERS - 1).fill('API_KEY_EXISTS'), 'done']);
  });

  it('F14, F25: never have the value of a deleted key', async () => {
    const key = await mustCreateApiKey(gateway.em(), { key: 'sk-deleted' });
    const create = () => mustCreateApiKey(gateway.em(), { userId: key.userId, key: 'sk-deleted' });
    const deletion = (tx: DataEntityManager) => repositories(tx).apiKeys.delete(key.id);
    expect(await during(deletion, create)).toEqual(all('API_KEY_EXISTS'));
    expect(await codeOf(create())).toBe('API_KEY_EXISTS');
  });
});
