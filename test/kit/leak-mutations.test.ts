import { PostgreSqlDriver, QueryBuilder } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runLeakSuite } from 'tombstone/testing';
import { DataDriver } from '../../src/kit/orm/index.ts';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

type Methods = Record<string, unknown>;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

/** Runs the suite with one of the layer's methods replaced by the one of MikroORM that it overrides. */
async function without(layer: object, stock: object, method: string): Promise<string[]> {
  const prototype = layer as Methods;
  const own = prototype[method];
  expect(Object.hasOwn(layer, method)).toBe(true);
  prototype[method] = (stock as Methods)[method];
  try {
    const { leaks, broken } = await runLeakSuite(gateway.orm);
    return [...leaks, ...broken];
  } finally {
    prototype[method] = own;
  }
}

const builder = [GuardedQueryBuilder.prototype, QueryBuilder.prototype] as const;
const driver = [DataDriver.prototype, PostgreSqlDriver.prototype] as const;

describe('the leak suite turns red when the layer loses', () => {
  it('nothing: it is green before', async () => {
    const { leaks, broken } = await runLeakSuite(gateway.orm);
    expect([...leaks, ...broken]).toEqual([]);
  });

  it.each([
    [
      'the query builder that the driver hands out',
      driver,
      'createQueryBuilder',
      [
        'User.query builder select',
        'User.nativeDelete of a live row',
        'User.remove of a live row',
        'User.upsert',
        'ApiKey.user join by hand',
        'User.query builder update',
      ],
    ],
    [
      'the guard of a compiled query',
      builder,
      'getNativeQuery',
      ['User.query builder select', 'User.query builder update', 'User.upsert', 'Group.union'],
    ],
    [
      'the update that stands for a delete',
      builder,
      'delete',
      [
        'User.query builder delete of a live row',
        'User.nativeDelete of a live row',
        'User.remove of a live row',
      ],
    ],
    ['the refusal of TRUNCATE', builder, 'truncate', ['User.query builder truncate']],
    ['the row count of a flush', driver, 'nativeUpdate', ['User.flush without a word']],
    ['the guard of the batched update', driver, 'nativeUpdateMany', ['User.flush of two changes']],
    ['the answer of a lock', driver, 'lockPessimistic', ['User.lock']],
  ] as const)('%s', async (_name, [layer, stock], method, expected) => {
    expect(await without(layer, stock, method)).toEqual(expect.arrayContaining([...expected]));
  });
});
