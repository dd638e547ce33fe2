import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AllowedGroupsOptions,
  deleteGroupCascade,
  gateway as gatewayModule,
  gatewayRepositories,
  verifyAllowedGroups,
} from 'tombstone/gateway';
import { backstopMigration, Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { insertSubscription } from '../support/gateway-rows.ts';
import { codeOf, insertGroup } from '../support/gateway-users.ts';
import {
  type Gateway,
  mustCreateApiKey,
  mustCreateGroup,
  mustCreateUser,
  openGateway,
} from '../support/gateway.ts';

const BOTH: AllowedGroupsOptions = { allowedGroups: 'dual-write' };

/** A database whose newest file is the given one. */
async function openAt(to: string): Promise<Gateway> {
  const { url } = await emptyTestDatabase();
  await new Migrator({ connection: url, modules: [gatewayModule] }).up({ to });
  // One connection: a statement outside the transaction that is open would wait for ever.
  return openGateway({ url, pool: { min: 0, max: 1 } });
}

/** The newest database that still has the array. */
const openWithArray = (): Promise<Gateway> => openAt('022_create_usage_logs');

interface Stored {
  readonly array: string | null;
  readonly pairs: string | null;
  /** With its microseconds. */
  readonly updated_at: string;
}

/** The set of a user, dead or not, as the array and the table have it. */
async function stored(gateway: Gateway, userId: string): Promise<Stored> {
  const sql = `select allowed_groups::text as array, updated_at::text,
    (select array_agg(group_id order by group_id)::text from user_allowed_groups where user_id = u.id) as pairs
    from users u where id = ?`;
  const [row] = await gateway.rows<Stored>(sql, [userId]);
  return row as Stored;
}

const clean = { missing: 0, unexpected: 0 };

describe.each(['008_audit_orphan_allowed_groups', '022_create_usage_logs'])('dual write at %s', (to) => {
  let gateway: Gateway;
  let groups: string[] = [];
  beforeAll(async () => {
    gateway = await openAt(to);
    for (let n = 0; n < 3; n += 1) groups.push(await insertGroup(gateway.em()));
  });
  afterAll(async () => {
    await gateway.close();
    groups = [];
  });
  const users = (options = BOTH) => gatewayRepositories(gateway.em(), options).users;
  const create = (allowedGroups: string[], options = BOTH) =>
    users(options).create({ email: `${Math.random()}@example.com`, passwordHash: 'h', allowedGroups });

  it('stores the set of a new user in both, ascending, and none as NULL', async () => {
    const [a = '', b = ''] = groups;
    const user = await create([b, a, b]);
    expect(await stored(gateway, user.id)).toMatchObject({ array: `{${a},${b}}`, pairs: `{${a},${b}}` });
    expect((await users().getById(user.id)).updatedAt).toEqual(user.updatedAt);
    const none = await create([]);
    expect(await stored(gateway, none.id)).toMatchObject({ array: null, pairs: null });
  });

  it('without it, the default, leaves the array as it is', async () => {
    const [a = '', b = ''] = groups;
    const user = await create([a], {});
    expect(await stored(gateway, user.id)).toMatchObject({ array: null, pairs: `{${a}}` });
    await users({ allowedGroups: 'join-table' }).update({ id: user.id, allowedGroups: [b] });
    expect(await stored(gateway, user.id)).toMatchObject({ array: null, pairs: `{${b}}` });
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ phase: 1, unexpected: 1 });
    await users().update({ id: user.id, allowedGroups: [b] });
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ phase: 1, ...clean });
  });

  it('replaces both, and answers the instant that is stored', async () => {
    const [a = '', b = '', c = ''] = groups;
    const user = await create([a, b]);
    const before = await stored(gateway, user.id);
    const changed = await users().update({ id: user.id, allowedGroups: [c, b] });
    const now = await stored(gateway, user.id);
    expect(now).toMatchObject({ array: `{${b},${c}}`, pairs: `{${b},${c}}` });
    expect(new Date(now.updated_at)).toEqual(changed.updatedAt);
    expect(now.updated_at).not.toBe(before.updated_at);
    await users().update({ id: user.id, allowedGroups: [] });
    expect(await stored(gateway, user.id)).toMatchObject({ array: null, pairs: null });
  });

  it('writes no array that is right already, and none where no set is given', async () => {
    const [a = ''] = groups;
    const user = await create([a]);
    const before = await stored(gateway, user.id);
    await users().update({ id: user.id, allowedGroups: [a] });
    await users().update({ id: user.id, notes: '' });
    expect(await stored(gateway, user.id)).toEqual(before);
  });

  it('brings an array that an old program has left in disorder to the set', async () => {
    const [a = '', b = ''] = groups;
    const user = await create([a]);
    await gateway.rows(`update users set allowed_groups = ? where id = ?`, [
      `{${b},NULL,999999,${b}}`,
      user.id,
    ]);
    await users().update({ id: user.id, notes: 'no set given' });
    expect((await stored(gateway, user.id)).array).toContain('999999');
    await users().update({ id: user.id, allowedGroups: [b, a] });
    expect(await stored(gateway, user.id)).toMatchObject({ array: `{${a},${b}}`, pairs: `{${a},${b}}` });
  });

  it('stores nothing of either when a group is unknown, or the user', async () => {
    const [a = '', b = ''] = groups;
    const user = await create([a]);
    const before = await stored(gateway, user.id);
    const change = { id: user.id, notes: 'lost', allowedGroups: [b, '999999'] };
    expect(await codeOf(users().update(change))).toBe('GROUP_NOT_FOUND');
    expect(await stored(gateway, user.id)).toEqual(before);
    const [counted] = await gateway.rows('select count(*) from users');
    expect(await codeOf(create([a, '999999']))).toBe('GROUP_NOT_FOUND');
    expect(await gateway.rows('select count(*) from users')).toEqual([counted]);
    await users().delete(user.id);
    expect(await codeOf(users().update({ id: user.id, allowedGroups: [b] }))).toBe('USER_NOT_FOUND');
    expect(await stored(gateway, user.id)).toMatchObject({ array: `{${a}}`, pairs: `{${a}}` });
  });

  it('takes a group out of both, of deleted users too, and answers the larger number', async () => {
    const em = gateway.em();
    const [gone, kept] = [await insertGroup(em), groups[0] ?? ''];
    const both = await create([gone, kept]);
    const before = await stored(gateway, both.id);
    const dead = await create([gone]);
    await users().delete(dead.id);
    const onlyArray = [await create([]), await create([kept])];
    for (const { id } of onlyArray) {
      const add = `update users set allowed_groups = coalesce(allowed_groups, '{}') || ?::bigint where id = ?`;
      await gateway.rows(add, [gone, id]);
    }
    const untouched = await stored(gateway, (await create([kept])).id);

    expect(await users().removeGroupFromAllowedGroups(gone)).toBe(4);
    expect(await stored(gateway, both.id)).toMatchObject({ array: `{${kept}}`, pairs: `{${kept}}` });
    expect(await stored(gateway, dead.id)).toMatchObject({ array: null, pairs: null });
    expect(await stored(gateway, onlyArray[0]?.id ?? '')).toMatchObject({ array: null, pairs: null });
    expect((await stored(gateway, both.id)).updated_at).not.toBe(before.updated_at);
    expect(untouched.array).toBe(`{${kept}}`);
    expect(await users().removeGroupFromAllowedGroups(gone)).toBe(0);

    const onlyTable = await create([gone], {});
    expect(await users().removeGroupFromAllowedGroups(gone)).toBe(1);
    expect(await stored(gateway, onlyTable.id)).toMatchObject({ array: null, pairs: null });
  });

  it('needs the array of a deleted user cleared: or the drop of the column brings the pair back', async () => {
    const group = await insertGroup(gateway.em());
    const user = await create([group]);
    await users().delete(user.id);
    await users({}).removeGroupFromAllowedGroups(group);
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject({ missing: 1 });
    expect(await users().removeGroupFromAllowedGroups(group)).toBe(1);
    expect(await verifyAllowedGroups(gateway.em())).toMatchObject(clean);
  });

  it('runs in the transaction of the caller, which undoes both', async () => {
    const [a = '', b = ''] = groups;
    const user = await create([a]);
    const before = await stored(gateway, user.id);
    const work = gateway.em().transactional(async (tx) => {
      const inside = gatewayRepositories(tx, BOTH).users;
      await inside.update({ id: user.id, allowedGroups: [b] });
      await inside.removeGroupFromAllowedGroups(a);
      throw new Error('enough');
    });
    await expect(work).rejects.toThrow('enough');
    expect(await stored(gateway, user.id)).toEqual(before);
  });
});

describe('dual write where all tables and the array are', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await openWithArray();
  });
  afterAll(() => gateway.close());

  it('lets a deleted group go from both, with what hangs on it', async () => {
    const em = gateway.em();
    const { users, apiKeys } = gatewayRepositories(em, BOTH);
    const [gone, kept] = [await mustCreateGroup(em), await mustCreateGroup(em)];
    const allowedGroups = [gone.id, kept.id];
    const user = await users.create({ email: 'cascade@example.com', passwordHash: 'h', allowedGroups });
    const key = await mustCreateApiKey(em, { userId: user.id, groupId: gone.id });
    await gatewayRepositories(em, BOTH).groups.deleteCascade(gone.id);
    expect(await stored(gateway, user.id)).toMatchObject({ array: `{${kept.id}}`, pairs: `{${kept.id}}` });
    expect((await apiKeys.getById(key.id)).groupId).toBeNull();

    await deleteGroupCascade(em, kept.id);
    expect(await stored(gateway, user.id)).toMatchObject({ array: `{${kept.id}}`, pairs: null });
    expect(await codeOf(deleteGroupCascade(em, kept.id, BOTH))).toBe('GROUP_NOT_FOUND');
    await users.removeGroupFromAllowedGroups(kept.id);
  });

  it('lists users with sets and subscriptions', async () => {
    const em = gateway.em();
    const group = await mustCreateGroup(em);
    const user = await mustCreateUser(em, { allowedGroups: [group.id] });
    await insertSubscription(em, { user_id: user.id, group_id: group.id });
    const { items } = await gatewayRepositories(em, BOTH).users.list({ pageSize: 1 });
    expect(items).toMatchObject([{ allowedGroups: [group.id], subscriptions: [{ groupId: group.id }] }]);
  });

  it('changes deleted users behind a backstop too', async () => {
    const guarded = await openWithArray();
    await guarded.close();
    const own = await openGateway({ url: guarded.url, backstop: true } as never);
    for (const sql of backstopMigration([{ table: 'users', deletedAt: 'deleted_at' }]).up)
      await own.rows(sql);
    const { users, groups } = gatewayRepositories(own.em(), BOTH);
    const group = await groups.create({ name: 'guarded' });
    const user = await users.create({ email: 'g@example.com', passwordHash: 'h', allowedGroups: [group.id] });
    await users.delete(user.id);
    expect(await users.removeGroupFromAllowedGroups(group.id)).toBe(1);
    expect(await stored(own, user.id)).toMatchObject({ array: null, pairs: null });
    await own.close();
  });
});

describe('dual write after the column is gone', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await openAt('025_drop_users_allowed_groups');
  });
  afterAll(() => gateway.close());

  it('fails with a sentence that says what to do, and stores nothing', async () => {
    const em = gateway.em();
    const [group, user] = [await insertGroup(em), await mustCreateUser(em)];
    const { users } = gatewayRepositories(gateway.em(), BOTH);
    const attempts = [
      users.create({ email: 'late@example.com', passwordHash: 'h', allowedGroups: [group] }),
      users.create({ email: 'late@example.com', passwordHash: 'h' }),
      users.update({ id: user.id, notes: 'lost', allowedGroups: [group] }),
      users.removeGroupFromAllowedGroups(group),
    ];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(Array(4).fill('ALLOWED_GROUPS_DROPPED'));
    const [error] = await Promise.allSettled([users.removeGroupFromAllowedGroups(group)]);
    expect(error).toMatchObject({
      reason: {
        status: 500,
        retryable: false,
        message: expect.stringMatching(/^users\.allowed_groups does not exist any more.*"join-table"/),
        cause: { code: '42703' },
      },
    });
    expect(await users.findByEmail('late@example.com')).toBeNull();
    expect(await users.getById(user.id)).toMatchObject({ notes: '', allowedGroups: [] });
    expect(await users.update({ id: user.id, notes: 'no set' })).toMatchObject({ notes: 'no set' });
    const { users: switched } = gatewayRepositories(gateway.em());
    expect(await switched.update({ id: user.id, allowedGroups: [group] })).toMatchObject({
      allowedGroups: [group],
    });
  });

  it('refuses a word that is neither, before any SQL', async () => {
    gateway.statements();
    const typo = { allowedGroups: 'dual_write' } as never;
    expect(() => gatewayRepositories(gateway.em(), typo)).toThrow(
      expect.objectContaining({ code: 'VALIDATION' }),
    );
    expect(await codeOf(deleteGroupCascade(gateway.em(), '1', typo))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });
});
