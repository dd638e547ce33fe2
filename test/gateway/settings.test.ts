import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { type GatewayRepositories, gatewayRepositories, Setting } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const settings = (): GatewayRepositories['settings'] => gatewayRepositories(gateway.em()).settings;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

describe('settings', () => {
  it('are inserted or replaced in one statement, with the instant of the last write', async () => {
    expect(await settings().find('site.name')).toBeNull();
    gateway.statements();
    await settings().set('site.name', 'one');
    expect(gateway.statements()).toHaveLength(1);
    const first = await settings().get('site.name');
    expect(first).toEqual({ key: 'site.name', value: 'one', updatedAt: expect.any(Date) });
    await gateway.rows(`update settings set updated_at = now() - interval '1 day' where key = 'site.name'`);
    await settings().set('site.name', 'one');
    const second = await settings().get('site.name');
    expect(second.value).toBe('one');
    expect(second.updatedAt.getTime()).toBeGreaterThanOrEqual(first.updatedAt.getTime());
    expect(await gateway.em().count(Setting, { key: 'site.name' })).toBe(1);
  });

  it('may be empty, which is not the same as missing', async () => {
    await settings().set('empty', '');
    expect([await settings().getValue('empty'), await settings().findValue('empty')]).toEqual(['', '']);
    expect([await settings().findValue('missing'), await settings().find('missing')]).toEqual([null, null]);
  });

  it('F41: answer SETTING_NOT_FOUND when there is none, and delete it with success', async () => {
    await settings().set('gone', 'x');
    await settings().delete('gone');
    await settings().delete('gone');
    expect(await codeOf(settings().get('gone'))).toBe('SETTING_NOT_FOUND');
    expect(await codeOf(settings().getValue('gone'))).toBe('SETTING_NOT_FOUND');
    expect(await gateway.rows(`select from settings where key = 'gone'`)).toEqual([]);
  });

  it('are written together in one statement whatever their number, all or none', async () => {
    const many = new Map(Array.from({ length: 300 }, (_, n) => [`many.${n}`, `${n} \\"'é😀`]));
    for (const given of [new Map([['many.0', 'old']]), many]) {
      gateway.statements();
      await settings().setMultiple(given);
      expect(gateway.statements()).toHaveLength(1);
    }
    const wrong = new Map([
      ['many.0', 'lost'],
      ['many.1', 'a\0'],
    ]);
    expect(await codeOf(settings().setMultiple(wrong))).toBe('VALIDATION');
    expect(await settings().getMultiple([...many.keys()])).toEqual(new Map([...many].toSorted()));
  });

  it('are read together, those that are there, in one statement, in none for nothing', async () => {
    await settings().setMultiple(new Map(Object.entries({ 'read.b': 'B', 'read.a': '' })));
    gateway.statements();
    const found = await settings().getMultiple(['read.b', 'read.c', 'read.a', 'read.b']);
    expect(gateway.statements()).toHaveLength(1);
    expect([...found]).toEqual([
      ['read.a', ''],
      ['read.b', 'B'],
    ]);
    expect(await settings().getMultiple([])).toEqual(new Map());
    await settings().setMultiple(new Map());
    expect(gateway.statements()).toEqual([]);
  });

  it('do not take a text for SQL, nor a name of JavaScript for a missing setting', async () => {
    const odd = new Map([
      [`'; drop table settings; --`, `'); --`],
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ]);
    await settings().setMultiple(odd);
    expect(await settings().getMultiple([...odd.keys()])).toEqual(odd);
  });

  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'an empty key': () => settings().set('', 'x'),
    'a key of 101 characters': () => settings().set('k'.repeat(101), 'x'),
    'a key with NUL': () => settings().set('a\0', 'x'),
    'a value with NUL': () => settings().set('k', 'a\0'),
    'a lone surrogate': () => settings().set('k', '\ud800'),
    'a number for the value': () => settings().set('k', 7 as never),
    'null for the value': () => settings().set('k', null as never),
    'no Map': () => settings().setMultiple({ k: 'v' } as never),
    'a Map with a number': () => settings().setMultiple(new Map([['k', 7]]) as never),
    'a Map with an empty key': () => settings().setMultiple(new Map([['', 'v']])),
    'no list of keys': () => settings().getMultiple('k' as never),
    '10,001 keys to read': () => settings().getMultiple(Array.from({ length: 10_001 }, String)),
    'a key with NUL to read': () => settings().getValue('a\0'),
    'a key with NUL among others': () => settings().getMultiple(['k', 'a\0']),
    'a number for the key to delete': () => settings().delete(7 as never),
  };
  it.each(Object.entries(calls))('refuse %s before any SQL', async (_name, call) => {
    gateway.statements();
    expect(await codeOf(call())).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('F32: are given all by key, in one statement, or refused above 10,000', async () => {
    const own = await openGateway();
    const repository = gatewayRepositories(own.em()).settings;
    await repository.setMultiple(new Map(Object.entries({ b: '2', a: '1' })));
    own.statements();
    expect([...(await repository.getAll())]).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(own.statements()).toHaveLength(1);
    await own.rows(`insert into settings (key, value) select 'k' || n, '' from generate_series(1, 9998) n`);
    expect((await repository.getAll()).size).toBe(10_000);
    const all = Array.from({ length: 10_000 }, (_, n) => `k${n}`);
    expect((await repository.getMultiple(all)).size).toBe(9_998);
    await repository.set('one more', '');
    expect(await codeOf(repository.getAll())).toBe('LIST_TOO_LONG');
    await own.close();
  });
});

describe('settings that several callers write at once', () => {
  const keys = Array.from({ length: 40 }, (_, n) => `race.${String(n).padStart(2, '0')}`);
  const mapOf = (order: readonly string[], value: string) => new Map(order.map((key) => [key, value]));
  const UNSORTED = (count: number) => `insert into settings (key, value, updated_at)
    values ${Array(count).fill('(?, ?, now())').join(', ')} on conflict (key) do update set value = excluded.value`;

  /** Callers in both orders, that all wait for the key in the middle before they go on. */
  const crossed = async (
    callers: number,
    write: (em: DataEntityManager, order: readonly string[]) => Promise<unknown>,
  ): Promise<unknown[]> => {
    await settings().setMultiple(mapOf(keys, 'start'));
    let writes: Promise<unknown>[] = [];
    await gateway.em().transactional(async (holder) => {
      await gatewayRepositories(holder).settings.set(keys[20] ?? '', 'held');
      writes = Array.from({ length: callers }, (_, n) =>
        codeOf(write(gateway.em(), n % 2 ? keys : keys.toReversed())),
      );
      await untilWaiting(gateway, callers);
    });
    return Promise.all(writes);
  };

  it('deadlock when each keeps to its own order', async () => {
    const results = await crossed(2, (em, order) =>
      em.execute(
        UNSORTED(order.length),
        order.flatMap((key) => [key, 'x']),
        'run',
      ),
    );
    expect(results.toSorted()).toEqual(['DATA.CONCURRENCY', 'done']);
  });

  it(`never deadlock with setMultiple, ${CALLERS} at once in both orders, and end with the values of one`, async () => {
    let caller = 0;
    const results = await crossed(CALLERS, (em, order) =>
      gatewayRepositories(em).settings.setMultiple(mapOf(order, `caller ${(caller += 1)}`)),
    );
    expect(results).toEqual(Array(CALLERS).fill('done'));
    const found = await settings().getMultiple(keys);
    expect(found.size).toBe(keys.length);
    expect(new Set(found.values()).size).toBe(1);
  });

  it('make new ones together without a deadlock or a second row', async () => {
    for (let round = 0; round < 5; round += 1) {
      const fresh = keys.map((key) => `${key}.${round}`);
      const results = await Promise.all(
        Array.from({ length: CALLERS }, (_, n) =>
          codeOf(settings().setMultiple(mapOf(n % 2 ? fresh : fresh.toReversed(), String(n)))),
        ),
      );
      expect(results).toEqual(Array(CALLERS).fill('done'));
      const found = await settings().getMultiple(fresh);
      expect([found.size, new Set(found.values()).size]).toEqual([fresh.length, 1]);
    }
  });

  it(`make one row with set, ${CALLERS} at once, where the original’s look and insert would fail`, async () => {
    const original = async (em: DataEntityManager): Promise<unknown> =>
      em.execute(`insert into settings (key, value) values ('once', 'x')`, [], 'run');
    expect(await gateway.rows(`select from settings where key = 'once'`)).toEqual([]);
    expect(await codeOf(original(gateway.em()))).toBe('done');
    await expect(original(gateway.em())).rejects.toMatchObject({ sqlState: '23505' });
    const results = await Promise.all(
      Array.from({ length: CALLERS }, (_, n) => codeOf(settings().set('one', String(n)))),
    );
    expect(results).toEqual(Array(CALLERS).fill('done'));
    expect(await gateway.em().count(Setting, { key: 'one' })).toBe(1);
  });
});

it('F17: every method runs in the caller’s transaction on a pool of one connection, which undoes all of it', async () => {
  const own = await openGateway({ pool: { min: 0, max: 1 } });
  const answers: Record<string, unknown> = {};
  const attempt = own.em().transactional(async (tx) => {
    const repository = gatewayRepositories(tx).settings;
    // One entry per method, so that a method without one does not compile.
    const calls: Readonly<Record<keyof GatewayRepositories['settings'], () => Promise<unknown>>> = {
      set: () => repository.set('a', '1'),
      setMultiple: () => repository.setMultiple(new Map([['b', '2']])),
      get: () => repository.get('a'),
      find: () => repository.find('a'),
      getValue: () => repository.getValue('a'),
      findValue: () => repository.findValue('b'),
      getMultiple: () => repository.getMultiple(['b']),
      getAll: () => repository.getAll(),
      delete: () => repository.delete('a'),
    };
    for (const [method, call] of Object.entries(calls)) answers[method] = await call();
    throw new Error('enough');
  });
  await expect(attempt).rejects.toThrow('enough');
  expect(answers).toMatchObject({ get: { value: '1' }, getValue: '1', findValue: '2' });
  expect([answers['getAll'], answers['getMultiple']]).toEqual([
    new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
    new Map([['b', '2']]),
  ]);
  expect(await own.em().count(Setting)).toBe(0);
  await own.close();
});
