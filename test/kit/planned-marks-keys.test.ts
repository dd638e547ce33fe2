import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { setOwnDeletion } from '../../src/kit/orm/index.ts';
import { listenToStatements } from '../../src/kit/orm/sent-statements.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Copy, Volume } from './fixtures/library-model.ts';

// Nothing is logged, so that a delete by key is sent by its kept statement.

let asked: string[] = [];
let suffix = '';
let layer: Library;
let core: Library;
beforeAll(async () => {
  layer = await openLibrary({ debug: false, onQuery: (sql) => (asked.push(sql), sql + suffix) });
  core = await openLibrary({ url: layer.url, debug: false, preparedStatements: false } as never);
  await layer.reset();
  await layer.rows('delete from loan');
});
afterAll(async () => {
  await core.close();
  await layer.close();
});

const TEXTS = [
  '1',
  '01',
  ' 1',
  '1 ',
  '+1',
  '-1',
  '-0',
  '1.0',
  '1e0',
  '0x1',
  '1_0',
  '1\n',
  '',
  'abc',
  '\u0661',
];
const LARGE = ['9223372036854775807', '9223372036854775808', '9'.repeat(20), 2 ** 63, 1e21, 10n ** 20n];
const KEYS: readonly unknown[] = [...TEXTS, ...LARGE, 1, -1, -0, 1.5, Number.NaN, 1n, -1n];

type Delete = (em: DataEntityManager, key: never) => Promise<unknown>;
const WAYS = {
  softDelete: (em, key) => em.getRepository(Copy).softDelete(key),
  nativeDelete: async (em, key) => (await em.nativeDelete(Copy, { id: key })) > 0,
} satisfies Record<string, Delete>;

/** What becomes of the call, of the row 1 and of its entity. */
async function outcome(library: Library, run: Delete, key: unknown, isInside: boolean): Promise<unknown> {
  await library.rows('update copy set deleted_at = null where id = 1');
  const em = library.em();
  const own = await em.findOne(Copy, '1');
  const work = isInside ? em.transactional((inner) => run(inner, key as never)) : run(em, key as never);
  const answer = await work.catch((error: { sqlState?: string; message: string }) => error.sqlState);
  const isKept = em.getUnitOfWork().getById(Copy, '1') === own;
  return [answer, await library.stateOf('copy', 1), isKept];
}

it.each(['softDelete', 'nativeDelete'] as const)(
  '%s by any key is what it is by its whole text',
  async (name) => {
    const run = WAYS[name] as Delete;
    for (const key of ['4711', '4711', 4711, 4711, 4711n, 4711n]) await run(layer.em(), key as never);
    for (const key of KEYS) {
      const isInside = KEYS.indexOf(key) % 2 === 0;
      const expected = await outcome(core, run, key, isInside);
      expect([key, await outcome(layer, run, key, isInside)]).toEqual([key, expected]);
    }
  },
);

it('a hook is asked once for each delete, and what it says is sent', async () => {
  for (const own of ['', ' -- a', '', ' -- b', ' -- a', '']) {
    suffix = own;
    await layer.rows('update copy set deleted_at = null where id = 1');
    asked = [];
    const sent: string[] = [];
    const stop = listenToStatements(layer.orm.config, ({ text = '' }) => sent.push(text));
    expect(await layer.em().getRepository(Copy).softDelete('1')).toBe(true);
    stop();
    expect([asked.length, sent.length, sent[0]?.endsWith(own || ' null')]).toEqual([1, 1, true]);
  }
  suffix = '';
});

it('a deletion of its own that a class gets later is kept to', async () => {
  const { em } = layer;
  for (const key of ['1', '2']) await em().getRepository(Volume).softDelete(key);
  const removed: unknown[] = [];
  setOwnDeletion(Volume, {
    remove: (_driver, _meta, where) => {
      removed.push(where);
      return Promise.resolve({ affectedRows: 1, insertId: 0, rows: [] });
    },
    restore: () => Promise.resolve(true),
    refusal: () => new Error(),
  });
  expect(await em().getRepository(Volume).softDelete('3')).toBe(true);
  expect([removed.length, await layer.stateOf('volume', 3)]).toEqual([1, 'live']);
});
