import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type NewSoraCacheFile, type SoraCacheFileRecord } from 'tombstone/gateway';
import { codeOf, mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

const MB = 1024 * 1024;
const WORKERS = 6;

let gateway: Gateway;
let owner: { accountId: string; userId: string };
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: WORKERS + 4 } });
  owner = {
    accountId: await mustCreateSoraAccount(gateway),
    userId: (await mustCreateUser(gateway.em())).id,
  };
});
beforeEach(() => gateway.rows('delete from sora_cache_files'));
afterAll(() => gateway.close());

const files = () => soraOf(gateway).soraCacheFiles;
const create = (values: Partial<NewSoraCacheFile> = {}) =>
  files().create({
    ...owner,
    mediaType: 'video',
    originalUrl: 'https://example.com/a.mp4?sig=x',
    cachePath: '/var/cache/a.mp4',
    cacheUrl: 'https://cdn.example.com/a.mp4',
    sizeBytes: 1,
    ...values,
  });
/** Files of these ages in hours, the ids in the same order. */
async function mustCreateAged(...hours: number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const age of hours) {
    const { id } = await create({ cachePath: `f${ids.length}` });
    await gateway.rows(
      'update sora_cache_files set created_at = now() - make_interval(hours => ?) where id = ?',
      [age, id],
    );
    ids.push(id);
  }
  return ids;
}
const idsOf = (found: readonly SoraCacheFileRecord[]): string[] => found.map((file) => file.id);
const left = async (): Promise<string[]> => idsOf(await files().listOldest(10_000));

describe('a cached file', () => {
  it('is stored in one statement, as it is answered', async () => {
    gateway.statements();
    const file = await create({ taskId: 'task', sizeBytes: 200 * MB });
    expect(gateway.statements()).toHaveLength(1);
    expect(file).toMatchObject({
      ...owner,
      taskId: 'task',
      mediaType: 'video',
      sizeBytes: 200 * MB,
      cacheUrl: 'https://cdn.example.com/a.mp4',
    });
    expect(await files().listOldest(1)).toEqual([file]);
  });

  it.each<[string, Partial<NewSoraCacheFile>, string]>([
    ['a picture of 20 MB', { mediaType: 'image', sizeBytes: 20 * MB }, 'done'],
    ['a larger one', { mediaType: 'image', sizeBytes: 20 * MB + 1 }, 'VALIDATION'],
    ['a video of 200 MB', { sizeBytes: 200 * MB }, 'done'],
    ['a larger one', { sizeBytes: 200 * MB + 1 }, 'VALIDATION'],
    ['no size', { sizeBytes: Number.NaN }, 'VALIDATION'],
    ['another medium', { mediaType: 'text' as never }, 'VALIDATION'],
    ['a private original', { originalUrl: 'https://10.0.0.1/a' }, 'VALIDATION'],
    ['a path of the service for its address', { cacheUrl: '/media/a.mp4' }, 'done'],
    ['an address that looks like a path', { cacheUrl: '//10.0.0.1/a' }, 'VALIDATION'],
    ['an address without https', { cacheUrl: 'http://example.com/a' }, 'VALIDATION'],
    ['a path out of the cache', { cachePath: 'a/../../etc/passwd' }, 'VALIDATION'],
    ['dots that lead nowhere', { cachePath: 'a..b/...c' }, 'done'],
  ])('with %s', async (_what, values, code) => {
    expect(await codeOf(create(values))).toBe(code);
  });
});

describe('the oldest files', () => {
  it('come first, and are deleted by their ids', async () => {
    const [young = '', old = '', middle = ''] = await mustCreateAged(1, 3, 2);
    expect(idsOf(await files().listOldest(2))).toEqual([old, middle]);
    gateway.statements();
    expect([
      await files().listOldest(0),
      await files().listOldest(-1),
      await files().deleteByIds([]),
    ]).toEqual([[], [], 0]);
    expect(gateway.statements()).toEqual([]);
    expect([await files().deleteByIds([old, '987654321']), await left()]).toEqual([1, [middle, young]]);
  });

  it('are found by their index among many', async () => {
    await gateway.rows(
      `insert into sora_cache_files (account_id, user_id, media_type, original_url, cache_path, cache_url, created_at)
       select ?, ?, 'image', 'https://example.com', 'p', '/u', now() - make_interval(secs => n) from generate_series(1, 20000) n`,
      [owner.accountId, owner.userId],
    );
    await gateway.rows('analyze sora_cache_files');
    gateway.statements();
    await gateway
      .em()
      .transactional((tx) =>
        gatewayRepositories(tx).soraCacheFiles.removeOldest(
          { olderThanMs: 0, batch: 5, except: ['1'] },
          () => undefined,
        ),
      );
    const take = gateway.statements().find((sql) => sql.startsWith('select'));
    const plan = await gateway.rows<{ 'QUERY PLAN': string }>(`explain ${take?.replace(/ \[took .*$/s, '')}`);
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain(
      'Index Scan using idx_sora_cache_files_created_at',
    );
  });
});

describe('a clean-up', () => {
  it('removes what is old enough, the oldest first, files before rows', async () => {
    const [young = '', old = '', middle = ''] = await mustCreateAged(1, 3, 2);
    const seen: string[] = [];
    const remove = async (file: SoraCacheFileRecord): Promise<void> => {
      seen.push(file.id);
      expect(await left()).toEqual([old, middle, young]);
    };
    expect(await files().removeOldest({ olderThanMs: 1.5 * 3_600_000 }, remove)).toEqual({
      removed: 2,
      failed: [],
    });
    expect([seen, await left()]).toEqual([[old, middle], [young]]);
  });

  it('keeps the row of a file that could not be removed, and can pass over it', async () => {
    const [bad = '', good = ''] = await mustCreateAged(2, 1);
    const error = new Error('busy');
    const remove = (file: SoraCacheFileRecord): void => {
      if (file.id === bad) throw error;
    };
    const stuck = await files().removeOldest({ olderThanMs: 0, batch: 1 }, remove);
    expect(stuck).toEqual({ removed: 0, failed: [{ id: bad, error }] });
    expect(await files().removeOldest({ olderThanMs: 0, batch: 1, except: [bad] }, remove)).toMatchObject({
      removed: 1,
    });
    expect([await left(), good]).toEqual([[bad], good]);
  });

  it('rows before files would lose files for ever when a worker dies, as a control; files before rows are handed out again', async () => {
    const ids = await mustCreateAged(4, 3, 2);
    const disk = new Set(ids);
    // The worker's session ends when it has removed a file: its rows come back.
    const cut = gateway.em().transactional(async (tx) => {
      const { soraCacheFiles } = gatewayRepositories(tx);
      await soraCacheFiles.removeOldest({ olderThanMs: 0, batch: 2 }, (file) => disk.delete(file.id));
      const [own] = await tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      await gateway.rows('select pg_terminate_backend(?)', [own?.pid]);
    });
    expect(await codeOf(cut)).toBe('DATA.UNAVAILABLE');
    expect([await left(), disk.size]).toEqual([ids, 1]);
    expect(await files().removeOldest({ olderThanMs: 0 }, (file) => disk.delete(file.id))).toMatchObject({
      removed: 3,
    });
    expect([await left(), disk.size]).toEqual([[], 0]);

    // The original deletes nothing in a transaction: what it does first is done.
    const [lost = ''] = await mustCreateAged(1);
    disk.add(lost);
    await files().deleteByIds([lost]);
    expect([await left(), disk.size]).toEqual([[], 1]);
  });

  it(`by ${WORKERS} workers gives each file to one, and waits for nobody`, async () => {
    await mustCreateAged(...Array.from({ length: 40 }, (_, n) => n + 1));
    const seen: string[] = [];
    let held: Promise<unknown> = Promise.resolve();
    let letGo = (): void => {};
    const gate = new Promise<void>((done) => (letGo = done));
    const holding = new Promise<void>((begun) => {
      held = files().removeOldest({ olderThanMs: 0, batch: 3 }, async (file) => {
        seen.push(file.id);
        begun();
        await gate;
      });
    });
    await holding;
    const work = async (): Promise<void> => {
      for (;;) {
        const { removed } = await files().removeOldest({ olderThanMs: 0, batch: 4 }, (file) =>
          seen.push(file.id),
        );
        if (removed === 0) return;
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    expect(await left()).toHaveLength(3);
    letGo();
    await held;
    expect([seen.length, new Set(seen).size, await left()]).toEqual([40, 40, []]);
  });
});
