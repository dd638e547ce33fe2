import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type GatewayRepositories,
  gatewayRepositories,
  type UserAttributeDefinitionChange,
  UserAttributeDefinition,
} from 'tombstone/gateway';
import { mustCreateDefinition } from '../support/gateway-attributes.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.em().count(UserAttributeDefinition);
});
afterAll(() => gateway.close());

const definitions = (): GatewayRepositories['attributeDefinitions'] =>
  gatewayRepositories(gateway.em()).attributeDefinitions;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const MINIMAL = { key: 'k', name: 'n', type: 'text' } as const;
const FULL = {
  description: 'text',
  options: [{ value: 'a', label: 'A' }],
  validation: { min_length: 1, max_length: 9, min: -0.5, max: 2, pattern: '^\\d+$', message: 'no \\u0000' },
  placeholder: 'here',
  displayOrder: 7,
  required: true,
  enabled: false,
};

describe('definitions', () => {
  it('have the column’s defaults for what is left out', async () => {
    const definition = await definitions().create({ key: 'defaults', name: 'n', type: 'multi_select' });
    expect(definition).toEqual({
      id: expect.any(String),
      key: 'defaults',
      name: 'n',
      type: 'multi_select',
      description: '',
      options: [],
      required: false,
      validation: {},
      placeholder: '',
      displayOrder: 0,
      enabled: true,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(await definitions().getById(definition.id)).toEqual(definition);
    expect(await definitions().getByKey('defaults')).toEqual(definition);
  });

  it('are stored as they are given, and read NULL as the defaults', async () => {
    const definition = await mustCreateDefinition(gateway.em(), FULL);
    expect(await definitions().getById(definition.id)).toMatchObject(FULL);
    const cleared = { description: null, options: null, validation: null, placeholder: null };
    const changed = await definitions().update({ id: definition.id, ...cleared });
    expect(changed).toMatchObject({
      description: '',
      options: [],
      validation: {},
      placeholder: '',
      displayOrder: 7,
    });
    const sql = `select description, options::text as options, validation::text as validation, placeholder
      from user_attribute_definitions where id = ?`;
    expect(await gateway.rows(sql, [definition.id])).toEqual([cleared]);
    expect(await definitions().findById(definition.id)).toEqual(changed);
    const jsonNull = `update user_attribute_definitions set options = 'null', validation = 'null' where id = ?`;
    await gateway.rows(jsonNull, [definition.id]);
    expect(await definitions().findById(definition.id)).toEqual(changed);
  });

  it('are changed column by column, and JSON as a whole', async () => {
    const definition = await mustCreateDefinition(gateway.em(), FULL);
    gateway.statements();
    const change = { id: definition.id, name: 'renamed', validation: { min: 1 }, displayOrder: 7 };
    const changed = await definitions().update(change);
    const updates = gateway.statements().filter((sql) => sql.startsWith('update'));
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatch(
      /set "name" = 'renamed', "validation" = '\{"min":1\}', "updated_at" = now\(\) where/,
    );
    expect(changed).toMatchObject({ ...FULL, ...change });
    await definitions().update(change);
    expect(gateway.statements().filter((sql) => sql.startsWith('update'))).toEqual([]);
  });

  it('never change their key: it does not compile, and is refused', async () => {
    const definition = await mustCreateDefinition(gateway.em());
    // @ts-expect-error the key of a definition never changes
    const change: UserAttributeDefinitionChange = { id: definition.id, name: 'lost', key: 'other' };
    gateway.statements();
    await expect(definitions().update(change)).rejects.toMatchObject({ code: 'VALIDATION', field: 'key' });
    expect(gateway.statements()).toEqual([]);
    expect(await definitions().getById(definition.id)).toEqual(definition);
  });

  it('F41: answer ATTRIBUTE_DEFINITION_NOT_FOUND once deleted or for an unknown id', async () => {
    const definition = await mustCreateDefinition(gateway.em());
    await definitions().delete(definition.id);
    await definitions().delete(definition.id);
    await definitions().delete('987654321');
    for (const id of [definition.id, '987654321']) {
      expect(await codeOf(definitions().getById(id))).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
      expect(await codeOf(definitions().update({ id, name: 'x' }))).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
      expect(await definitions().findById(id)).toBeNull();
    }
    expect(await codeOf(definitions().getByKey(definition.key))).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
    expect(await definitions().findByKey(definition.key)).toBeNull();
    const dead = await gateway
      .em()
      .skipSoftDelete((em) => gatewayRepositories(em).attributeDefinitions.findById(definition.id));
    expect(dead).toMatchObject({ key: definition.key });
  });

  it('have unique keys among the live ones', async () => {
    const first = await mustCreateDefinition(gateway.em(), { key: 'unique' });
    expect(await codeOf(mustCreateDefinition(gateway.em(), { key: 'unique' }))).toBe('ATTRIBUTE_KEY_EXISTS');
    expect(await definitions().existsByKey('unique')).toBe(true);
    await definitions().delete(first.id);
    expect(
      await gateway.em().skipSoftDelete((em) => em.count(UserAttributeDefinition, { key: 'unique' })),
    ).toBe(1);
    expect(await definitions().existsByKey('unique')).toBe(false);
    expect(await codeOf(mustCreateDefinition(gateway.em(), { key: 'unique' }))).toBe('done');
  });

  it.each([
    ['null', null],
    ['no key', { name: 'n', type: 'text' }],
    ['an empty key', { ...MINIMAL, key: '' }],
    ['a key of 101 characters', { ...MINIMAL, key: 'k'.repeat(101) }],
    ['no name', { key: 'k', type: 'text' }],
    ['a name of 256 characters', { ...MINIMAL, name: 'n'.repeat(256) }],
    ['a name with NUL', { ...MINIMAL, name: 'a\0' }],
    ['no type', { key: 'k', name: 'n' }],
    ['an unknown type', { ...MINIMAL, type: 'colour' }],
    ['a placeholder of 256 characters', { ...MINIMAL, placeholder: 'p'.repeat(256) }],
    ['a number for the description', { ...MINIMAL, description: 7 }],
    ['a text for a flag', { ...MINIMAL, required: 'yes' }],
    ['half a display order', { ...MINIMAL, displayOrder: 0.5 }],
    ['a display order of 2^31', { ...MINIMAL, displayOrder: 2 ** 31 }],
    ['an object for the options', { ...MINIMAL, options: {} }],
    ['a text for an option', { ...MINIMAL, options: ['a'] }],
    ['an option without a label', { ...MINIMAL, options: [{ value: 'a' }] }],
    ['an option with more than that', { ...MINIMAL, options: [{ value: 'a', label: 'b', more: 1 }] }],
    ['an option with a number', { ...MINIMAL, options: [{ value: 1, label: 'b' }] }],
    ['an option with NUL', { ...MINIMAL, options: [{ value: 'a\0', label: 'b' }] }],
    ['a list for the validation', { ...MINIMAL, validation: [] }],
    ['an unknown rule', { ...MINIMAL, validation: { longest: 1 } }],
    ['a rule that only JavaScript knows', { ...MINIMAL, validation: { toString: 'x' } }],
    ['a negative length', { ...MINIMAL, validation: { min_length: -1 } }],
    ['a text for a length', { ...MINIMAL, validation: { max_length: '1' } }],
    ['NaN for a bound', { ...MINIMAL, validation: { min: Number.NaN } }],
    ['a number for a pattern', { ...MINIMAL, validation: { pattern: 1 } }],
    ['a lone surrogate in a message', { ...MINIMAL, validation: { message: '\ud800' } }],
  ])('refuse %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(definitions().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });
});

describe('lists of definitions', () => {
  let own: Gateway;
  const ids: string[] = [];
  beforeAll(async () => {
    own = await openGateway();
    for (const displayOrder of [3, 1, 1, 1, 2])
      ids.push((await mustCreateDefinition(own.em(), { displayOrder })).id);
    await gatewayRepositories(own.em()).attributeDefinitions.update({ id: ids[4] ?? '', enabled: false });
    await gatewayRepositories(own.em()).attributeDefinitions.delete(ids[3] ?? '');
  });
  afterAll(() => own.close());
  const listed = async (enabledOnly?: boolean) =>
    (await gatewayRepositories(own.em()).attributeDefinitions.list(enabledOnly)).map(({ id }) => id);
  const inOrder = (...picked: number[]) => picked.map((n) => ids[n]);

  it('F30: are by display order and then by id, where the original’s order is that of its plan', async () => {
    expect(await listed()).toEqual(inOrder(1, 2, 4, 0));
    expect(await listed(true)).toEqual(inOrder(1, 2, 0));
    expect(await own.em().skipSoftDelete((em) => em.count(UserAttributeDefinition))).toBe(5);
    const fresh = await openGateway();
    // One pair comes out against its ids, whichever way rows are read: along the file, or along the keys.
    for (const [id, order] of [
      [9002, 8],
      [9001, 8],
      [9003, 9],
      [9004, 9],
    ])
      await fresh.rows(
        `insert into user_attribute_definitions (id, key, name, type, display_order) values (?, ?, 'n', 'text', ?)`,
        [id, `key ${10_000 - (id ?? 0)}`, order],
      );
    const original =
      'select id from user_attribute_definitions where deleted_at is null order by display_order';
    const theirs = (await fresh.rows<{ id: string }>(original)).map(({ id }) => id);
    const ours = await gatewayRepositories(fresh.em()).attributeDefinitions.list();
    expect(ours.map(({ id }) => id)).toEqual(['9001', '9002', '9003', '9004']);
    expect(theirs).not.toEqual(ours.map(({ id }) => id));
    await fresh.close();
  });

  it('F32: refuse to be an end of a longer list', async () => {
    const fresh = await openGateway();
    await fresh.rows(`insert into user_attribute_definitions (key, name, type, enabled)
      select 'k' || n, 'n', 'text', n > 1 from generate_series(1, 10001) n`);
    const repository = gatewayRepositories(fresh.em()).attributeDefinitions;
    expect(await repository.list(true)).toHaveLength(10_000);
    expect(await codeOf(repository.list())).toBe('LIST_TOO_LONG');
    await fresh.close();
  });

  it('are put in another order by one statement', async () => {
    const repository = gatewayRepositories(own.em()).attributeDefinitions;
    own.statements();
    await repository.updateDisplayOrders(new Map(inOrder(0, 1, 2, 4).map((id, n) => [id ?? '', -n])));
    expect(own.statements()).toHaveLength(1);
    expect(await listed()).toEqual(inOrder(4, 2, 1, 0));
    const [row] = await own.rows<{ fresh: boolean }>(
      'select updated_at > created_at as fresh from user_attribute_definitions where id = ?',
      [ids[0]],
    );
    expect(row?.fresh).toBe(true);
    own.statements();
    await repository.updateDisplayOrders(new Map());
    expect(own.statements()).toEqual([]);
  });

  it.each([
    ['unknown', () => '987654321'],
    ['deleted', () => ids[3] ?? ''],
  ])('stay as they are when one of the definitions is %s', async (_name, id) => {
    const before = await own.rows(
      'select id, display_order, updated_at from user_attribute_definitions order by id',
    );
    const orders = new Map([
      ...inOrder(0, 1).map((known): [string, number] => [known ?? '', 50]),
      [id(), 50],
    ]);
    const attempt = gatewayRepositories(own.em()).attributeDefinitions.updateDisplayOrders(orders);
    expect(await codeOf(attempt)).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
    expect(
      await own.rows('select id, display_order, updated_at from user_attribute_definitions order by id'),
    ).toEqual(before);
  });

  it.each([
    ['no Map', { 1: 2 }],
    ['a word for an id', new Map([['one', 1]])],
    ['a number for an id', new Map([[1, 1]])],
    ['half an order', new Map([['1', 0.5]])],
    ['an order of 2^31', new Map([['1', 2 ** 31]])],
  ])('refuse %s before any SQL', async (_name, orders) => {
    own.statements();
    expect(
      await codeOf(gatewayRepositories(own.em()).attributeDefinitions.updateDisplayOrders(orders as never)),
    ).toBe('VALIDATION');
    expect(own.statements()).toEqual([]);
  });
});
