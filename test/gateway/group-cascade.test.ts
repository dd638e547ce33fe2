import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { deleteGroupCascade, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import {
  contentOf,
  mustCreateGroupWithChildren,
  untilWaiting,
  whileRefused,
} from '../support/gateway-groups.ts';
import { insertSubscription, storedEvents } from '../support/gateway-rows.ts';
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

const groups = (): GatewayRepositories['groups'] => gatewayRepositories(gateway.em()).groups;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const row = async (table: string, id: string): Promise<Record<string, unknown> | undefined> =>
  (await gateway.rows<Record<string, unknown>>(`select * from ${table} where id = ?`, [id]))[0];
const rowsOfGroup = (table: string, id: string): Promise<object[]> =>
  gateway.rows(`select * from ${table} where group_id = ?`, [id]);
const eventsOf = async (id: string): Promise<unknown[]> =>
  (await storedEvents(gateway.em())).filter((event) => event.group_id === id).slice(1);

describe('deleting a group with what hangs on it', () => {
  it('marks group and subscriptions, and takes the group from live keys, sets, accounts and fallbacks', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em());
    const { group, user } = full;
    expect(await groups().deleteCascade(group.id)).toEqual([user]);

    expect(await groups().findById(group.id)).toBeNull();
    expect(await row('user_subscriptions', full.subscription)).toMatchObject({
      deleted_at: expect.any(String),
    });
    expect(await row('api_keys', full.liveKey)).toMatchObject({ group_id: null, deleted_at: null });
    expect(await rowsOfGroup('user_allowed_groups', group.id)).toEqual([]);
    expect(await rowsOfGroup('account_groups', group.id)).toEqual([]);
    expect((await groups().getById(full.dependent)).fallbackGroupId).toBeNull();
    const event = { event_type: 'group_changed', account_id: null, group_id: group.id, payload: null };
    expect(await eventsOf(group.id)).toEqual([event]);
  });

  it('leaves deleted keys, redeem codes, accounts and other groups as they were', async () => {
    const other = await mustCreateGroupWithChildren(gateway.em());
    const full = await mustCreateGroupWithChildren(gateway.em());
    const before = {
      key: await row('api_keys', full.deletedKey),
      code: await row('redeem_codes', full.redeemCode),
      account: await row('accounts', full.account),
      user: await row('users', full.user),
      otherKey: await row('api_keys', other.liveKey),
      otherSubscription: await row('user_subscriptions', other.subscription),
      otherSet: await rowsOfGroup('user_allowed_groups', other.group.id),
      otherBindings: await rowsOfGroup('account_groups', other.group.id),
      otherDependent: await row('groups', other.dependent),
    };
    await deleteGroupCascade(gateway.em(), full.group.id);
    expect({
      key: await row('api_keys', full.deletedKey),
      code: await row('redeem_codes', full.redeemCode),
      account: await row('accounts', full.account),
      user: await row('users', full.user),
      otherKey: await row('api_keys', other.liveKey),
      otherSubscription: await row('user_subscriptions', other.subscription),
      otherSet: await rowsOfGroup('user_allowed_groups', other.group.id),
      otherBindings: await rowsOfGroup('account_groups', other.group.id),
      otherDependent: await row('groups', other.dependent),
    }).toEqual(before);
    expect(before.key).toMatchObject({ group_id: full.group.id });
    expect(before.code).toMatchObject({ group_id: full.group.id });
  });

  it('answers each user with a live subscription once, ascending as numbers', async () => {
    const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    const ids = ['1000000000000000010', '999999', '1000000000000000002', '999998'];
    for (const id of ids) {
      await gateway.rows(`insert into users (id, email, password_hash) values (?, ?, 'h')`, [
        id,
        `${id}@big`,
      ]);
      // One that ended before, which is no reason to name the user.
      await insertSubscription(gateway.em(), { user_id: id, group_id: group.id, deleted_at: new Date(0) });
    }
    for (const user_id of ids.slice(0, 3))
      await insertSubscription(gateway.em(), { user_id, group_id: group.id, status: 'expired' });
    expect(await groups().deleteCascade(group.id)).toEqual(['999999', ids[2], ids[0]]);
    // What ended before keeps its time.
    const subscriptions = 'select id from user_subscriptions where group_id = ? and deleted_at = ?';
    expect(await gateway.rows(subscriptions, [group.id, new Date(0)])).toHaveLength(4);

    const without = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    expect(await groups().deleteCascade(without.id)).toEqual([]);
  });

  it('leaves subscriptions of a group alone that is not sold by subscription', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em(), { subscriptionType: 'standard' });
    const before = await row('user_subscriptions', full.subscription);
    expect(await deleteGroupCascade(gateway.em(), full.group.id)).toEqual([]);
    expect(await row('user_subscriptions', full.subscription)).toEqual(before);
    expect(await rowsOfGroup('account_groups', full.group.id)).toEqual([]);
  });

  it('F16: sets updated_at of every row that it changes', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em());
    const changed: [table: string, id: string][] = [
      ['groups', full.group.id],
      ['groups', full.dependent],
      ['api_keys', full.liveKey],
      ['user_subscriptions', full.subscription],
    ];
    for (const [table, id] of changed)
      await gateway.rows(`update ${table} set updated_at = '2020-01-01' where id = ?`, [id]);
    await deleteGroupCascade(gateway.em(), full.group.id);
    const [times] = await gateway.rows<{ instants: number; recent: boolean }>(
      `select count(distinct t)::int as instants, min(t) > now() - interval '1 hour' as recent from (
         ${changed.map(([table, id]) => `select updated_at as t from ${table} where id = ${id}`).join(' union all ')}
       ) all_of_them`,
    );
    // One instant: that of the transaction.
    expect(times).toEqual({ instants: 1, recent: true });
  });

  it('answers GROUP_NOT_FOUND for a group that is missing, deleted, or deleted by a cascade, and changes nothing', async () => {
    const plain = await mustCreateGroupWithChildren(gateway.em());
    await groups().delete(plain.group.id);
    const cascaded = await mustCreateGroupWithChildren(gateway.em());
    await groups().deleteCascade(cascaded.group.id);
    const before = await contentOf(gateway);
    for (const id of [plain.group.id, cascaded.group.id, '987654321'])
      expect(await codeOf(groups().deleteCascade(id))).toBe('GROUP_NOT_FOUND');
    expect(await contentOf(gateway)).toEqual(before);
  });

  it('is a constant number of statements, whatever hangs on the group', async () => {
    const small = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    const full = await mustCreateGroupWithChildren(gateway.em());
    for (let n = 0; n < 10; n += 1) {
      const userId = (await mustCreateUser(gateway.em(), { allowedGroups: [full.group.id] })).id;
      await mustCreateApiKey(gateway.em(), { userId, groupId: full.group.id });
      await insertSubscription(gateway.em(), { user_id: userId, group_id: full.group.id });
      await mustCreateGroup(gateway.em(), { fallbackGroupId: full.group.id });
    }
    for (const { id } of [small, full.group]) {
      gateway.statements();
      await groups().deleteCascade(id);
      expect(gateway.statements()).toHaveLength(8);
    }
  });
});

/** Each step of the cascade by what it does to the database. */
const STEPS: [step: string, refused: string][] = [
  ['ending the subscriptions', 'before update of deleted_at on user_subscriptions'],
  ['clearing the keys', 'before update of group_id on api_keys'],
  ['clearing the sets', 'before delete on user_allowed_groups'],
  ['unbinding the accounts', 'before delete on account_groups'],
  ['clearing the fallbacks', 'before update of fallback_group_id on groups'],
  ['marking the group', 'before update of deleted_at on groups'],
  ['telling the scheduler', 'before insert on scheduler_outbox'],
  ['the commit', 'after insert on scheduler_outbox deferrable initially deferred'],
];

describe('a cascade whose step fails', () => {
  it.each(STEPS)('changes nothing when it is %s', async (_step, refused) => {
    const { group } = await mustCreateGroupWithChildren(gateway.em());
    const before = await contentOf(gateway);
    await whileRefused(gateway, refused, async () => {
      await expect(groups().deleteCascade(group.id)).rejects.toMatchObject({ sqlState: 'P0001' });
      expect(await contentOf(gateway)).toEqual(before);
      const caught = gateway.em().transactional(async (tx) => {
        await gatewayRepositories(tx)
          .groups.deleteCascade(group.id)
          .catch(() => undefined);
        return 'caught';
      });
      // The caller may not commit half of it either.
      await expect(caught).rejects.toThrow();
      expect(await contentOf(gateway)).toEqual(before);
    });
    expect(await codeOf(groups().deleteCascade(group.id))).toBe('done');
  });

  it.each(STEPS.slice(1, -1))(
    'would leave half of it without a transaction when it is %s',
    async (_step, refused) => {
      const copied = await mustCreateGroupWithChildren(gateway.em());
      gateway.statements();
      await groups().deleteCascade(copied.group.id);
      const sent = gateway.statements().map((sql) => sql.replace(/ \[took .*$/, ''));
      const { group } = await mustCreateGroupWithChildren(gateway.em());
      const before = await contentOf(gateway);
      const alone = async (): Promise<void> => {
        for (const sql of sent)
          await gateway.rows(sql.replaceAll(new RegExp(`\\b${copied.group.id}\\b`, 'g'), group.id));
      };
      await whileRefused(gateway, refused, () =>
        expect(alone()).rejects.toMatchObject({ sqlState: 'P0001' }),
      );
      expect(await contentOf(gateway)).not.toEqual(before);
    },
  );

  it('is undone as a whole when anything after it fails', async () => {
    const { group } = await mustCreateGroupWithChildren(gateway.em());
    const before = await contentOf(gateway);
    const attempt = gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).groups.deleteCascade(group.id);
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect(await contentOf(gateway)).toEqual(before);
  });
});

describe('F23: the kind of a group that changes while it is being deleted', () => {
  // As the original does: the group is read, and its row locked afterwards.
  const original = async (id: string, between: () => Promise<unknown>): Promise<void> => {
    const seen = await row('groups', id);
    await between();
    const statements = [
      'select id from groups where id = ? and deleted_at is null for update',
      ...(seen?.['subscription_type'] === 'subscription'
        ? ['update user_subscriptions set deleted_at = now() where group_id = ? and deleted_at is null']
        : []),
      'update groups set deleted_at = now() where id = ? and deleted_at is null',
    ];
    await gateway.em().transactional(async (tx) => {
      for (const sql of statements) await tx.execute(sql, [id]);
    });
  };
  const change = (em: DataEntityManager, id: string) =>
    gatewayRepositories(em).groups.update({ id, subscriptionType: 'subscription' });

  it('leaves live subscriptions of a deleted group when it is read before the lock', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em(), { subscriptionType: 'standard' });
    await original(full.group.id, () => change(gateway.em(), full.group.id));
    expect(await row('groups', full.group.id)).toMatchObject({ deleted_at: expect.any(String) });
    expect(await row('user_subscriptions', full.subscription)).toMatchObject({ deleted_at: null });
  });

  it('is read from the locked row', async () => {
    const full = await mustCreateGroupWithChildren(gateway.em(), { subscriptionType: 'standard' });
    let deletion: Promise<string[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await change(tx, full.group.id);
      deletion = groups().deleteCascade(full.group.id);
      await untilWaiting(gateway, 1);
      expect((await groups().getByIdLite(full.group.id)).subscriptionType).toBe('standard');
    });
    expect(await deletion).toEqual([full.user]);
    expect(await row('user_subscriptions', full.subscription)).toMatchObject({
      deleted_at: expect.any(String),
    });
  });
});
