import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gatewayRepositories, type SubscriptionChange } from 'tombstone/gateway';
import { codeOf, inDays, mustCreateSubscription, subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const subscriptions = () => subscriptionsOf(gateway);
const mustCreate = (values: Parameters<typeof mustCreateSubscription>[1] = {}) =>
  mustCreateSubscription(gateway.em(), values);
const UNKNOWN = '987654321';

describe('create', () => {
  it('F44: what is left out has its default, and the stored values are answered', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const expiresAt = inDays(3);
    const before = Date.now() - 1000;
    const created = await subscriptions().create({ userId: user.id, groupId: group.id, expiresAt });
    expect(created).toEqual({
      id: expect.any(String),
      userId: user.id,
      groupId: group.id,
      startsAt: expect.any(Date),
      expiresAt,
      status: 'active',
      effectiveStatus: 'active',
      dailyWindowStart: null,
      weeklyWindowStart: null,
      monthlyWindowStart: null,
      dailyUsageUsd: '0.0000000000',
      weeklyUsageUsd: '0.0000000000',
      monthlyUsageUsd: '0.0000000000',
      assignedById: null,
      assignedAt: expect.any(Date),
      notes: '',
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    for (const instant of [created.startsAt, created.assignedAt]) {
      expect(instant.getTime()).toBeGreaterThan(before);
      expect(instant.getTime()).toBeLessThan(Date.now() + 1000);
    }
    expect(await gateway.rows('select notes from user_subscriptions where id = ?', [created.id])).toEqual([
      { notes: '' },
    ]);
    // The original writes the zero values of its language over the defaults.
    const other = await mustCreateUser(gateway.em());
    const original = `insert into user_subscriptions (user_id, group_id, starts_at, expires_at, status, assigned_at)
      values (?, ?, now(), now(), '', '0001-01-01T00:00:00Z') returning status, extract(year from assigned_at)::int as year`;
    expect(await gateway.rows(original, [other.id, group.id])).toEqual([{ status: '', year: 1 }]);
  });

  it('stores what is given, and nothing beyond the end of 2099', async () => {
    const admin = await mustCreateUser(gateway.em());
    const given = {
      startsAt: new Date('2026-01-01T00:00:00Z'),
      status: 'suspended',
      assignedBy: admin.id,
      assignedAt: new Date('2026-01-02T00:00:00Z'),
      notes: 'by hand',
    } as const;
    const created = await mustCreate({ ...given, expiresAt: new Date('2150-01-01T00:00:00Z') });
    expect(created).toMatchObject({
      startsAt: given.startsAt,
      assignedAt: given.assignedAt,
      status: 'suspended',
      assignedById: admin.id,
      notes: 'by hand',
      expiresAt: new Date('2099-12-31T23:59:59Z'),
    });
  });

  it('F25: a second one of a live pair is a conflict of the database; after a deletion there may be another', async () => {
    const { id, userId, groupId } = await mustCreate();
    expect(await codeOf(mustCreate({ userId, groupId }))).toBe('SUBSCRIPTION_ALREADY_EXISTS');
    await subscriptions().delete(id);
    expect(await codeOf(mustCreate({ userId, groupId }))).toBe('done');
  });

  it('F13: is refused for a deleted user, group or assigner, which the foreign key takes', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const { users, groups } = gatewayRepositories(gateway.em());
    await users.delete(user.id);
    await groups.delete(group.id);
    const original = `insert into user_subscriptions (user_id, group_id, assigned_by, starts_at, expires_at)
      values (?, ?, ?, now(), now())`;
    await expect(gateway.rows(original, [user.id, group.id, user.id])).resolves.toBeDefined();
    expect(await codeOf(mustCreate({ userId: user.id }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(mustCreate({ groupId: group.id }))).toBe('GROUP_NOT_FOUND');
    expect(await codeOf(mustCreate({ assignedBy: user.id }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(mustCreate({ userId: UNKNOWN }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(mustCreate({ groupId: UNKNOWN }))).toBe('GROUP_NOT_FOUND');
  });

  it('takes three statements: two locks and the insert', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    gateway.statements();
    await mustCreate({ userId: user.id, groupId: group.id });
    expect(gateway.statements()).toHaveLength(3);
  });
});

describe('reads', () => {
  it('give user, group and assigner, each null once it is deleted while its id stays', async () => {
    const admin = await mustCreateUser(gateway.em());
    const { id, userId, groupId } = await mustCreate({ assignedBy: admin.id });
    const whole = await subscriptions().getById(id);
    expect(whole).toMatchObject({
      user: { id: userId },
      group: { id: groupId },
      assignedByUser: { id: admin.id, email: admin.email },
    });
    expect(JSON.stringify(whole) + Object.keys(whole.user ?? {}).join()).not.toMatch(/hash|passwordHash/);
    expect(Object.getOwnPropertyNames(whole.user)).not.toContain('passwordHash');

    const { users, groups } = gatewayRepositories(gateway.em());
    await Promise.all([users.delete(userId), users.delete(admin.id), groups.delete(groupId)]);
    expect(await subscriptions().getById(id)).toMatchObject({
      user: null,
      group: null,
      assignedByUser: null,
      userId,
      groupId,
      assignedById: admin.id,
    });
    expect(await subscriptions().getByUserIdAndGroupId(userId, groupId)).toMatchObject({ id, group: null });
    const active = await subscriptions().getActiveByUserIdAndGroupId(userId, groupId);
    expect(active).toMatchObject({ id, group: null, groupId });
  });

  it('do not see deleted or unknown ones, but in a scope', async () => {
    const { id, userId, groupId } = await mustCreate();
    await subscriptions().delete(id);
    expect(await subscriptions().findById(id)).toBeNull();
    expect(await subscriptions().findByUserIdAndGroupId(userId, groupId)).toBeNull();
    expect(await subscriptions().findActiveByUserIdAndGroupId(userId, groupId)).toBeNull();
    expect(await codeOf(subscriptions().getById(id))).toBe('SUBSCRIPTION_NOT_FOUND');
    expect(await codeOf(subscriptions().getByUserIdAndGroupId(userId, groupId))).toBe(
      'SUBSCRIPTION_NOT_FOUND',
    );
    expect(await codeOf(subscriptions().getActiveByUserIdAndGroupId(userId, groupId))).toBe(
      'SUBSCRIPTION_NOT_FOUND',
    );
    const shown = await gateway.em().withDeleted((em) => gatewayRepositories(em).subscriptions.getById(id));
    expect(shown.id).toBe(id);
  });

  it.each([
    ['suspended', { status: 'suspended' }],
    ['marked as expired', { status: 'expired' }],
    ['past its end', { expiresAt: inDays(-1) }],
  ] as const)('do not take for active what is %s', async (_name, values) => {
    const { userId, groupId } = await mustCreate(values);
    expect(await subscriptions().findActiveByUserIdAndGroupId(userId, groupId)).toBeNull();
    expect(await subscriptions().findByUserIdAndGroupId(userId, groupId)).not.toBeNull();
    expect(await subscriptions().listActiveByUserId(userId)).toEqual([]);
    expect(await subscriptions().countActiveByGroupId(groupId)).toBe(0);
    expect(await subscriptions().countByGroupId(groupId)).toBe(1);
  });

  it('6.3: the active one with its group is one statement', async () => {
    const { id, userId, groupId } = await mustCreate();
    gateway.statements();
    const active = await subscriptions().getActiveByUserIdAndGroupId(userId, groupId);
    expect(gateway.statements()).toHaveLength(1);
    expect(active).toMatchObject({ id, group: { id: groupId }, windowsDue: true, effectiveStatus: 'active' });
    await subscriptions().checkWindows(id);
    expect((await subscriptions().getActiveByUserIdAndGroupId(userId, groupId)).windowsDue).toBe(false);
  });
});

describe('update', () => {
  it('F6: leaves usage and windows, which the original takes back to what it had read', async () => {
    const { id } = await mustCreate();
    await subscriptions().checkWindows(id);
    const copy = await subscriptions().getById(id);
    await subscriptions().incrementUsage(id, '1.5');

    const original = `update user_subscriptions set status = ?, daily_usage_usd = ?, weekly_usage_usd = ?,
      monthly_usage_usd = ?, daily_window_start = ? where id = ? and deleted_at is null`;
    const { dailyUsageUsd, weeklyUsageUsd, monthlyUsageUsd, dailyWindowStart } = copy;
    const lost = await gateway
      .em()
      .transactional(async (tx) => {
        await tx.execute(original, [
          copy.status,
          dailyUsageUsd,
          weeklyUsageUsd,
          monthlyUsageUsd,
          dailyWindowStart,
          id,
        ]);
        throw new Error((await gatewayRepositories(tx).subscriptions.getById(id)).dailyUsageUsd);
      })
      .catch((error: unknown) => (error as Error).message);
    expect(lost).toBe('0.0000000000');

    const updated = await subscriptions().update({ id, notes: 'edited', status: 'suspended' });
    expect(updated).toMatchObject({ notes: 'edited', status: 'suspended', dailyUsageUsd: '1.5000000000' });
    expect(updated.dailyWindowStart).toEqual(copy.dailyWindowStart);
  });

  it.each([
    'dailyUsageUsd',
    'weeklyUsageUsd',
    'monthlyUsageUsd',
    'dailyWindowStart',
    'weeklyWindowStart',
    'monthlyWindowStart',
  ])('F6: refuses %s before any SQL', async (name) => {
    gateway.statements();
    const change = { id: '1', [name]: name.endsWith('Usd') ? '0' : null } as unknown as SubscriptionChange;
    await expect(subscriptions().update(change)).rejects.toMatchObject({ code: 'VALIDATION', field: name });
    expect(gateway.statements()).toEqual([]);
  });

  it('F6: usage and windows do not compile, not even with the value that is stored', async () => {
    const stored = await subscriptions().getById((await mustCreate()).id);
    // @ts-expect-error a counter is not a part of a change
    expect(await codeOf(subscriptions().update({ id: stored.id, dailyUsageUsd: '0' }))).toBe('VALIDATION');
    // @ts-expect-error neither is a window
    expect(await codeOf(subscriptions().update({ id: stored.id, weeklyWindowStart: null }))).toBe(
      'VALIDATION',
    );
    // @ts-expect-error nor the whole record
    expect(await codeOf(subscriptions().update(stored))).toBe('VALIDATION');
  });

  it('F45: null clears who assigned it and the notes, and what is left out stays', async () => {
    const admin = await mustCreateUser(gateway.em());
    const { id } = await mustCreate({ assignedBy: admin.id, notes: 'n', status: 'suspended' });
    expect(await subscriptions().update({ id })).toMatchObject({ assignedById: admin.id, notes: 'n' });
    // The original leaves out what is null, so that nothing is cleared.
    const original =
      'update user_subscriptions set assigned_by = coalesce(?, assigned_by), notes = coalesce(?, notes) where id = ? returning notes';
    expect(await gateway.rows(original, [null, null, id])).toEqual([{ notes: 'n' }]);
    const cleared = await subscriptions().update({ id, assignedBy: null, notes: null });
    expect(cleared).toMatchObject({ assignedById: null, notes: '', status: 'suspended' });
  });

  it('F13: gives no deleted user, group or assigner, and keeps those that it has', async () => {
    const { users, groups } = gatewayRepositories(gateway.em());
    const { id, userId, groupId } = await mustCreate();
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    await Promise.all([
      users.delete(user.id),
      groups.delete(group.id),
      users.delete(userId),
      groups.delete(groupId),
    ]);
    // The original's, which the foreign key lets pass.
    const original = 'update user_subscriptions set assigned_by = ? where id = ? returning id';
    expect(await gateway.rows(original, [user.id, id])).toEqual([{ id }]);
    await gateway.rows('update user_subscriptions set assigned_by = null where id = ?', [id]);
    expect(await codeOf(subscriptions().update({ id, userId: user.id }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(subscriptions().update({ id, assignedBy: user.id }))).toBe('USER_NOT_FOUND');
    expect(await codeOf(subscriptions().update({ id, groupId: group.id }))).toBe('GROUP_NOT_FOUND');
    expect(await codeOf(subscriptions().update({ id, userId, groupId, notes: 'same' }))).toBe('done');
    const [live, target] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const moved = await subscriptions().update({ id, userId: live.id, groupId: target.id });
    expect(moved).toMatchObject({ userId: live.id, groupId: target.id, notes: 'same' });
  });

  it('F41: a pair that is taken is a conflict; an overflow names no value', async () => {
    const [first, second] = [await mustCreate(), await mustCreate()];
    const { userId, groupId } = first;
    // What the original lets through is the driver's own error, which names the row.
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    const original = 'update user_subscriptions set user_id = $1, group_id = $2 where id = $3';
    await expect(client.query(original, [userId, groupId, second.id])).rejects.toMatchObject({
      code: '23505',
      detail: expect.stringContaining(`(${userId}, ${groupId})`),
    });
    await client.end();
    expect(await codeOf(subscriptions().update({ id: second.id, userId, groupId }))).toBe(
      'SUBSCRIPTION_ALREADY_EXISTS',
    );
    await subscriptions().incrementUsage(first.id, '9999999999.9999999999');
    const over = await subscriptions()
      .incrementUsage(first.id, '1')
      .catch((error: unknown) => error);
    expect(over).toMatchObject({ status: 400, sqlState: '22003' });
    expect(String(over)).not.toContain('9999999999');
    expect((await subscriptions().getById(first.id)).dailyUsageUsd).toBe('9999999999.9999999999');
  });
});
