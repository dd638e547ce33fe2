import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type GatewayRepositories,
  gatewayRepositories,
  UserAttributeDefinition,
  UserAttributeValue,
} from 'tombstone/gateway';
import { answersOf, mustCreateDefinition } from '../support/gateway-attributes.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.em().count(UserAttributeValue);
});
afterAll(() => gateway.close());

const definitions = (): GatewayRepositories['attributeDefinitions'] =>
  gatewayRepositories(gateway.em()).attributeDefinitions;
const values = (): GatewayRepositories['attributeValues'] =>
  gatewayRepositories(gateway.em()).attributeValues;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
describe('values', () => {
  it('are inserted and replaced in one statement, the later of two for one attribute', async () => {
    const { id: user } = await mustCreateUser(gateway.em());
    const [a, b] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    await values().upsertBatch(user, [{ attributeId: b.id, value: '["x"]' }]);
    const [first] = await values().getByUserId(user);
    gateway.statements();
    await values().upsertBatch(user, [
      { attributeId: b.id, value: 'lost' },
      { attributeId: a.id, value: '' },
      { attributeId: b.id, value: `it's "2"` },
    ]);
    expect(gateway.statements()).toHaveLength(1);
    const found = await values().getByUserId(user);
    expect(found.map(({ attributeId, value }) => [attributeId, value])).toEqual([
      [a.id, ''],
      [b.id, `it's "2"`],
    ]);
    expect(found[1]).toEqual({ ...first, value: `it's "2"`, updatedAt: expect.any(Date) });
    expect(Number(found[1]?.updatedAt)).toBeGreaterThanOrEqual(Number(first?.updatedAt));
    expect(first?.createdAt).toBeInstanceOf(Date);
    gateway.statements();
    await values().upsertBatch(user, []);
    expect(gateway.statements()).toEqual([]);
  });

  it('are all refused when one definition is deleted or unknown, or the user is', async () => {
    const [user, gone] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const [live, dead] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    await definitions().delete(dead.id);
    await gatewayRepositories(gateway.em()).users.delete(gone.id);
    const write = (userId: string, ...attributes: string[]) =>
      codeOf(
        values().upsertBatch(
          userId,
          attributes.map((attributeId) => ({ attributeId, value: 'x' })),
        ),
      );
    expect(await write(user.id, live.id, dead.id)).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
    expect(await write(user.id, '987654321', live.id)).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
    expect(await write(gone.id, live.id)).toBe('USER_NOT_FOUND');
    expect(await write('987654321', live.id, dead.id)).toBe('USER_NOT_FOUND');
    const rows = await gateway.rows('select from user_attribute_values where user_id in (?, ?)', [
      user.id,
      gone.id,
    ]);
    expect(rows).toEqual([]);
  });

  it('leave the caller’s transaction usable when they are refused, with nothing of them in it', async () => {
    const user = await mustCreateUser(gateway.em());
    const live = await mustCreateDefinition(gateway.em());
    await gateway.em().transactional(async (tx) => {
      const repository = gatewayRepositories(tx).attributeValues;
      const both = [live.id, '987654321'].map((attributeId) => ({ attributeId, value: 'lost' }));
      expect(await codeOf(repository.upsertBatch(user.id, both))).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
      expect(await answersOf(tx, user.id)).toEqual([]);
      await repository.upsertBatch(user.id, [{ attributeId: live.id, value: 'kept' }]);
    });
    expect(await answersOf(gateway.em(), user.id)).toEqual([[live.id, 'kept']]);
  });

  it('are read of several users in one statement, in the order of display, NULL as empty', async () => {
    const [ada, bob] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const late = await mustCreateDefinition(gateway.em(), { displayOrder: 2 });
    const early = await mustCreateDefinition(gateway.em(), { displayOrder: 1 });
    for (const { id } of [bob, ada])
      await values().upsertBatch(
        id,
        [late, early].map((definition) => ({ attributeId: definition.id, value: id })),
      );
    await gateway.rows(
      'update user_attribute_values set value = null where user_id = ? and attribute_id = ?',
      [ada.id, late.id],
    );
    gateway.statements();
    const found = await values().getByUserIds([bob.id, ada.id, '0', bob.id, '987654321']);
    expect(gateway.statements()).toHaveLength(1);
    expect(found.map(({ userId, attributeId, value }) => [userId, attributeId, value])).toEqual([
      [ada.id, early.id, ada.id],
      [ada.id, late.id, ''],
      [bob.id, early.id, bob.id],
      [bob.id, late.id, bob.id],
    ]);
    gateway.statements();
    expect(await values().getByUserIds([])).toEqual([]);
    expect(gateway.statements()).toEqual([]);
  });

  it('are removed by user and by attribute, physically', async () => {
    const [ada, bob] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const [a, b] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    for (const { id } of [ada, bob])
      await values().upsertBatch(
        id,
        [a, b].map((definition) => ({ attributeId: definition.id, value: 'x' })),
      );
    expect([await values().deleteByAttributeId(a.id), await values().deleteByAttributeId(a.id)]).toEqual([
      2, 0,
    ]);
    expect([await values().deleteByUserId(ada.id), await values().deleteByUserId(ada.id)]).toEqual([1, 0]);
    expect(await answersOf(gateway.em(), bob.id)).toEqual([[b.id, 'x']]);
    expect(
      await gateway.rows('select from user_attribute_values where user_id in (?, ?)', [ada.id, bob.id]),
    ).toHaveLength(1);
  });

  it('go with their definition; one that another program left is not shown', async () => {
    const user = await mustCreateUser(gateway.em());
    const [a, b] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    await values().upsertBatch(
      user.id,
      [a, b].map((definition) => ({ attributeId: definition.id, value: 'x' })),
    );
    const rows = (id: string) =>
      gateway.rows('select from user_attribute_values where attribute_id = ?', [id]);
    await gateway.em().nativeDelete(UserAttributeDefinition, { id: a.id });
    expect(await rows(a.id)).toHaveLength(1);
    expect(await answersOf(gateway.em(), user.id)).toEqual([[b.id, 'x']]);
    expect(await gateway.em().skipSoftDelete((em) => answersOf(em, user.id))).toHaveLength(2);
    gateway.statements();
    await definitions().delete(b.id);
    expect(gateway.statements()).toHaveLength(2);
    await definitions().delete(a.id);
    expect([await rows(a.id), await rows(b.id)]).toEqual([[], []]);
    expect(
      await gateway.em().skipSoftDelete((em) => em.count(UserAttributeDefinition, { id: [a.id, b.id] })),
    ).toBe(2);
  });

  it('go by the foreign keys when their definition or their user is removed physically', async () => {
    const [ada, bob] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    const [a, b] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    for (const { id } of [ada, bob])
      await values().upsertBatch(
        id,
        [a, b].map((definition) => ({ attributeId: definition.id, value: 'x' })),
      );
    await gateway.em().skipSoftDelete(async (em) => {
      await gatewayRepositories(em).attributeDefinitions.delete(a.id);
      await gatewayRepositories(em).users.delete(ada.id);
    });
    expect(await gateway.rows('select from user_attribute_definitions where id = ?', [a.id])).toEqual([]);
    const rows = await gateway.rows(
      'select user_id, attribute_id from user_attribute_values where user_id in (?, ?)',
      [ada.id, bob.id],
    );
    expect(rows).toEqual([{ user_id: bob.id, attribute_id: b.id }]);
  });

  it.each([
    ['a word for the user', ['seven', [{ attributeId: '1', value: 'x' }]]],
    ['no list', ['1', 'x']],
    ['null in the list', ['1', [null]]],
    ['no attribute', ['1', [{ value: 'x' }]]],
    ['an attribute as a number', ['1', [{ attributeId: 1, value: 'x' }]]],
    ['no value', ['1', [{ attributeId: '1' }]]],
    ['null for a value', ['1', [{ attributeId: '1', value: null }]]],
    ['NUL in a value', ['1', [{ attributeId: '1', value: 'a\0' }]]],
    [
      'a lone surrogate in a value that a later one replaces',
      [
        '1',
        [
          { attributeId: '1', value: '\ud800' },
          { attributeId: '1', value: 'x' },
        ],
      ],
    ],
  ] as const)('refuse %s before any SQL', async (_name, [user, list]) => {
    gateway.statements();
    expect(await codeOf(values().upsertBatch(user, list as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('refuse a malformed id before any SQL, wherever one is asked for', async () => {
    gateway.statements();
    const calls = [
      values().getByUserId('x'),
      values().getByUserIds(['1', 'x']),
      values().deleteByUserId('0'),
      values().deleteByAttributeId('01'),
      definitions().getById('9223372036854775808'),
      definitions().update({ id: '' }),
      definitions().delete('-1'),
      definitions().getByKey('a\0'),
      definitions().existsByKey('a\0'),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(Array(9).fill('VALIDATION'));
    expect(gateway.statements()).toEqual([]);
  });
});
