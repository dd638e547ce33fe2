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

  it('F45: are changed column by column: undefined keeps, null clears', async () => {
    const fallback = await mustCreateGroup(gateway.em());
    const full = {
      description: 'text',
      dailyLimitUsd: '1.5',
      imagePrice4k: '0',
      fallbackGroupId: fallback.id,
      modelRouting: { 'claude-*': ['1'] },
    };
    const group = await mustCreateGroup(gateway.em(), full);
    expect(await groups().update({ id: group.id, status: 'disabled' })).toMatchObject({
      ...full,
      dailyLimitUsd: '1.50000000',
      imagePrice4k: '0.00000000',
      status: 'disabled',
    });
    const cleared = { dailyLimitUsd: null, imagePrice4k: null, fallbackGroupId: null, modelRouting: null };
    const result = await groups().update({ id: group.id, ...cleared });
    expect(result).toMatchObject({ ...cleared, modelRouting: {}, description: 'text' });
    const [row] = await gateway.rows<{ routing: string | null }>(
      'select model_routing::text as routing from groups where id = ?',
      [group.id],
    );
    expect(row?.routing).toBeNull();
  });

  it('keep a routing as it was given, backslashes too', async () => {
    const modelRouting = { 'claude-*': [1, '9223372036854775807'], 'a\\u0000"': [] };
    const group = await mustCreateGroup(gateway.em(), { modelRouting });
    expect((await groups().getById(group.id)).modelRouting).toEqual(modelRouting);
  });

  it('write no column that has not changed', async () => {
    const group = await mustCreateGroup(gateway.em(), { rateMultiplier: '1.5' });
    gateway.statements();
    await groups().update({ id: group.id, rateMultiplier: '1.50', name: group.name });
    expect(gateway.statements().filter((sql) => sql.startsWith('update'))).toEqual([]);
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

describe('lists of groups', () => {
  let own: Gateway;
  beforeAll(async () => {
    own = await openGateway();
    const em = own.em();
    await mustCreateGroup(em, {
      name: 'alpha',
      platform: 'openai',
      isExclusive: true,
      description: 'has 100% of it',
    });
    await mustCreateGroup(em, { name: 'beta', platform: 'openai', status: 'disabled' });
    const gamma = await mustCreateGroup(em, { name: 'gamma', platform: 'openai' });
    await mustCreateGroup(em, { name: 'delta', platform: 'gemini' });
    await gatewayRepositories(em).groups.delete(gamma.id);
  });
  afterAll(() => own.close());
  const list = async (filters: object, page: object = {}): Promise<string[]> =>
    (await gatewayRepositories(own.em()).groups.listWithFilters(page, filters)).items.map(
      (group) => group.name,
    );

  it('F30: are ordered by id, without the deleted one', async () => {
    expect(await list({})).toEqual(['default', 'alpha', 'beta', 'delta']);
    const all = await own.em().skipSoftDelete((em) => gatewayRepositories(em).groups.list());
    expect(all.items.map((group) => group.name)).toContain('gamma');
  });

  it('filter by platform, status, text and the tri-state flag', async () => {
    expect(await list({ platform: 'openai' })).toEqual(['alpha', 'beta']);
    expect(await list({ status: 'disabled' })).toEqual(['beta']);
    expect(await list({ search: '100%' })).toEqual(['alpha']);
    expect(await list({ search: 'TA' })).toEqual(['beta', 'delta']);
    expect(await list({ isExclusive: true })).toEqual(['alpha']);
    expect(await list({ isExclusive: false })).toEqual(['default', 'beta', 'delta']);
    expect(await list({}, { page: 2, pageSize: 3 })).toEqual(['delta']);
  });

  it('give the active ones, of one platform too', async () => {
    const { groups: repository } = gatewayRepositories(own.em());
    expect((await repository.listActive()).map((group) => group.name)).toEqual(['default', 'alpha', 'delta']);
    expect((await repository.listActiveByPlatform('openai')).map((group) => group.name)).toEqual(['alpha']);
  });
});
