import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { deleteGroupCascade, gatewayRepositories } from 'tombstone/gateway';
import { lockLiveGroup } from '../../src/gateway/groups/lock-group.ts';
import { untilWaiting } from '../support/gateway-groups.ts';
import { insertAccount, insertBinding, insertSubscription, storedEvents } from '../support/gateway-rows.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
const users: string[] = [];
const accounts: string[] = [];
const others: string[] = [];
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
  for (let n = 0; n < CALLERS; n += 1) {
    users.push((await mustCreateUser(gateway.em())).id);
    accounts.push(await insertAccount(gateway.em()));
    others.push((await mustCreateGroup(gateway.em())).id);
  }
});
afterAll(() => gateway.close());

const codes = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((result) =>
    result.status === 'fulfilled' ? 'done' : (result.reason as { code?: string }).code,
  );
const each = async (work: (caller: number) => Promise<unknown>): Promise<unknown[]> =>
  codes(await Promise.allSettled(Array.from({ length: CALLERS }, (_, caller) => work(caller))));
const all = (code: string): string[] => Array(CALLERS).fill(code) as string[];
const newGroup = async (): Promise<string> =>
  (await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' })).id;

/** Something that may hang on a group: how it is attached, how with the foreign key alone, and what hangs on it. */
interface Child {
  readonly attach: (tx: DataEntityManager, group: string, caller: number) => Promise<unknown>;
  readonly bare: (tx: DataEntityManager, group: string, caller: number) => Promise<unknown>;
  readonly hanging: string;
  readonly cleared: string;
}

const of = (list: readonly string[], caller: number): string => list[caller] ?? '';
let serial = 0;
const next = (): number => (serial += 1);

const FALLBACKS: Pick<Child, 'hanging' | 'cleared'> = {
  hanging: 'select id from groups where fallback_group_id = ? and deleted_at is null',
  cleared: 'update groups set fallback_group_id = null where fallback_group_id = ? and deleted_at is null',
};

const CHILDREN: Readonly<Record<string, Child>> = {
  'an API key': {
    attach: (tx, groupId, caller) => mustCreateApiKey(tx, { userId: of(users, caller), groupId }),
    bare: (tx, group, caller) =>
      tx.execute('insert into api_keys (user_id, group_id, key, name) values (?, ?, ?, ?)', [
        of(users, caller),
        group,
        `bare ${next()}`,
        'bare',
      ]),
    hanging: 'select id from api_keys where group_id = ? and deleted_at is null',
    cleared: 'update api_keys set group_id = null where group_id = ? and deleted_at is null',
  },
  'a subscription': {
    attach: async (tx, group, caller) => {
      await lockLiveGroup(tx, group);
      await insertSubscription(tx, { user_id: of(users, caller), group_id: group });
    },
    bare: (tx, group, caller) => insertSubscription(tx, { user_id: of(users, caller), group_id: group }),
    hanging: 'select id from user_subscriptions where group_id = ? and deleted_at is null',
    cleared: 'update user_subscriptions set deleted_at = now() where group_id = ? and deleted_at is null',
  },
  'a binding': {
    attach: async (tx, group, caller) => {
      await lockLiveGroup(tx, group);
      await insertBinding(tx, of(accounts, caller), group);
    },
    bare: (tx, group, caller) => insertBinding(tx, of(accounts, caller), group),
    hanging: 'select account_id from account_groups where group_id = ?',
    cleared: 'delete from account_groups where group_id = ?',
  },
  'an allowed group': {
    attach: (tx, group, caller) =>
      gatewayRepositories(tx).users.update({ id: of(users, caller), allowedGroups: [group] }),
    bare: (tx, group, caller) =>
      tx.execute('insert into user_allowed_groups (user_id, group_id) values (?, ?)', [
        of(users, caller),
        group,
      ]),
    hanging: 'select user_id from user_allowed_groups where group_id = ?',
    cleared: 'delete from user_allowed_groups where group_id = ?',
  },
  'a new group that falls back to it': {
    attach: (tx, fallbackGroupId) => mustCreateGroup(tx, { fallbackGroupId }),
    bare: (tx, group) =>
      tx.execute('insert into groups (name, fallback_group_id) values (?, ?)', [`bare ${next()}`, group]),
    ...FALLBACKS,
  },
  'a group that is changed to fall back to it': {
    attach: (tx, fallbackGroupId, caller) =>
      gatewayRepositories(tx).groups.update({ id: of(others, caller), fallbackGroupId }),
    bare: (tx, group, caller) =>
      tx.execute('update groups set fallback_group_id = ? where id = ? and deleted_at is null', [
        group,
        of(others, caller),
      ]),
    ...FALLBACKS,
  },
};

const hanging = async ({ hanging: sql }: Child, group: string): Promise<number> =>
  (await gateway.rows(sql, [group])).length;

/** Callers attach and stay uncommitted until `deletion` has come as far as it can; then all commit. */
async function attachFirst(
  attach: Child['attach'],
  group: string,
  deletion: () => Promise<unknown>,
): Promise<{ attached: unknown[]; deleted: unknown }> {
  let commit = (): void => undefined;
  const mayCommit = new Promise<void>((resolve) => (commit = resolve));
  let pending = CALLERS;
  let allAttached = (): void => undefined;
  const attachedAll = new Promise<void>((resolve) => (allAttached = resolve));
  const attaching = each((caller) =>
    gateway.em().transactional(async (tx) => {
      await attach(tx, group, caller);
      if ((pending -= 1) === 0) allAttached();
      await mayCommit;
    }),
  );
  await attachedAll;
  const deleting = deletion();
  await Promise.race([deleting, untilWaiting(gateway, 1)]);
  commit();
  return { attached: await attaching, deleted: await deleting };
}

describe.each(Object.entries(CHILDREN))(`${CALLERS} callers that attach %s`, (_name, child) => {
  const afterTheDeletion = async (attach: Child['attach'], group: string): Promise<unknown[]> => {
    let attaching: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await deleteGroupCascade(tx, group);
      attaching = each((caller) => attach(gateway.em(), group, caller));
      await untilWaiting(gateway, CALLERS);
    });
    return (await attaching) ?? [];
  };
  const inTransaction: Child['attach'] = (em, group, caller) =>
    em.transactional((tx) => child.attach(tx, group, caller));

  it('F13: hang it on the deleted group where only the foreign key is in the way', async () => {
    const group = await newGroup();
    expect(await afterTheDeletion(child.bare, group)).toEqual(all('done'));
    expect(await hanging(child, group)).toBe(CALLERS);
  });

  it('F13: are all refused when they have waited for the deletion', async () => {
    const group = await newGroup();
    expect(await afterTheDeletion(inTransaction, group)).toEqual(all('GROUP_NOT_FOUND'));
    expect(await hanging(child, group)).toBe(0);
  });

  it('F23: keep it on the deleted group where the cascade takes no lock first', async () => {
    const group = await newGroup();
    const unlocked = async (): Promise<void> => {
      await gateway.rows(child.cleared, [group]);
      await gateway.rows('update groups set deleted_at = now() where id = ?', [group]);
    };
    const { attached } = await attachFirst(child.bare, group, unlocked);
    expect(attached).toEqual(all('done'));
    expect(await hanging(child, group)).toBe(CALLERS);
  });

  it('F23: have it cleared when the deletion has waited for them', async () => {
    const group = await newGroup();
    const { attached, deleted } = await attachFirst(child.attach, group, () =>
      deleteGroupCascade(gateway.em(), group),
    );
    expect(attached).toEqual(all('done'));
    expect(deleted).toHaveLength(_name === 'a subscription' ? CALLERS : 0);
    expect(await hanging(child, group)).toBe(0);
  });
});

describe(`${CALLERS} callers at once`, () => {
  it('attach everything while two cascades delete the group: nothing hangs on it, and it is deleted once', async () => {
    const kinds = Object.values(CHILDREN);
    for (let round = 0; round < 5; round += 1) {
      const group = await newGroup();
      const results = await each((caller) => {
        if (caller % 16 === 8) return deleteGroupCascade(gateway.em(), group);
        const child = kinds[caller % kinds.length];
        return gateway.em().transactional(async (tx) => child?.attach(tx, group, caller));
      });
      expect(results.filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
      expect([results[8], results[24]].toSorted()).toEqual(['GROUP_NOT_FOUND', 'done']);
      for (const child of kinds) expect(await hanging(child, group)).toBe(0);
      const events = (await storedEvents(gateway.em())).filter((event) => event.group_id === group);
      expect(events).toHaveLength(2);
    }
  });

  it('delete one group: one event', async () => {
    const group = await newGroup();
    expect(await each(() => gatewayRepositories(gateway.em()).groups.delete(group))).toEqual(all('done'));
    const events = (await storedEvents(gateway.em())).filter((event) => event.group_id === group);
    expect(events).toHaveLength(2);
  });

  it('unbind one group: one has removed all, and there is one event', async () => {
    const group = await newGroup();
    for (const account of accounts) await insertBinding(gateway.em(), account, group);
    const removed: number[] = [];
    await each(async () =>
      removed.push(await gatewayRepositories(gateway.em()).groups.deleteAccountGroupsByGroupId(group)),
    );
    expect(removed.toSorted((a, b) => b - a)).toEqual([CALLERS, ...Array(CALLERS - 1).fill(0)]);
    const events = (await storedEvents(gateway.em())).filter((event) => event.group_id === group);
    expect(events).toHaveLength(2);
  });

  it('F25: give their groups one name: one has it, 31 are told GROUP_EXISTS and have no event', async () => {
    const last = async (): Promise<string> =>
      (await gateway.rows<{ id: string }>('select coalesce(max(id), 0) as id from scheduler_outbox'))[0]
        ?.id ?? '';
    const before = await last();
    const results = await each((caller) =>
      gatewayRepositories(gateway.em()).groups.update({ id: of(others, caller), name: 'wanted by all' }),
    );
    expect(results.toSorted()).toEqual([...Array(CALLERS - 1).fill('GROUP_EXISTS'), 'done']);
    const events = await gateway.rows('select group_id from scheduler_outbox where id > ?', [before]);
    expect(events).toEqual([{ group_id: others[results.indexOf('done')] }]);
  });

  it('change a group while it is deleted: who comes too late is told GROUP_NOT_FOUND, and has no event', async () => {
    const group = await newGroup();
    const results = await each((caller) =>
      caller === 16
        ? gatewayRepositories(gateway.em()).groups.delete(group)
        : gatewayRepositories(gateway.em()).groups.update({ id: group, description: `by ${caller}` }),
    );
    expect(results.filter((code) => code !== 'done' && code !== 'GROUP_NOT_FOUND')).toEqual([]);
    const events = (await storedEvents(gateway.em())).filter((event) => event.group_id === group);
    expect(events).toHaveLength(1 + results.filter((code) => code === 'done').length);
  });
});
