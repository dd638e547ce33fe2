import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import {
  type GatewayRepositories,
  gatewayRepositories,
  UserAttributeDefinition,
  UserAttributeValue,
} from 'tombstone/gateway';
import { answersOf, mustCreateDefinition } from '../support/gateway-attributes.ts';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
let users: string[];
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
  users = await Promise.all(
    Array.from({ length: CALLERS }, async () => (await mustCreateUser(gateway.em())).id),
  );
});
afterAll(() => gateway.close());

const definitions = (): GatewayRepositories['attributeDefinitions'] =>
  gatewayRepositories(gateway.em()).attributeDefinitions;
const values = (em = gateway.em()): GatewayRepositories['attributeValues'] =>
  gatewayRepositories(em).attributeValues;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const each = (work: (caller: number) => Promise<unknown>): Promise<unknown[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => codeOf(work(caller))));
const answer = (...attributes: { id: string }[]) =>
  attributes.map(({ id }) => ({ attributeId: id, value: `value of ${id}` }));
/** Rows as the table holds them, of dead definitions too. */
const stored = async (attribute: { id: string }): Promise<number> =>
  (await gateway.rows('select from user_attribute_values where attribute_id = ?', [attribute.id])).length;

/** The original's write: it looks for nothing, because the foreign key is there. */
const originalUpsert = (em: DataEntityManager, user: string, attribute: string): Promise<unknown> =>
  em.execute(
    `insert into user_attribute_values (user_id, attribute_id, value) values (?, ?, 'x')
      on conflict (user_id, attribute_id) do update set value = excluded.value, updated_at = now()`,
    [user, attribute],
    'run',
  );

it(`F25: ${CALLERS} definitions of one key make one row and 31 ATTRIBUTE_KEY_EXISTS; asking first helps none of them`, async () => {
  const looks = await Promise.all(Array.from({ length: CALLERS }, () => definitions().existsByKey('race')));
  expect(new Set(looks)).toEqual(new Set([false]));
  const results = await each(() => mustCreateDefinition(gateway.em(), { key: 'race' }));
  expect(results.toSorted()).toEqual([...Array(CALLERS - 1).fill('ATTRIBUTE_KEY_EXISTS'), 'done']);
  expect(await gateway.em().count(UserAttributeDefinition, { key: 'race' })).toBe(1);
});

describe('values that are written while their definition is deleted', () => {
  it('F13: outlive it in the original, because the foreign key is satisfied', async () => {
    const definition = await mustCreateDefinition(gateway.em());
    let writing: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).attributeDefinitions.delete(definition.id);
      writing = each((n) => originalUpsert(gateway.em(), users[n] ?? '', definition.id));
      expect(await writing).toEqual(Array(CALLERS).fill('done'));
    });
    expect(await definitions().findById(definition.id)).toBeNull();
    expect(await stored(definition)).toBe(CALLERS);
  });

  it('F13: are refused when they waited for the deletion', async () => {
    const [definition, other] = [
      await mustCreateDefinition(gateway.em()),
      await mustCreateDefinition(gateway.em()),
    ];
    let writing: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).attributeDefinitions.delete(definition.id);
      writing = each((n) => values().upsertBatch(users[n] ?? '', answer(other, definition)));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await writing).toEqual(Array(CALLERS).fill('ATTRIBUTE_DEFINITION_NOT_FOUND'));
    expect([await stored(definition), await stored(other)]).toEqual([0, 0]);
  });

  it('F13: are removed with it when they came first', async () => {
    const definition = await mustCreateDefinition(gateway.em());
    let deletion: Promise<void> | undefined;
    await gateway.em().transactional(async (tx) => {
      for (const user of users) await values(tx).upsertBatch(user, answer(definition));
      deletion = definitions().delete(definition.id);
      await untilWaiting(gateway, 1);
    });
    await deletion;
    expect(await definitions().findById(definition.id)).toBeNull();
    expect(await stored(definition)).toBe(0);
  });

  it('F13: in any order leave no value of a deleted definition, and none half-written', async () => {
    for (let round = 0; round < 8; round += 1) {
      const [gone, kept] = [
        await mustCreateDefinition(gateway.em()),
        await mustCreateDefinition(gateway.em()),
      ];
      const deleter = round * 4;
      const results = await each((n) =>
        n === deleter
          ? definitions().delete(gone.id)
          : values().upsertBatch(users[n] ?? '', answer(kept, gone)),
      );
      expect(results.filter((code) => code !== 'done' && code !== 'ATTRIBUTE_DEFINITION_NOT_FOUND')).toEqual(
        [],
      );
      expect(results[deleter]).toBe('done');
      expect(await stored(gone)).toBe(0);
      expect(await stored(kept)).toBe(results.filter((code) => code === 'done').length - 1);
    }
  });
});

it('an update of a definition that waited for its deletion is ATTRIBUTE_DEFINITION_NOT_FOUND', async () => {
  const { id } = await mustCreateDefinition(gateway.em());
  let update: Promise<unknown> | undefined;
  await gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).attributeDefinitions.delete(id);
    update = codeOf(definitions().update({ id, name: 'lost' }));
    await untilWaiting(gateway, 1);
  });
  expect(await update).toBe('ATTRIBUTE_DEFINITION_NOT_FOUND');
  expect(await gateway.rows(`select from user_attribute_definitions where name = 'lost'`)).toEqual([]);
});

describe('values of a user who is deleted meanwhile', () => {
  it('are refused when they waited for the deletion', async () => {
    const [definition, user] = [await mustCreateDefinition(gateway.em()), await mustCreateUser(gateway.em())];
    let writing: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).users.delete(user.id);
      writing = each(() => values().upsertBatch(user.id, answer(definition)));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await writing).toEqual(Array(CALLERS).fill('USER_NOT_FOUND'));
    expect(await stored(definition)).toBe(0);
  });
});

describe(`${CALLERS} callers at once`, () => {
  it('write the same values of one user in opposite orders, and end with those of one', async () => {
    const user = await mustCreateUser(gateway.em());
    const made = await Promise.all(Array.from({ length: 12 }, () => mustCreateDefinition(gateway.em())));
    for (let round = 0; round < 3; round += 1) {
      const results = await each((n) =>
        values().upsertBatch(
          user.id,
          (n % 2 ? made : made.toReversed()).map(({ id }) => ({ attributeId: id, value: String(n) })),
        ),
      );
      expect(results).toEqual(Array(CALLERS).fill('done'));
      const found = await answersOf(gateway.em(), user.id);
      expect([found.length, new Set(found.map(([, value]) => value)).size]).toEqual([12, 1]);
    }
  });

  it('write, remove by user, remove by attribute, delete and reorder without a deadlock', async () => {
    const made = await Promise.all(Array.from({ length: 12 }, () => mustCreateDefinition(gateway.em())));
    const ids = made.map(({ id }) => id);
    for (let round = 0; round < 6; round += 1) {
      const doomed = await mustCreateDefinition(gateway.em());
      const results = await each((n): Promise<unknown> => {
        const order = n % 2 ? ids : ids.toReversed();
        if (n % 8 === 1) return values().deleteByUserId(users[n % 5] ?? '');
        if (n % 8 === 2) return values().deleteByAttributeId(ids[n % 12] ?? '');
        if (n % 8 === 3) return definitions().updateDisplayOrders(new Map(order.map((id, at) => [id, at])));
        if (n === 20) return definitions().delete(doomed.id);
        const list = order.map((attributeId) => ({ attributeId, value: String(n) }));
        return values().upsertBatch(users[n % 5] ?? '', n % 3 ? list : [...list, ...answer(doomed)]);
      });
      expect(results.filter((code) => code !== 'done' && code !== 'ATTRIBUTE_DEFINITION_NOT_FOUND')).toEqual(
        [],
      );
      expect(await stored(doomed)).toBe(0);
    }
  });

  it('reorder the same definitions in opposite orders, and end with the orders of one', async () => {
    const ids = (await Promise.all(Array.from({ length: 12 }, () => mustCreateDefinition(gateway.em())))).map(
      ({ id }) => id,
    );
    const results = await each((n) =>
      definitions().updateDisplayOrders(new Map((n % 2 ? ids : ids.toReversed()).map((id) => [id, n]))),
    );
    expect(results).toEqual(Array(CALLERS).fill('done'));
    const found = await gateway.em().find(UserAttributeDefinition, { id: ids });
    expect(new Set(found.map(({ displayOrder }) => displayOrder)).size).toBe(1);
  });

  it('reorder nothing when one of the definitions is deleted while they wait', async () => {
    const [gone, kept] = [await mustCreateDefinition(gateway.em()), await mustCreateDefinition(gateway.em())];
    let reordering: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).attributeDefinitions.delete(gone.id);
      reordering = each(() =>
        definitions().updateDisplayOrders(
          new Map([
            [kept.id, 5],
            [gone.id, 5],
          ]),
        ),
      );
      await untilWaiting(gateway, CALLERS);
    });
    expect(await reordering).toEqual(Array(CALLERS).fill('ATTRIBUTE_DEFINITION_NOT_FOUND'));
    expect((await definitions().getById(kept.id)).displayOrder).toBe(0);
  });
});

it('F17: every method runs in the caller’s transaction on a pool of one connection, which undoes all of it', async () => {
  const own = await openGateway({ pool: { min: 0, max: 1 } });
  const answers: Record<string, unknown> = {};
  const attempt = own.em().transactional(async (tx) => {
    const { attributeDefinitions, attributeValues } = gatewayRepositories(tx);
    const { id } = await mustCreateDefinition(tx, { key: 'inside' });
    const { id: user } = await mustCreateUser(tx);
    // One entry per method, so that a method without one does not compile; the last ones remove what the others use.
    const ofValues: Readonly<Record<keyof GatewayRepositories['attributeValues'], () => Promise<unknown>>> = {
      upsertBatch: () => attributeValues.upsertBatch(user, answer({ id })),
      getByUserId: () => attributeValues.getByUserId(user),
      getByUserIds: () => attributeValues.getByUserIds([user]),
      deleteByUserId: () => attributeValues.deleteByUserId(user),
      deleteByAttributeId: () => attributeValues.deleteByAttributeId(id),
    };
    const ofDefinitions: Readonly<
      Record<keyof GatewayRepositories['attributeDefinitions'], () => Promise<unknown>>
    > = {
      create: () => mustCreateDefinition(tx, { key: 'two' }),
      getById: () => attributeDefinitions.getById(id),
      findById: () => attributeDefinitions.findById(id),
      getByKey: () => attributeDefinitions.getByKey('inside'),
      findByKey: () => attributeDefinitions.findByKey('inside'),
      update: () => attributeDefinitions.update({ id, name: 'seen' }),
      updateDisplayOrders: () => attributeDefinitions.updateDisplayOrders(new Map([[id, 3]])),
      list: () => attributeDefinitions.list(true),
      existsByKey: () => attributeDefinitions.existsByKey('inside'),
      delete: () => attributeDefinitions.delete(id),
    };
    for (const [method, call] of Object.entries({ ...ofValues, ...ofDefinitions }))
      answers[method] = await call();
    answers['after'] = await attributeDefinitions.findById(id);
    throw new Error('enough');
  });
  await expect(attempt).rejects.toThrow('enough');
  expect(answers).toMatchObject({
    getByUserIds: [{ value: expect.stringContaining('value of') }],
    deleteByUserId: 1,
    deleteByAttributeId: 0,
    list: [{ key: 'two' }, { key: 'inside', name: 'seen', displayOrder: 3 }],
    existsByKey: true,
    after: null,
  });
  expect(await own.em().skipSoftDelete((em) => em.count(UserAttributeDefinition))).toBe(0);
  expect(await own.em().count(UserAttributeValue)).toBe(0);
  await own.close();
});
