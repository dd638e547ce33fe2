import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

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

  it.each([
    ['a word for the flag', { isExclusive: 'yes' }],
    ['a number for the status', { status: 1 }],
    ['a list for the platform', { platform: ['openai'] }],
    ['a NUL in the text', { search: 'a\0' }],
  ])('refuse %s before any SQL', async (_name, filters) => {
    own.statements();
    expect(await codeOf(list(filters))).toBe('VALIDATION');
    expect(own.statements()).toEqual([]);
  });

  it('filter by nothing where a filter is empty or null', async () => {
    const every = ['default', 'alpha', 'beta', 'delta'];
    expect(await list({ platform: '', status: '', search: '' })).toEqual(every);
    expect(await list({ platform: null, status: null, search: null, isExclusive: null })).toEqual(every);
  });

  it('take the wildcards of a search literally', async () => {
    expect(await list({ search: '%' })).toEqual(['alpha']);
    expect(await list({ search: '_' })).toEqual([]);
    expect(await list({ search: '\\' })).toEqual([]);
  });

  it('give the active ones, of one platform too', async () => {
    const { groups: repository } = gatewayRepositories(own.em());
    expect((await repository.listActive()).map((group) => group.name)).toEqual(['default', 'alpha', 'delta']);
    expect((await repository.listActiveByPlatform('openai')).map((group) => group.name)).toEqual(['alpha']);
  });
});

it('F32: the active ones are all there are, or are refused above 10,000', async () => {
  const own = await openGateway();
  const fill = (rows: number) =>
    own.rows(`insert into groups (name) select 'g' || gen_random_uuid() from generate_series(1, ${rows})`);
  await fill(9_999); // and the default one
  const { groups: repository } = gatewayRepositories(own.em());
  expect(await repository.listActive()).toHaveLength(10_000);
  await fill(1);
  await expect(repository.listActive()).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
  const ofPlatform = repository.listActiveByPlatform('anthropic');
  await expect(ofPlatform).rejects.toMatchObject({ code: 'LIST_TOO_LONG' });
  await own.close();
});

describe('F31: pages of 250 groups', () => {
  let own: Gateway;
  beforeAll(async () => {
    own = await openGateway();
    await own.rows(`insert into groups (name) select 'group ' || n from generate_series(2, 250) n`);
  });
  afterAll(() => own.close());
  const page = async (request: object): Promise<string[]> =>
    (await gatewayRepositories(own.em()).groups.list(request)).items.map((group) => group.id);
  // As the original does: the limit is clamped, and the offset computed with the size that was asked for.
  const original = (number: number, size: number): Promise<{ id: string }[]> => {
    const limit = size < 1 ? 20 : Math.min(size, 100);
    return own.rows(
      `select id from groups where deleted_at is null order by id limit ${limit} offset ${(number - 1) * size}`,
    );
  };

  it('show each group once, whatever size is asked for', async () => {
    expect((await original(2, 0))[0]).toEqual((await original(1, 0))[0]);
    expect(await original(2, 500)).toEqual([]);
    await expect(original(2, -5)).rejects.toMatchObject({ sqlState: '2201X' });

    for (const pageSize of [0, -5, 500, 100, 7]) {
      const { pages, total } = await gatewayRepositories(own.em()).groups.list({ pageSize });
      expect(total).toBe(250);
      const ids: string[] = [];
      for (let number = 1; number <= pages; number += 1)
        ids.push(...(await page({ page: number, pageSize })));
      expect(ids).toEqual(
        (await own.rows<{ id: string }>('select id from groups order by id')).map((row) => row.id),
      );
    }
    expect(await page({ page: -3 })).toEqual(await page({}));
    const empty = await gatewayRepositories(own.em()).groups.listWithFilters({}, { search: 'no such' });
    expect(empty).toEqual({ items: [], total: 0, page: 1, pageSize: 20, pages: 0 });
  });
});
