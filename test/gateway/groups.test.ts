import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, Group } from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

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

describe('groups', () => {
  it('F44: have the column’s defaults for what is left out', async () => {
    const group = await groups().create({ name: 'defaults' });
    expect(group).toMatchObject({
      description: '',
      rateMultiplier: '1.0000',
      isExclusive: false,
      status: 'active',
      platform: 'anthropic',
      subscriptionType: 'standard',
      dailyLimitUsd: null,
      defaultValidityDays: 30,
      imagePrice1k: null,
      claudeCodeOnly: false,
      fallbackGroupId: null,
      modelRouting: {},
      modelRoutingEnabled: false,
    });
    expect(await groups().getById(group.id)).toEqual(group);
  });

  it('F44: have no zero written over a default, and keep a zero that was given', async () => {
    // As the original does: a language's zero value for what the caller has left out.
    const original = `insert into groups (name, default_validity_days) values ('zero', 0) returning default_validity_days as days`;
    expect(await gateway.rows(original)).toEqual([{ days: 0 }]);
    expect(await groups().create({ name: 'left out' })).toMatchObject({ defaultValidityDays: 30 });
    const zero = { defaultValidityDays: 0, rateMultiplier: '0' };
    const given = await groups().create({ name: 'given', ...zero });
    expect(given).toMatchObject({ defaultValidityDays: 0, rateMultiplier: '0.0000' });
    expect(await groups().update({ id: given.id, status: 'x' })).toMatchObject({ defaultValidityDays: 0 });
  });

  it('keep a routing as it was given, backslashes too', async () => {
    const modelRouting = { 'claude-*': [1, '9223372036854775807'], 'a\\u0000"': [] };
    const group = await mustCreateGroup(gateway.em(), { modelRouting });
    expect((await groups().getById(group.id)).modelRouting).toEqual(modelRouting);
  });

  it('F16: have updated_at set by every change, by the clock of the database', async () => {
    const group = await mustCreateGroup(gateway.em());
    const back = () => gateway.rows(`update groups set updated_at = '2020-01-01' where id = ?`, [group.id]);
    const fresh = `select updated_at > now() - interval '1 hour' as fresh, created_at < updated_at as after from groups where id = ?`;
    for (const write of [
      () => groups().update({ id: group.id, status: 'x' }),
      () => groups().delete(group.id),
    ]) {
      await back();
      await write();
      expect(await gateway.rows(fresh, [group.id])).toEqual([{ fresh: true, after: true }]);
    }
  });

  it('have unique names among the live ones', async () => {
    const group = await mustCreateGroup(gateway.em(), { name: 'unique' });
    expect(await codeOf(groups().create({ name: 'unique' }))).toBe('GROUP_EXISTS');
    expect(await groups().existsByName('unique')).toBe(true);
    await groups().delete(group.id);
    expect(await gateway.em().skipSoftDelete((em) => em.count(Group, { name: 'unique' }))).toBe(1);
    expect(await groups().existsByName('unique')).toBe(false);
    expect(await codeOf(groups().create({ name: 'unique' }))).toBe('done');
  });

  it('F41: answer GROUP_EXISTS and GROUP_NOT_FOUND from an update, and change nothing', async () => {
    const [taken, group] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    const original = 'update groups set fallback_group_id = 987654321 where id = ?';
    await expect(gateway.rows(original, [group.id])).rejects.toMatchObject({ sqlState: '23503' });
    expect(await codeOf(groups().update({ id: group.id, name: taken.name }))).toBe('GROUP_EXISTS');
    expect(await codeOf(groups().update({ id: group.id, fallbackGroupId: '987654321' }))).toBe(
      'GROUP_NOT_FOUND',
    );
    expect(await codeOf(groups().create({ name: 'f41', fallbackGroupId: '987654321' }))).toBe(
      'GROUP_NOT_FOUND',
    );
    expect(await codeOf(groups().create({ name: 'f41', dailyLimitUsd: '1000000000000' }))).toBe('VALIDATION');
    expect(await groups().getById(group.id)).toEqual(group);
    expect(await groups().existsByName('f41')).toBe(false);
  });

  it('F13: keep the id of a deleted fallback in sight, and may be changed with it', async () => {
    const fallback = await mustCreateGroup(gateway.em());
    const group = await mustCreateGroup(gateway.em(), { fallbackGroupId: fallback.id });
    await groups().delete(fallback.id);
    const change = { id: group.id, fallbackGroupId: fallback.id, description: 'still' };
    expect(await groups().update(change)).toMatchObject(change);
    expect(await codeOf(groups().create({ name: 'another', fallbackGroupId: fallback.id }))).toBe(
      'GROUP_NOT_FOUND',
    );
  });

  it('answer GROUP_NOT_FOUND once deleted, and delete again or unknown with success', async () => {
    const group = await mustCreateGroup(gateway.em());
    await groups().delete(group.id);
    await groups().delete(group.id);
    await groups().delete('987654321');
    expect(
      await gateway.em().skipSoftDelete((em) => gatewayRepositories(em).groups.findById(group.id)),
    ).not.toBeNull();
    for (const attempt of [
      groups().getById(group.id),
      groups().getByIdLite(group.id),
      groups().update({ id: group.id, status: 'x' }),
    ]) {
      expect(await codeOf(attempt)).toBe('GROUP_NOT_FOUND');
    }
    expect(await groups().findById(group.id)).toBeNull();
    expect(await codeOf(mustCreateGroup(gateway.em(), { fallbackGroupId: group.id }))).toBe(
      'GROUP_NOT_FOUND',
    );
  });

  it('are read by id in exactly one statement', async () => {
    const group = await mustCreateGroup(gateway.em());
    gateway.statements();
    await groups().getByIdLite(group.id);
    expect(gateway.statements()).toHaveLength(1);
  });

  it.each([
    ['null', null],
    ['an empty name', { name: '' }],
    ['a name of 101 characters', { name: 'x'.repeat(101) }],
    ['a negative multiplier', { name: 'g', rateMultiplier: '-1' }],
    ['a limit with 9 decimals', { name: 'g', dailyLimitUsd: '0.000000001' }],
    ['Infinity', { name: 'g', weeklyLimitUsd: 'Infinity' }],
    ['half a day of validity', { name: 'g', defaultValidityDays: 0.5 }],
    ['a text for a flag', { name: 'g', isExclusive: 'yes' }],
    ['a list for the routing', { name: 'g', modelRouting: [] }],
    ['a date for the routing', { name: 'g', modelRouting: new Date(0) }],
    ['a NUL in the routing', { name: 'g', modelRouting: { 'a\0': [] } }],
    ['a lone surrogate in the routing', { name: 'g', modelRouting: { 'a\ud800': [] } }],
    ['a routing to no list', { name: 'g', modelRouting: { 'a*': '1' } }],
    ['a routing to half an account', { name: 'g', modelRouting: { 'a*': [1.5] } }],
    ['a routing to an id that a number cannot hold', { name: 'g', modelRouting: { 'a*': [2 ** 53] } }],
    ['a routing to a word', { name: 'g', modelRouting: { 'a*': ['one'] } }],
    ['a routing to a bigint, which JSON does not have', { name: 'g', modelRouting: { 'a*': [1n] } }],
    ['a word for the fallback', { name: 'g', fallbackGroupId: 'seven' }],
  ])('refuse %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(groups().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });
});
