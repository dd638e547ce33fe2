import { MikroORM } from '@mikro-orm/core';
import { PostgreSqlDriver, QueryBuilder, SqlEntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineDataConfig } from 'tombstone';
import { gateway as module } from 'tombstone/gateway';
import { type LeakSuiteOptions, runLeakSuite } from 'tombstone/testing';
import { DataDriver, DataEntityManager } from '../../src/kit/orm/index.ts';
import { GuardedQueryBuilder } from '../../src/kit/orm/guarded-query-builder.ts';
import { probesOf } from '../../src/kit/testing/leaks/index.ts';
import { runInScope } from '../../src/kit/soft-delete/index.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

type Methods = Record<string, unknown>;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
// Its own `close` would rightly fail: with the guard off, statements forget dead rows.
afterAll(() => gateway.orm.close());

/** All that the suite finds of the entities of the probes that are expected: each probe stands alone, and others cost the time. */
async function wrongOf(orm: MikroORM, expected: readonly string[], options: LeakSuiteOptions = {}) {
  const entities = new Set(expected.map((name) => name.split('.')[0]));
  const others = probesOf(orm).filter(({ entity }) => !entities.has(entity));
  const except = Object.fromEntries(
    others.map(({ name }) => [name, 'is of an entity that is not looked at']),
  );
  const { leaks, broken } = await runLeakSuite(orm, { ...options, except });
  return [...leaks, ...broken];
}

/**
 * Runs the suite with one of the layer's methods replaced by the one of MikroORM that it overrides, on an ORM that has made no
 * statement yet: those that are known are sent again as they were.
 */
async function without(
  layer: object,
  stock: object,
  method: string,
  expected: readonly string[],
): Promise<string[]> {
  const prototype = layer as Methods;
  const own = prototype[method];
  expect(Object.hasOwn(layer, method)).toBe(true);
  prototype[method] = (stock as Methods)[method] ?? (() => undefined);
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: gateway.url, modules: [module] }));
  try {
    return await wrongOf(orm, expected);
  } finally {
    prototype[method] = own;
    await orm.close();
  }
}

const builder = [GuardedQueryBuilder.prototype, QueryBuilder.prototype] as const;
const driver = [DataDriver.prototype, PostgreSqlDriver.prototype] as const;
const entityManager = [DataEntityManager.prototype, SqlEntityManager.prototype] as const;

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
    ['the guard of the aliases', builder, 'guard', ['User.query builder select', 'User.upsert']],
    [
      'the guard of the joins',
      builder,
      'guardJoins',
      ['ApiKey.user join by hand', 'Group.fallbackGroup join by hand'],
    ],
    ['the guard of ON CONFLICT', builder, 'guardConflict', ['User.upsert', 'Group.upsertMany']],
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
    ['the guard of Kysely', entityManager, 'getKysely', ['User.Kysely select']],
  ] as const)('%s', async (_name, [layer, stock], method, expected) => {
    expect(await without(layer, stock, method, expected)).toEqual(expect.arrayContaining([...expected]));
  });

  it.each([
    [
      'driver',
      PostgreSqlDriver,
      [
        'User.query builder select',
        'User.query builder delete of a live row',
        'User.flush of a change',
        'User.lock',
      ],
    ],
    ['entityManager', SqlEntityManager, ['User.Kysely select']],
  ] as const)('its own class for the option %s', async (option, stock, expected) => {
    const config = defineDataConfig({ clientUrl: gateway.url, modules: [module] });
    const orm = await MikroORM.init({ ...config, [option]: stock } as never);
    try {
      // The entity manager of stock MikroORM has no scope to open.
      const guardOff: LeakSuiteOptions['guardOff'] = (em, work) =>
        runInScope('skipSoftDelete', () => work(em));
      const options = option === 'entityManager' ? { guardOff } : {};
      expect(await wrongOf(orm, expected, options)).toEqual(expect.arrayContaining([...expected]));
    } finally {
      await orm.close();
    }
  });
});
