import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type SoraAccountPatch } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-groups.ts';
import { AS_THE_ORIGINAL, codeOf, mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 16;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 4 } });
});
afterAll(() => gateway.close());

const upsert = (id: string, patch: SoraAccountPatch) => soraOf(gateway).soraAccounts.upsert(id, patch);
const each = <T>(work: (caller: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));

const FULL = {
  clientId: 'client',
  email: 'a@example.com',
  username: 'name',
  remark: 'remark',
  useCount: 3,
  planType: 'plus',
  planTitle: 'Plus',
  subscriptionEnd: new Date('2030-01-01T00:00:00Z'),
  soraSupported: true,
  soraInviteCode: 'invite',
  soraRedeemedCount: 1,
  soraRemainingCount: 2,
  soraTotalCount: 3,
  soraCooldownUntil: new Date('2030-01-02T00:00:00Z'),
  cooledUntil: new Date('2030-01-03T00:00:00Z'),
  imageEnabled: false,
  videoEnabled: false,
  imageConcurrency: 4,
  videoConcurrency: 2,
  isExpired: true,
} as const;

const EMPTY = {
  clientId: null,
  email: null,
  username: null,
  remark: null,
  useCount: 0,
  planType: null,
  planTitle: null,
  subscriptionEnd: null,
  soraSupported: false,
  soraInviteCode: null,
  soraRedeemedCount: 0,
  soraRemainingCount: 0,
  soraTotalCount: 0,
  soraCooldownUntil: null,
  cooledUntil: null,
  imageEnabled: true,
  videoEnabled: true,
  imageConcurrency: -1,
  videoConcurrency: -1,
  isExpired: false,
};

describe('an upsert', () => {
  it('is one statement, and answers what is stored', async () => {
    const id = await mustCreateSoraAccount(gateway);
    gateway.statements();
    const created = await upsert(id, FULL);
    expect(gateway.statements()).toHaveLength(1);
    expect(created).toMatchObject({ accountId: id, ...FULL });
    expect(await soraOf(gateway).soraAccounts.getByAccountId(id)).toEqual(created);
  });

  it('F53: writes the given keys only, and null clears, or means the default', async () => {
    const id = await mustCreateSoraAccount(gateway);
    expect(await upsert(id, {})).toMatchObject(EMPTY);
    await upsert(id, { ...FULL, accessToken: 'a', refreshToken: 'r' });
    expect(await upsert(id, { email: 'b@example.com', remark: undefined })).toMatchObject({
      ...FULL,
      email: 'b@example.com',
      hasAccessToken: true,
    });
    const cleared = Object.fromEntries(Object.keys(FULL).map((key) => [key, null]));
    expect(await upsert(id, { ...cleared, accessToken: null })).toMatchObject({
      ...EMPTY,
      hasAccessToken: false,
      hasRefreshToken: true,
    });
  });

  it.each<[string, unknown]>([
    ['an unknown key', { unknown: 1 }],
    ['the name of a column', { access_token: 'a' }],
    ['the account', { accountId: '1' }],
    ['a name of a prototype', { toString: 'a' }],
    ['a prototype', { ['__proto__']: 1 }],
    ['an unknown key without a value', { deletedAt: undefined }],
    ['a text for a number', { useCount: '1' }],
    ['a text for a flag', { isExpired: 'true' }],
    ['a token that looks encrypted', { accessToken: 'sora:v1:k1:AAAA' }],
    ['a token of more than 1 MB', { accessToken: 'a'.repeat(1024 * 1024 + 1) }],
    ['a text of more than 1 MB', { remark: 'a'.repeat(1024 * 1024 + 1) }],
    ['a plan that no index holds', { planType: randomBytes(4000).toString('hex') }],
    ['a Map', new Map()],
    ['a list', []],
    ['nothing', null],
  ])('F53: refuses %s before any SQL', async (_what, patch) => {
    gateway.statements();
    expect(await codeOf(upsert('1', patch as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('F22: of several first ones at once none fails, and each writes its own', async () => {
    const select = 'select id from sora_accounts where account_id = ?';
    // The original looks, and then inserts: everyone who has looked before the first insert fails.
    const lost = await mustCreateSoraAccount(gateway);
    const seen = await each(() => gateway.rows(select, [lost]));
    expect(seen.flat()).toEqual([]);
    const inserted = await each(() =>
      codeOf(gateway.rows('insert into sora_accounts (account_id) values (?)', [lost])),
    );
    expect(inserted.filter((code) => code === 'done')).toHaveLength(1);

    const id = await mustCreateSoraAccount(gateway);
    const keys = Object.keys(FULL) as (keyof typeof FULL)[];
    await each((caller) => upsert(id, { [keys[caller] ?? 'email']: FULL[keys[caller] ?? 'email'] }));
    expect(await upsert(id, {})).toMatchObject(
      Object.fromEntries(keys.slice(0, CALLERS).map((key) => [key, FULL[key]])),
    );
    expect(await gateway.rows(select, [id])).toHaveLength(1);
  });

  it.each([1, 33, 99, 1969, 9999])('answers an instant of the year %d as it was given', async (year) => {
    const id = await mustCreateSoraAccount(gateway);
    const subscriptionEnd = new Date('2000-01-01T00:00:00.123Z');
    subscriptionEnd.setUTCFullYear(year);
    expect(await upsert(id, { subscriptionEnd })).toMatchObject({ subscriptionEnd });
  });

  it('F53: counts uses, which the original never does', async () => {
    const id = await mustCreateSoraAccount(gateway);
    expect(await soraOf(gateway).soraAccounts.countUse(id)).toBe(false);
    await upsert(id, {});
    await each(() => soraOf(gateway).soraAccounts.countUse(id));
    expect((await upsert(id, {})).useCount).toBe(CALLERS);
  });

  it('is read by several ids in one statement, and by none without one', async () => {
    const [one, two] = [await mustCreateSoraAccount(gateway), await mustCreateSoraAccount(gateway)];
    await upsert(one, {});
    await upsert(two, {});
    gateway.statements();
    const { soraAccounts } = soraOf(gateway);
    const found = await soraAccounts.getByAccountIds([two, one, '987654321', '0']);
    expect([...found.keys()].toSorted()).toEqual([one, two].toSorted());
    expect(gateway.statements()).toHaveLength(1);
    expect([(await soraAccounts.getByAccountIds([])).size, await soraAccounts.getByAccountId('-5')]).toEqual([
      0,
      null,
    ]);
    expect(gateway.statements()).toEqual([]);
  });
});

describe('F13: a deleted account', () => {
  const FILE = {
    mediaType: 'image',
    originalUrl: 'https://example.com/a',
    cachePath: 'a',
    cacheUrl: '/a',
    sizeBytes: 1,
  } as const;
  const children = (id: string, userId: string) => {
    const sora = soraOf(gateway);
    return [
      () => sora.soraAccounts.upsert(id, {}),
      () => sora.soraTasks.create({ taskId: `task of ${id}`, accountId: id, model: 'm', prompt: 'p' }),
      () => sora.soraCacheFiles.create({ ...FILE, accountId: id, userId }),
      () => sora.soraSlots.acquire(id, { image: 1 }, { holder: 'h', leaseMs: 1000 }),
    ];
  };
  const owner = async () =>
    (await gatewayRepositories(gateway.em()).users.create({ email: `${Math.random()}`, passwordHash: 'h' }))
      .id;

  it('gets nothing new, though its foreign keys would allow it', async () => {
    const [id, user] = [await mustCreateSoraAccount(gateway), await owner()];
    await upsert(id, {});
    await gatewayRepositories(gateway.em()).accounts.delete(id);
    for (const create of children(id, user)) expect(await codeOf(create())).toBe('ACCOUNT_NOT_FOUND');
    const { soraUsageStats } = soraOf(gateway);
    expect([await soraUsageStats.recordSuccess(id, true), await soraUsageStats.recordError(id)]).toEqual([
      false,
      0,
    ]);
    expect(await soraUsageStats.getByAccountId(id)).toBeNull();
    const bare = `insert into sora_tasks (task_id, account_id, model, prompt) values ('bare', ?, 'm', 'p')`;
    expect(await codeOf(gateway.rows(bare, [id]))).toBe('done');
  });

  it('while it is being deleted gets nothing either', async () => {
    const [id, user] = [await mustCreateSoraAccount(gateway), await owner()];
    await upsert(id, {});
    let creating: Promise<string[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).accounts.delete(id);
      creating = Promise.all(children(id, user).map((create) => codeOf(create())));
      await untilWaiting(gateway, 4);
    });
    expect(await creating).toEqual(Array(4).fill('ACCOUNT_NOT_FOUND'));
  });

  it('and a deleted user get no file', async () => {
    const [id, user] = [await mustCreateSoraAccount(gateway), await owner()];
    await gatewayRepositories(gateway.em()).users.delete(user);
    const create = (accountId: string) =>
      soraOf(gateway).soraCacheFiles.create({ ...FILE, accountId, userId: user });
    expect(await codeOf(create(id))).toBe('USER_NOT_FOUND');
    expect(await codeOf(create('987654321'))).toBe('ACCOUNT_NOT_FOUND');
  });

  it('that is removed for good takes everything along', async () => {
    const [id, user] = [await mustCreateSoraAccount(gateway), await owner()];
    for (const create of children(id, user)) await create();
    await soraOf(gateway).soraUsageStats.recordError(id);
    await gateway.rows('delete from accounts where id = ?', [id]);
    for (const table of ['sora_accounts', 'sora_tasks', 'sora_cache_files', 'sora_slots', 'sora_usage_stats'])
      expect(await gateway.rows(`select 1 as one from ${table} where account_id = ?`, [id])).toEqual([]);
  });
});

it('NULL in a table of the original is the default, read and written', async () => {
  const own = await openGateway();
  try {
    for (const sql of AS_THE_ORIGINAL) await own.rows(sql);
    const [id, other] = [await mustCreateSoraAccount(own), await mustCreateSoraAccount(own)];
    const nulls = (table: string, columns: string[]) =>
      own.rows(
        `insert into ${table} (account_id, ${columns.join(', ')}) values (?, ${columns.map(() => 'null').join(', ')})`,
        [id],
      );
    await nulls('sora_accounts', [
      'use_count',
      'sora_supported',
      'image_enabled',
      'video_enabled',
      'image_concurrency',
      'video_concurrency',
      'is_expired',
      'sora_total_count',
    ]);
    await nulls('sora_usage_stats', [
      'image_count',
      'video_count',
      'error_count',
      'today_image_count',
      'today_error_count',
      'consecutive_error_count',
    ]);
    await own.rows(
      `insert into sora_tasks (task_id, account_id, model, prompt, progress, retry_count) values ('t', ?, 'm', 'p', null, null)`,
      [id],
    );
    const sora = soraOf(own);
    expect(await sora.soraAccounts.getByAccountId(id)).toMatchObject(EMPTY);
    expect(await sora.soraUsageStats.getByAccountId(id)).toMatchObject({
      imageCount: 0,
      consecutiveErrorCount: 0,
    });
    expect(await sora.soraAccounts.countUse(id)).toBe(true);
    expect(await sora.soraAccounts.upsert(id, { email: 'e' })).toMatchObject({
      ...EMPTY,
      email: 'e',
      useCount: 1,
    });
    expect([await sora.soraUsageStats.recordError(id), await sora.soraUsageStats.recordError(id)]).toEqual([
      1, 2,
    ]);
    await sora.soraUsageStats.recordSuccess(id, false);
    expect(await sora.soraUsageStats.getByAccountId(id)).toMatchObject({
      imageCount: 1,
      todayImageCount: 1,
      errorCount: 2,
    });
    expect(await sora.soraTasks.claim({ worker: 'w', leaseMs: 1000 })).toMatchObject([
      { progress: 0, retryCount: 0 },
    ]);
    const slots = await sora.soraSlots.acquire(id, { image: 9, video: 9 }, { holder: 'h', leaseMs: 1000 });
    expect(slots).toMatchObject({ images: 9 });
    await sora.soraAccounts.upsert(other, {});
    expect(await codeOf(own.rows('delete from accounts where id = ?', [id]))).toBe('ACCOUNT_NOT_FOUND');
  } finally {
    await own.close();
  }
});
