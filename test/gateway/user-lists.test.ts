import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type ListedUser, type UserFilters } from 'tombstone/gateway';
import { insertSubscription } from '../support/gateway-rows.ts';
import { codeOf, insertAttribute, insertAttributeValue } from '../support/gateway-users.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const list = (filters: UserFilters, page: object = {}) =>
  gatewayRepositories(gateway.em()).users.listWithFilters(page, filters);

describe('a list filtered by attributes', () => {
  let city = '';
  let team = '';
  const names = async (...entries: [string, string][]): Promise<string[]> =>
    (await list({ attributes: new Map(entries) })).items.map((user) => user.username).toSorted();

  beforeAll(async () => {
    const em = gateway.em();
    [city, team] = [await insertAttribute(em), await insertAttribute(em)];
    const people: [string, string | null, string | null][] = [
      ['ada', 'Berlin', 'core'],
      ['bob', 'BERLIN Mitte', 'web'],
      ['eve', '100%_\\x', 'core'],
      ['nil', null, null],
      ['gone', 'Berlin', 'core'],
    ];
    for (const [username, ...values] of people) {
      const user = await mustCreateUser(em, { username });
      await insertAttributeValue(em, user.id, city, values[0] ?? null);
      await insertAttributeValue(em, user.id, team, values[1] ?? null);
      if (username === 'gone') await gatewayRepositories(em).users.delete(user.id);
    }
    await mustCreateUser(em, { username: 'none' });
  });

  it('has the live users whose values hold the text, in any case', async () => {
    expect(await names([city, 'berlin'])).toEqual(['ada', 'bob']);
    expect(await names([city, 'LIN m'])).toEqual(['bob']);
    const all = await gateway.em().skipSoftDelete(async (em) => {
      const found = await gatewayRepositories(em).users.listWithFilters(
        {},
        { attributes: new Map([[city, 'berlin']]) },
      );
      return found.items.map((user) => user.username).toSorted();
    });
    expect(all).toEqual(['ada', 'bob', 'gone']);
  });

  it('asks for all entries at once, beside the other filters', async () => {
    expect(await names([city, 'berlin'], [team, 'core'])).toEqual(['ada']);
    const attributes = new Map([[city, 'berlin']]);
    expect(await list({ attributes, search: 'BOB', role: 'user' })).toMatchObject({ total: 1, pages: 1 });
    expect(await list({ attributes, search: 'eve' })).toMatchObject({ total: 0, pages: 0, items: [] });
  });

  it('is empty, with a total of 0, when nobody matches or nobody was asked', async () => {
    for (const entry of [
      [city, 'Paris'],
      ['987654321', 'berlin'],
    ] as [string, string][]) {
      const page = await list({ attributes: new Map([entry]) });
      expect(page).toMatchObject({ items: [], total: 0, pages: 0 });
    }
  });

  it('takes an empty text, and an empty map, for no filter', async () => {
    const { total } = await list({});
    expect((await list({ attributes: new Map() })).total).toBe(total);
    expect((await list({ attributes: new Map([[city, '']]) })).total).toBe(total);
    expect(await names([city, ''], [team, 'web'])).toEqual(['bob']);
  });

  it('F33: takes wildcards literally, where the original’s pattern matches everybody', async () => {
    const ORIGINAL = `select user_id from user_attribute_values where attribute_id = ? and value ilike '%' || ? || '%'`;
    expect(await gateway.em().execute<unknown[]>(ORIGINAL, [city, '%'])).toHaveLength(4);
    for (const text of ['%', '_', '\\', '100%_\\X']) expect(await names([city, text])).toEqual(['eve']);
  });

  it('F33: sends no list of ids: one condition in the statements of the page', async () => {
    gateway.statements();
    await names([city, 'berlin'], [team, 'core']);
    const sent = gateway.statements();
    const [page = '', ...others] = sent.filter((sql) => sql.includes('user_attribute_values'));
    expect(others).toEqual([]);
    expect(page.match(/exists \(/g)).toHaveLength(2);
    expect(page).not.toMatch(/"id" in \(/);
  });

  it('does not ask values of a deleted definition', async () => {
    const em = gateway.em();
    const attribute = await insertAttribute(em);
    const user = await mustCreateUser(em, { username: 'asked' });
    await insertAttributeValue(em, user.id, attribute, 'yes');
    expect(await names([attribute, 'yes'])).toEqual(['asked']);
    const mark =
      'update user_attribute_definitions set deleted_at = now() where id = ? and deleted_at is null';
    await em.execute(mark, [attribute], 'run');
    expect(await names([attribute, 'yes'])).toEqual([]);
    const kept = await em.execute<unknown[]>('select from user_attribute_values where attribute_id = ?', [
      attribute,
    ]);
    expect(kept).toHaveLength(1);
  });

  it.each([
    ['an object', { 1: 'x' }],
    ['a list', [['1', 'x']]],
    ['null', null],
    ['an id as a number', new Map([[1, 'x']])],
    ['an id of zero', new Map([['0', 'x']])],
    ['a text that is a number', new Map([['1', 7]])],
    ['a text with NUL', new Map([['1', 'a\0']])],
  ])('refuses %s before any SQL', async (_name, attributes) => {
    gateway.statements();
    expect(await codeOf(list({ attributes } as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });
});

describe('the subscriptions of a listed user', () => {
  const subscriptionsOf = async (username: string): Promise<ListedUser['subscriptions']> => {
    const { items } = await list({ search: username });
    return items[0]?.subscriptions ?? [];
  };

  it('are the live ones with status active, expired or not, with their groups, by id', async () => {
    const em = gateway.em();
    const user = await mustCreateUser(em, { username: 'subscriber' });
    const other = await mustCreateUser(em, { username: 'somebody else' });
    const admin = await mustCreateUser(em, { username: 'assigner' });
    const groups = await Promise.all(Array.from({ length: 5 }, () => mustCreateGroup(em)));
    const [a = '', b = '', c = '', d = '', dead = ''] = groups.map((group) => group.id);
    const insert = (group_id: string, values = {}) =>
      insertSubscription(em, { user_id: user.id, group_id, ...values });
    const first = await insert(b, { assigned_by: admin.id, daily_usage_usd: '0.0000000049' });
    const expired = await insert(a, { expires_at: new Date(0), notes: 'paid' });
    await insert(c, { status: 'suspended' });
    await insert(d, { deleted_at: new Date() });
    const ofDead = await insert(dead);
    await insertSubscription(em, { user_id: other.id, group_id: a });
    await gatewayRepositories(em).groups.delete(dead);

    const found = await subscriptionsOf('subscriber');
    expect(found.map(({ id }) => id)).toEqual([first, expired, ofDead]);
    expect(found[0]).toMatchObject({
      userId: user.id,
      groupId: b,
      group: { id: b, rateMultiplier: '1.0000', platform: 'anthropic' },
      assignedById: admin.id,
      dailyUsageUsd: '0.0000000049',
      dailyWindowStart: null,
      notes: '',
    });
    expect(found[1]).toMatchObject({ status: 'active', expiresAt: new Date(0), notes: 'paid' });
    expect(found[2]).toMatchObject({ group: null, groupId: dead });
    expect(await subscriptionsOf('somebody else')).toMatchObject([{ groupId: a, group: { id: a } }]);
    expect(await subscriptionsOf('assigner')).toEqual([]);
  });

  it('show a deleted group and a deleted subscription in skipSoftDelete', async () => {
    const found = await gateway.em().skipSoftDelete(async (em) => {
      const { items } = await gatewayRepositories(em).users.listWithFilters({}, { search: 'subscriber' });
      return items[0]?.subscriptions ?? [];
    });
    expect(found).toHaveLength(4);
    expect(found.every(({ group }) => group !== null)).toBe(true);
  });

  it('stand beside the set of allowed groups, and the hash of the password stays hidden', async () => {
    const group = await mustCreateGroup(gateway.em());
    await mustCreateUser(gateway.em(), {
      username: 'both',
      passwordHash: 'very secret',
      allowedGroups: [group.id],
    });
    const { items } = await list({ search: 'both' });
    expect(items[0]).toMatchObject({ allowedGroups: [group.id], subscriptions: [] });
    expect(items[0]?.passwordHash).toBe('very secret');
    expect(JSON.stringify(items) + inspect(items, { depth: 9 })).not.toContain('very secret');
  });
});

describe('the statements of a page', () => {
  let own: Gateway;
  beforeAll(async () => {
    own = await openGateway();
    const em = own.em();
    const groups = await Promise.all(Array.from({ length: 10 }, () => mustCreateGroup(em)));
    for (let n = 0; n < 100; n += 1) {
      const [one, two] = [groups[n % 10], groups[(n + 1) % 10]].map((group) => group?.id ?? '');
      const user = await mustCreateUser(em, { allowedGroups: [one ?? ''] });
      for (const group_id of [one ?? '', two ?? '']) {
        await insertSubscription(em, { user_id: user.id, group_id });
      }
    }
  });
  afterAll(() => own.close());

  it('are three, whether it has 1, 20 or 100 users', async () => {
    for (const pageSize of [1, 20, 100]) {
      own.statements();
      const { items } = await gatewayRepositories(own.em()).users.list({ pageSize });
      expect(own.statements()).toHaveLength(3);
      expect(items).toHaveLength(pageSize);
      for (const { allowedGroups, subscriptions } of items) {
        expect(allowedGroups).toHaveLength(1);
        expect(subscriptions.map(({ group, groupId }) => group?.id === groupId)).toEqual([true, true]);
      }
    }
  });

  it('are two when it is empty', async () => {
    own.statements();
    await gatewayRepositories(own.em()).users.listWithFilters({}, { search: 'nobody' });
    expect(own.statements().length).toBeLessThanOrEqual(2);
  });
});
