import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
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

describe('changes of a group', () => {
  it.each([
    ['null', null],
    ['nothing', undefined],
    ['no id', { status: 'x' }],
    ['a number for the id', { id: 1 }],
    ['an empty name', { id: '1', name: '' }],
    ['a limit with 9 decimals', { id: '1', dailyLimitUsd: '0.000000001' }],
    ['a word for the fallback', { id: '1', fallbackGroupId: 'seven' }],
  ])('refuse %s before any SQL', async (_name, change) => {
    gateway.statements();
    expect(await codeOf(groups().update(change as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  const NOTHING = {
    dailyLimitUsd: null,
    weeklyLimitUsd: null,
    monthlyLimitUsd: null,
    imagePrice1k: null,
    imagePrice2k: null,
    imagePrice4k: null,
    fallbackGroupId: null,
  };
  const fullGroup = async () => {
    const fallbackGroupId = (await mustCreateGroup(gateway.em())).id;
    const prices = { imagePrice1k: '0', imagePrice2k: '0.5', imagePrice4k: '1' };
    const limits = { dailyLimitUsd: '1', weeklyLimitUsd: '2', monthlyLimitUsd: '3' };
    const texts = { description: 'text', modelRouting: { 'claude-*': ['1'] } };
    return mustCreateGroup(gateway.em(), { ...prices, ...limits, ...texts, fallbackGroupId });
  };

  it('F45: are cleared by null in every column that may be empty', async () => {
    const group = await fullGroup();
    // As the original does: a null leaves the column out of the update.
    const original =
      'update groups set daily_limit_usd = coalesce(?, daily_limit_usd) where id = ? returning daily_limit_usd';
    expect(await gateway.rows(original, [null, group.id])).toEqual([{ daily_limit_usd: '1.00000000' }]);

    const cleared = { ...NOTHING, description: null, modelRouting: null };
    expect(await groups().update({ id: group.id, ...cleared })).toMatchObject({
      ...NOTHING,
      description: '',
      modelRouting: {},
    });
    const columns = `daily_limit_usd, weekly_limit_usd, monthly_limit_usd, image_price_1k, image_price_2k, image_price_4k,
      fallback_group_id, description, model_routing`;
    const [row = {}] = await gateway.rows(`select ${columns} from groups where id = ?`, [group.id]);
    expect(new Set(Object.values(row))).toEqual(new Set([null]));
  });

  it.each([
    'name',
    'status',
    'platform',
    'subscriptionType',
    'rateMultiplier',
    'defaultValidityDays',
    'isExclusive',
  ])('F45: refuse null for %s, which is never empty, before any SQL', async (column) => {
    gateway.statements();
    expect(await codeOf(groups().update({ id: '1', [column]: null }))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('F44: keep what an update leaves out or gives as undefined', async () => {
    const { updatedAt: _before, ...group } = await fullGroup();
    const undefinedAll = Object.fromEntries(
      ['name', 'description', 'modelRouting', 'platform', ...Object.keys(NOTHING)].map((name) => [
        name,
        undefined,
      ]),
    );
    expect(await groups().update({ id: group.id, ...undefinedAll, status: 'disabled' })).toMatchObject({
      ...group,
      status: 'disabled',
    });
  });

  it.each([
    [{ status: 'other' }, '"status" = \'other\''],
    [{ dailyLimitUsd: null, status: 'active' }, '"daily_limit_usd" = null'],
    [{ description: 'new', rateMultiplier: '1.00' }, '"description" = \'new\''],
    [{ modelRouting: { b: [], a: [1] } }, '"model_routing" = '],
  ])('write the changed column alone: %j', async (change, written) => {
    const group = await fullGroup();
    gateway.statements();
    await groups().update({ id: group.id, name: group.name, ...change });
    const updates = gateway.statements().filter((sql) => sql.startsWith('update'));
    expect(updates).toHaveLength(1);
    const [, set = ''] = / set (.*) where /s.exec(updates[0] ?? '') ?? [];
    expect(set.slice(0, written.length)).toBe(written);
    expect(set.match(/"\w+" = /g)?.map((name) => name.slice(1, -4))).toEqual([
      written.split('"')[1],
      'updated_at',
    ]);
    expect(updates[0]).toContain('"deleted_at" is null');
  });

  it('are updated in a constant number of statements', async () => {
    const group = await fullGroup();
    const sent = async (change: object): Promise<number> => {
      gateway.statements();
      await groups().update({ id: group.id, ...change });
      return gateway.statements().length;
    };
    // The group, once more as it is stored, and the number of its accounts.
    expect(await sent({ name: group.name })).toBe(3);
    // And the update and the event.
    expect(await sent({ name: 'renamed once' })).toBe(5);
    expect(await sent({ fallbackGroupId: (await mustCreateGroup(gateway.em())).id })).toBe(6);
    gateway.statements();
    await groups().create({ name: 'counted in statements' });
    expect(gateway.statements()).toHaveLength(3);
    await groups().delete(group.id);
    expect(gateway.statements()).toHaveLength(2);
  });

  it('write nothing when nothing differs', async () => {
    const modelRouting = { 'b*': [1], a: ['2'] };
    const group = await mustCreateGroup(gateway.em(), { rateMultiplier: '1.5', modelRouting });
    gateway.statements();
    const same = {
      rateMultiplier: '1.50',
      name: group.name,
      description: '',
      modelRouting: { a: ['2'], 'b*': [1] },
    };
    const { accountCount: _, ...updated } = await groups().update({
      id: group.id,
      ...same,
      description: undefined,
    });
    expect(updated).toEqual(await groups().getByIdLite(group.id));
    expect(updated.updatedAt).toEqual(group.updatedAt);
    expect(gateway.statements().filter((sql) => !sql.startsWith('select'))).toEqual([]);
  });
});
