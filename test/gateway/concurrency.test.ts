import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKey, deleteGroupCascade, gatewayRepositories, User } from 'tombstone/gateway';
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
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const each = <T>(work: (caller: number) => Promise<T>): Promise<PromiseSettledResult<T>[]> =>
  Promise.allSettled(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
const codes = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((result) =>
    result.status === 'fulfilled' ? 'done' : (result.reason as { code?: string }).code,
  );
const repositories = () => gatewayRepositories(gateway.em());

/** Proves that the callers really have a connection each: all of them hold one at the same time. */
it(`has ${CALLERS} connections at once`, async () => {
  const pids = await each(async () => {
    const [row] = await gateway
      .em()
      .transactional((tx) => tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid, pg_sleep(0.3)'));
    return row?.pid;
  });
  expect(new Set(pids.map((result) => result.status === 'fulfilled' && result.value)).size).toBe(CALLERS);
});

describe(`${CALLERS} callers at once`, () => {
  it('change one balance to the exact sum', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '100' });
    await each(async (caller) => {
      for (let n = 0; n < 5; n += 1) {
        await repositories().users.deductBalance(user.id, '0.0000000049');
        await repositories().users.updateBalance(user.id, '1');
        if (caller % 8 === 0)
          await repositories()
            .users.update({ id: user.id, notes: `edited by ${caller}` })
            .catch(() => undefined);
      }
    });
    // 160 deductions of 0.0000000049 and 160 additions of 1.
    expect((await repositories().users.getById(user.id)).balance).toBe('259.9999992160');
  });

  it('F25: with one e-mail make one user and 31 EMAIL_EXISTS', async () => {
    const results = await each(() =>
      repositories().users.create({ email: 'race@example.com', passwordHash: 'h' }),
    );
    expect(codes(results).toSorted()).toEqual([...Array(CALLERS - 1).fill('EMAIL_EXISTS'), 'done']);
    expect(await gateway.em().count(User, { email: 'race@example.com' })).toBe(1);
  });

  it('set one balance one after the other, each seeing what the one before left', async () => {
    const user = await mustCreateUser(gateway.em());
    const results = await each(() => repositories().users.setBalance(user.id, 'add', '0.0000000001'));
    const seen = results.map((result) => result.status === 'fulfilled' && result.value.before).toSorted();
    expect(seen).toEqual(
      Array.from({ length: CALLERS }, (_, n) => `0.00000000${String(n).padStart(2, '0')}`),
    );
    expect((await repositories().users.getById(user.id)).balance).toBe('0.0000000032');
  });

  it('F25: with one group name, or one key value, make one row and 31 conflicts', async () => {
    const user = await mustCreateUser(gateway.em());
    const named = await each(() => repositories().groups.create({ name: 'race' }));
    expect(codes(named).toSorted()).toEqual([...Array(CALLERS - 1).fill('GROUP_EXISTS'), 'done']);
    const keyed = await each(() => mustCreateApiKey(gateway.em(), { userId: user.id, key: 'sk-race' }));
    expect(codes(keyed).toSorted()).toEqual([...Array(CALLERS - 1).fill('API_KEY_EXISTS'), 'done']);
    expect(await repositories().apiKeys.countByUserId(user.id)).toBe(1);
  });

  it('leave the set of allowed groups of one caller, never a mix of two', async () => {
    const groups = await Promise.all(Array.from({ length: 8 }, () => mustCreateGroup(gateway.em())));
    const sets = [groups.slice(0, 4), groups.slice(4)].map((set) =>
      set.map((group) => group.id).toSorted((a, b) => Number(a) - Number(b)),
    );
    const user = await mustCreateUser(gateway.em(), { allowedGroups: sets[0] });
    const seen = new Set<string>();
    const results = await each(async (caller) => {
      await repositories().users.update({ id: user.id, allowedGroups: sets[caller % 2] });
      seen.add((await repositories().users.getById(user.id)).allowedGroups.join());
    });
    expect(codes(results)).toEqual(Array(CALLERS).fill('done'));
    expect([...seen].filter((set) => !sets.some((whole) => whole.join() === set))).toEqual([]);
  });

  it('replace one set while groups of it are deleted, and a reader sees a whole set or one less what was deleted', async () => {
    const groups: string[] = [];
    while (groups.length < 8) groups.push((await mustCreateGroup(gateway.em())).id);
    const sets = [groups.slice(0, 4), groups.slice(4)];
    const [first = [], second = []] = sets;
    const doomed = [first[0] ?? '', second[3] ?? ''];
    const whole = new Set(sets.flatMap((set) => [set, set.filter((id) => !doomed.includes(id))]).map(String));
    const user = await mustCreateUser(gateway.em(), { allowedGroups: first });
    const seen = new Set<string>();
    const read = async (): Promise<void> => {
      for (let n = 0; n < 5; n += 1)
        seen.add(String((await repositories().users.getById(user.id)).allowedGroups));
    };
    // Inside a transaction of the caller nothing is done again, so that a deadlock would be seen.
    const results = await each(async (caller): Promise<unknown> => {
      if (caller % 3 === 0) return read();
      return gateway.em().transactional(async (tx): Promise<unknown> => {
        if (caller === 16 || caller === 17) return deleteGroupCascade(tx, doomed[caller - 16] ?? '');
        const allowedGroups = sets[caller % 2] ?? [];
        return gatewayRepositories(tx).users.update({ id: user.id, allowedGroups });
      });
    });
    expect(codes(results).filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
    expect([...seen].filter((set) => !whole.has(set))).toEqual([]);
    const left = (await repositories().users.getById(user.id)).allowedGroups;
    expect(doomed.filter((id) => left.includes(id))).toEqual([]);
  });

  it('create users with a group that is being deleted: all of a user or nothing', async () => {
    const [kept, doomed] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const email = (caller: number) => `whole${caller}@example.com`;
    const results = await each(async (caller): Promise<unknown> => {
      if (caller === 16) return deleteGroupCascade(gateway.em(), doomed.id);
      return mustCreateUser(gateway.em(), { email: email(caller), allowedGroups: [kept.id, doomed.id] });
    });
    for (const [caller, code] of codes(results).entries()) {
      if (caller === 16) continue;
      const user = await repositories().users.findByEmail(email(caller));
      if (code === 'done') expect(user?.allowedGroups).toEqual([kept.id]);
      else expect({ code, user }).toEqual({ code: 'GROUP_NOT_FOUND', user: null });
    }
  });

  it('leave no live key in a group that is deleted with what hangs on it', async () => {
    for (let round = 0; round < 3; round += 1) {
      const [group, user] = [await mustCreateGroup(gateway.em()), await mustCreateUser(gateway.em())];
      const results = await each(async (caller): Promise<unknown> => {
        if (caller === 10) return deleteGroupCascade(gateway.em(), group.id);
        if (caller % 3 === 0) return repositories().users.update({ id: user.id, allowedGroups: [group.id] });
        return mustCreateApiKey(gateway.em(), { userId: user.id, groupId: group.id });
      });
      expect(codes(results).filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
      expect(await gateway.em().count(ApiKey, { group: group.id })).toBe(0);
      expect((await repositories().users.getById(user.id)).allowedGroups).toEqual([]);
    }
  });

  it('give sets a group and its fallback while that is deleted, without a deadlock', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [first, fallback] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
      await repositories().groups.update({ id: first.id, fallbackGroupId: fallback.id });
      const people = await Promise.all(Array.from({ length: CALLERS }, () => mustCreateUser(gateway.em())));
      const allowedGroups = [first.id, fallback.id];
      // Inside a transaction of the caller nothing is done again, so that a deadlock would be seen.
      const results = await each((caller) =>
        gateway.em().transactional(async (tx): Promise<unknown> => {
          if (caller === 20) return deleteGroupCascade(tx, fallback.id);
          return gatewayRepositories(tx).users.update({ id: people[caller]?.id ?? '', allowedGroups });
        }),
      );
      expect(codes(results).filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
    }
  });

  it('delete groups that are each other’s fallback without a deadlock coming through', async () => {
    const groups = await Promise.all(Array.from({ length: CALLERS }, () => mustCreateGroup(gateway.em())));
    for (const [index, group] of groups.entries()) {
      await repositories().groups.update({
        id: group.id,
        fallbackGroupId: groups[(index + 1) % CALLERS]?.id ?? null,
      });
    }
    const results = await each((caller) => deleteGroupCascade(gateway.em(), groups[caller]?.id ?? ''));
    expect(codes(results)).toEqual(Array(CALLERS).fill('done'));
  });
});

describe('a write that loses a deadlock', () => {
  // The repository's write holds a share of `held` and waits for `wanted`; then the other side asks for `held`. Whoever
  // has waited for a second looks for a cycle and gives way, and that is the repository's write.
  const crossed = async (wanted: string, held: string, write: () => Promise<unknown>): Promise<unknown> => {
    const lock = 'select id from groups where id = ? and deleted_at is null for update';
    let writing: Promise<unknown> | undefined;
    await gateway.em().transactional(async (other) => {
      await other.execute(lock, [wanted]);
      writing = write();
      writing.catch(() => undefined);
      await sleep(300);
      await other.execute(lock, [held]);
    });
    return writing;
  };

  it('is done again, for a group and its fallback', async () => {
    const [group, fallback] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const change = { id: group.id, fallbackGroupId: fallback.id };
    const updated = await crossed(group.id, fallback.id, () => repositories().groups.update(change));
    expect(updated).toMatchObject(change);
  });

  it('is done again, for a user and the groups of its set', async () => {
    const [first, second] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const user = await mustCreateUser(gateway.em());
    const change = { id: user.id, allowedGroups: [first.id, second.id] };
    const updated = await crossed(second.id, first.id, () => repositories().users.update(change));
    expect(updated).toMatchObject(change);
  });
});

describe('attaching a key and deleting its owner', () => {
  const settled = async (attempt: Promise<unknown>): Promise<boolean> =>
    Promise.race([
      attempt.then(
        () => true,
        () => true,
      ),
      sleep(300).then(() => false),
    ]);

  it('makes the deletion wait for a key that is being attached', async () => {
    const user = await mustCreateUser(gateway.em());
    let deletion: Promise<void> | undefined;
    await gateway.em().transactional(async (tx) => {
      await mustCreateApiKey(tx, { userId: user.id });
      deletion = repositories().users.delete(user.id);
      expect(await settled(deletion)).toBe(false);
    });
    await deletion;
    expect(await repositories().users.findById(user.id)).toBeNull();
  });

  it('refuses a key that waited for the deletion', async () => {
    const user = await mustCreateUser(gateway.em());
    let creation: Promise<unknown> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).users.delete(user.id);
      creation = mustCreateApiKey(gateway.em(), { userId: user.id });
      expect(await settled(creation)).toBe(false);
    });
    await expect(creation).rejects.toMatchObject({ code: 'USER_NOT_FOUND' });
    expect(await gateway.em().count(ApiKey, { user: user.id })).toBe(0);
  });
});
