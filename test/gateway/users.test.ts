import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, User } from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const users = (): GatewayRepositories['users'] => gatewayRepositories(gateway.em()).users;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

describe('creating a user', () => {
  it('gives the stored row with its defaults, and the set of allowed groups ascending', async () => {
    const [a, b] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const user = await users().create({
      email: 'new@example.com',
      passwordHash: 'h',
      allowedGroups: [b.id, a.id, b.id, '0'],
    });
    expect(user).toMatchObject({
      role: 'user',
      balance: '0.0000000000',
      concurrency: 5,
      status: 'active',
      username: '',
      notes: '',
    });
    expect(user.allowedGroups).toEqual([a.id, b.id]);
    expect(user.createdAt).toBeInstanceOf(Date);
    expect(await users().getById(user.id)).toEqual(user);
    expect(await users().getByEmail('new@example.com')).toEqual(user);
  });

  it('answers EMAIL_EXISTS for a live twin, compared exactly, and lets a deleted one’s e-mail be used again', async () => {
    const first = await users().create({ email: 'twin@example.com', passwordHash: 'h' });
    expect(await codeOf(users().create({ email: 'twin@example.com', passwordHash: 'h' }))).toBe(
      'EMAIL_EXISTS',
    );
    expect(await codeOf(users().create({ email: 'Twin@example.com', passwordHash: 'h' }))).toBe('done');
    await users().delete(first.id);
    expect(await codeOf(users().create({ email: 'twin@example.com', passwordHash: 'h' }))).toBe('done');
  });

  it('inserts nothing when a group is unknown or deleted', async () => {
    const dead = await mustCreateGroup(gateway.em());
    await gatewayRepositories(gateway.em()).groups.delete(dead.id);
    for (const group of ['999999', dead.id]) {
      expect(
        await codeOf(
          users().create({ email: 'nobody@example.com', passwordHash: 'h', allowedGroups: [group] }),
        ),
      ).toBe('GROUP_NOT_FOUND');
    }
    expect(await gateway.em().skipSoftDelete((em) => em.count(User, { email: 'nobody@example.com' }))).toBe(
      0,
    );
  });

  it.each([
    ['null', null],
    ['a missing e-mail', { passwordHash: 'h' }],
    ['an e-mail with NUL', { email: 'a\0b', passwordHash: 'h' }],
    ['an e-mail of 256 characters', { email: 'x'.repeat(256), passwordHash: 'h' }],
    ['a lone surrogate', { email: '\ud800', passwordHash: 'h' }],
    ['a number for a name', { email: 'a', passwordHash: 'h', username: 7 }],
    ['a balance of NaN', { email: 'a', passwordHash: 'h', balance: 'NaN' }],
    ['a balance as a number', { email: 'a', passwordHash: 'h', balance: 1 }],
    ['a balance with 11 decimals', { email: 'a', passwordHash: 'h', balance: '1.00000000001' }],
    ['a balance with 13 digits', { email: 'a', passwordHash: 'h', balance: '1234567890123' }],
    ['a group id as a number', { email: 'a', passwordHash: 'h', allowedGroups: [7] }],
    ['a group id above 2^63', { email: 'a', passwordHash: 'h', allowedGroups: ['9223372036854775808'] }],
    ['a concurrency of 2^31', { email: 'a', passwordHash: 'h', concurrency: 2 ** 31 }],
  ])('refuses %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(users().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('counts characters as PostgreSQL does, not as JavaScript does', async () => {
    const name = '😀'.repeat(100);
    expect((await mustCreateUser(gateway.em(), { username: name })).username).toBe(name);
    expect(await codeOf(mustCreateUser(gateway.em(), { username: `${name}!` }))).toBe('VALIDATION');
  });
});

describe('reading users', () => {
  it('answers USER_NOT_FOUND for unknown and deleted ones, and null in the find form', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().delete(user.id);
    expect(
      await gateway.em().skipSoftDelete((em) => gatewayRepositories(em).users.findById(user.id)),
    ).toMatchObject({ id: user.id });
    expect(await codeOf(users().getById(user.id))).toBe('USER_NOT_FOUND');
    expect(await codeOf(users().getByEmail(user.email))).toBe('USER_NOT_FOUND');
    expect(await users().findById(user.id)).toBeNull();
    expect(await users().findByEmail(user.email)).toBeNull();
    expect(await users().existsByEmail(user.email)).toBe(false);
    expect(await codeOf(users().getById('987654321'))).toBe('USER_NOT_FOUND');
    expect(await codeOf(users().getById('seven'))).toBe('VALIDATION');
  });

  it('finds the first active administrator', async () => {
    expect(await codeOf(users().getFirstAdmin())).toBe('USER_NOT_FOUND');
    await mustCreateUser(gateway.em(), { role: 'admin', status: 'disabled' });
    const first = await mustCreateUser(gateway.em(), { role: 'admin' });
    await mustCreateUser(gateway.em(), { role: 'admin' });
    expect((await users().getFirstAdmin()).id).toBe(first.id);
  });

  it('keeps the password hash out of JSON, logs and copies', async () => {
    const user = await mustCreateUser(gateway.em(), { passwordHash: 'very secret' });
    expect(user.passwordHash).toBe('very secret');
    expect(JSON.stringify(user) + inspect(user) + JSON.stringify({ ...user })).not.toContain('very secret');
  });
});

describe('listing users', () => {
  let own: Gateway;
  beforeAll(async () => {
    own = await openGateway();
    const em = own.em();
    for (let n = 1; n <= 25; n += 1) {
      await mustCreateUser(em, {
        email: `list${n}@example.com`,
        username: n === 7 ? '100%_\\x' : `name ${n}`,
        status: n % 2 ? 'active' : 'disabled',
      });
    }
    await gatewayRepositories(em).users.delete(
      (await gatewayRepositories(em).users.getByEmail('list25@example.com')).id,
    );
  });
  afterAll(() => own.close());
  const list = (page: object, filters: object = {}) =>
    gatewayRepositories(own.em()).users.listWithFilters(page, filters);

  it('F30: newest first, without the deleted one', async () => {
    const { items, total, pages } = await list({});
    expect(items.map((user) => user.email).slice(0, 2)).toEqual(['list24@example.com', 'list23@example.com']);
    expect({ total, pages, length: items.length }).toEqual({ total: 24, pages: 2, length: 20 });
    expect(await own.em().skipSoftDelete((em) => em.count(User))).toBe(25);
  });

  it('F31: takes the offset from the clamped size', async () => {
    expect(await list({ page: 2, pageSize: 0 })).toMatchObject({
      page: 2,
      pageSize: 20,
      total: 24,
      pages: 2,
    });
    expect((await list({ page: 2, pageSize: 500 })).items).toEqual([]);
    expect(await list({ page: -3, pageSize: -1 })).toMatchObject({ page: 1, pageSize: 20 });
    expect((await list({ page: 3, pageSize: 10 })).items).toHaveLength(4);
    for (const page of [Number.POSITIVE_INFINITY, 1e20, 2 ** 60])
      expect(await list({ page, pageSize: Number.POSITIVE_INFINITY })).toMatchObject({
        total: 24,
        items: [],
      });
    expect(await list({ page: Number.NaN, pageSize: Number.NaN })).toMatchObject({ page: 1, pageSize: 20 });
    expect(await list({}, { search: 'nobody at all' })).toMatchObject({ total: 0, pages: 0, items: [] });
  });

  it('takes wildcards of the search literally, and looks in e-mail and name in any case', async () => {
    for (const search of ['%', '_', '\\', '100%_\\X']) {
      expect((await list({}, { search })).items.map((user) => user.email)).toEqual(['list7@example.com']);
    }
    expect((await list({}, { search: 'LIST1@' })).total).toBe(1);
    expect((await list({}, { status: 'disabled', role: 'user' })).total).toBe(12);
    expect((await list({}, { search: '' })).total).toBe(24);
  });
});

describe('changing users', () => {
  it('F4: writes only the columns that differ, and never the balance', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().updateBalance(user.id, '5');
    gateway.statements();
    const changed = await users().update({
      id: user.id,
      email: user.email,
      notes: 'new',
      balance: '0',
    } as never);
    const updates = gateway.statements().filter((sql) => sql.startsWith('update'));
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatch(
      /^update "users" set "notes" = 'new', "updated_at" = now\(\) where "id" = '\d+' and "deleted_at" is null/,
    );
    expect(changed).toMatchObject({ notes: 'new', balance: '5.0000000000' });
    expect(changed.updatedAt.getTime()).toBeGreaterThanOrEqual(user.updatedAt.getTime());
    await users().update({ id: user.id, notes: 'new' });
    expect(gateway.statements().filter((sql) => sql.startsWith('update'))).toEqual([]);
  });

  it('replaces the set only when one is given, and keeps a deleted group that is in it', async () => {
    const [a, b] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const user = await mustCreateUser(gateway.em(), { allowedGroups: [a.id, b.id] });
    await gatewayRepositories(gateway.em()).groups.delete(a.id);
    expect((await users().update({ id: user.id, notes: 'x' })).allowedGroups).toEqual([a.id, b.id]);
    expect((await users().update({ id: user.id, allowedGroups: [a.id] })).allowedGroups).toEqual([a.id]);
    expect(await codeOf(users().update({ id: user.id, allowedGroups: ['123456'] }))).toBe('GROUP_NOT_FOUND');
    expect((await users().getById(user.id)).allowedGroups).toEqual([a.id]);
    expect((await users().update({ id: user.id, allowedGroups: [] })).allowedGroups).toEqual([]);
    expect(await codeOf(users().update({ id: user.id, allowedGroups: [a.id] }))).toBe('GROUP_NOT_FOUND');
  });

  it('answers EMAIL_EXISTS for a taken e-mail and leaves the row', async () => {
    const [a, b] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    expect(await codeOf(users().update({ id: a.id, email: b.email, notes: 'lost' }))).toBe('EMAIL_EXISTS');
    expect(await users().getById(a.id)).toMatchObject({ email: a.email, notes: '' });
  });

  it('F11: touches no deleted user', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().delete(user.id);
    const attempts = [
      users().update({ id: user.id, notes: 'x' }),
      users().updateBalance(user.id, '1'),
      users().deductBalance(user.id, '1'),
      users().setBalance(user.id, 'set', '1'),
      users().updateConcurrency(user.id, 1),
      users().update({ id: user.id, allowedGroups: [] }),
    ];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(Array(6).fill('USER_NOT_FOUND'));
    const row = await gateway.em().skipSoftDelete((em) => em.findOneOrFail(User, user.id));
    expect(row).toMatchObject({ balance: '0.0000000000', notes: '', concurrency: 5 });
  });

  it('changes the balance of a deleted user in skipSoftDelete, and in no other scope', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().delete(user.id);
    const add = (em: ReturnType<typeof gateway.em>) =>
      gatewayRepositories(em).users.updateBalance(user.id, '1');
    expect(await codeOf(gateway.em().withDeleted(add))).toBe('USER_NOT_FOUND');
    expect(await codeOf(gateway.em().onlyDeleted(add))).toBe('USER_NOT_FOUND');
    expect(await codeOf(gateway.em().skipSoftDelete(add))).toBe('done');
    const row = await gateway.em().skipSoftDelete((em) => em.findOneOrFail(User, user.id));
    expect(row.balance).toBe('1.0000000000');
  });

  it('F12: deletes twice with success, and answers USER_NOT_FOUND for an id that never existed', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().delete(user.id);
    const first = await gateway.em().skipSoftDelete((em) => em.findOneOrFail(User, user.id));
    await users().delete(user.id);
    const second = await gateway.em().skipSoftDelete((em) => em.findOneOrFail(User, user.id));
    expect(second.deletedAt).toEqual(first.deletedAt);
    expect(first.updatedAt).toEqual(first.deletedAt);
    expect(await codeOf(users().delete('987654321'))).toBe('USER_NOT_FOUND');
  });
});

describe('a user that is restored', () => {
  it('is found again, unless someone has its e-mail by now', async () => {
    const user = await mustCreateUser(gateway.em());
    await users().delete(user.id);
    const twin = await mustCreateUser(gateway.em(), { email: user.email });
    const restore = () => gateway.em().getRepository(User).restoreByKey(user.id);
    expect(await codeOf(restore())).toBe('EMAIL_EXISTS');
    expect((await users().getByEmail(user.email)).id).toBe(twin.id);
    await users().delete(twin.id);
    await restore();
    expect((await users().getByEmail(user.email)).id).toBe(user.id);
  });
});

describe('the number of parallel requests', () => {
  it('is added to in one statement, and refused where it is no whole number', async () => {
    const user = await mustCreateUser(gateway.em(), { concurrency: 5 });
    gateway.statements();
    await users().updateConcurrency(user.id, 3);
    await users().updateConcurrency(user.id, -1);
    expect(gateway.statements()).toHaveLength(2);
    expect((await users().getById(user.id)).concurrency).toBe(7);
    expect(await codeOf(users().updateConcurrency(user.id, 0.5))).toBe('VALIDATION');
    expect(await codeOf(users().updateConcurrency('987654321', 1))).toBe('USER_NOT_FOUND');
  });
});

describe('balances', () => {
  it('are exact to ten decimals and may be overdrawn by a deduction', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '1.00000000' });
    await users().deductBalance(user.id, '0.0000000049');
    expect((await users().getById(user.id)).balance).toBe('0.9999999951');
    await users().deductBalance(user.id, '2');
    expect((await users().getById(user.id)).balance).toBe('-1.0000000049');
    await users().updateBalance(user.id, '-0.5');
    expect((await users().getById(user.id)).balance).toBe('-1.5000000049');
    expect(await codeOf(users().deductBalance(user.id, '-1'))).toBe('VALIDATION');
  });

  it('set, added to and taken from by an administrator answer what was and what is, and do not go below zero', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '3' });
    expect(await users().setBalance(user.id, 'add', '1.5')).toEqual({
      before: '3.0000000000',
      after: '4.5000000000',
    });
    expect(await users().setBalance(user.id, 'subtract', '4.5')).toEqual({
      before: '4.5000000000',
      after: '0.0000000000',
    });
    expect(await codeOf(users().setBalance(user.id, 'subtract', '0.1'))).toBe('VALIDATION');
    expect(await users().setBalance(user.id, 'set', '7')).toEqual({
      before: '0.0000000000',
      after: '7.0000000000',
    });
    expect(await codeOf(users().setBalance(user.id, 'double' as never, '1'))).toBe('VALIDATION');
    gateway.statements();
    await users().setBalance(user.id, 'set', '8');
    expect(gateway.statements()).toHaveLength(1);
  });

  it('answer VALIDATION and stay when the column would overflow', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '999999999999' });
    expect(await codeOf(users().updateBalance(user.id, '1'))).toBe('VALIDATION');
    expect((await users().getById(user.id)).balance).toBe('999999999999.0000000000');
  });
});

describe('sets of allowed groups', () => {
  it('lose a group everywhere, and tell how many had it', async () => {
    const group = await mustCreateGroup(gateway.em());
    const kept = await mustCreateGroup(gateway.em());
    const having = [
      await mustCreateUser(gateway.em(), { allowedGroups: [group.id, kept.id] }),
      await mustCreateUser(gateway.em(), { allowedGroups: [group.id] }),
    ];
    expect(await users().removeGroupFromAllowedGroups(group.id)).toBe(2);
    expect(await users().removeGroupFromAllowedGroups(group.id)).toBe(0);
    expect((await users().getById(having[0]?.id ?? '')).allowedGroups).toEqual([kept.id]);
  });
});
