import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 16;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 4 } });
});
afterAll(() => gateway.close());

const each = <T>(work: (caller: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));

describe('usage statistics', () => {
  const stats = () => soraOf(gateway).soraUsageStats;
  const yesterday = (id: string) =>
    gateway.rows(
      `update sora_usage_stats set today_date = (now() at time zone 'UTC')::date - 1 where account_id = ?`,
      [id],
    );
  const storedToday = async (id: string) => {
    const sql = `select today_image_count as image, today_video_count as video, today_error_count as error,
      today_date = (now() at time zone 'UTC')::date as is_today from sora_usage_stats where account_id = ?`;
    return (await gateway.rows(sql, [id]))[0];
  };
  const NOW = { image: 5, video: 6, error: 7 };
  const fill = async (id: string) => {
    await stats().recordError(id);
    await gateway.rows(
      'update sora_usage_stats set today_image_count = 5, today_video_count = 6, today_error_count = 7 where account_id = ?',
      [id],
    );
  };

  it('count in one statement each', async () => {
    const id = await mustCreateSoraAccount(gateway);
    gateway.statements();
    expect([await stats().recordError(id), await stats().recordError(id)]).toEqual([1, 2]);
    expect(await stats().recordSuccess(id, true)).toBe(true);
    await stats().recordSuccess(id, false);
    expect(await stats().recordError(id)).toBe(1);
    expect(gateway.statements()).toHaveLength(5);
    const found = await stats().getByAccountId(id);
    expect(found).toMatchObject({
      accountId: id,
      imageCount: 1,
      videoCount: 1,
      errorCount: 3,
      consecutiveErrorCount: 1,
    });
    expect(found).toMatchObject({ todayImageCount: 1, todayVideoCount: 1, todayErrorCount: 3 });
    expect(found?.lastErrorAt).toBeInstanceOf(Date);
    await stats().resetConsecutiveErrors(id);
    await stats().resetConsecutiveErrors(id);
    expect(await stats().getByAccountId(id)).toMatchObject({ consecutiveErrorCount: 0, errorCount: 3 });
  });

  it('F52: the original’s reset of one counter makes those of yesterday today’s', async () => {
    const id = await mustCreateSoraAccount(gateway);
    await fill(id);
    await yesterday(id);
    await gateway.rows(
      `update sora_usage_stats set today_image_count = 1, today_date = (now() at time zone 'UTC')::date where account_id = ?`,
      [id],
    );
    expect(await storedToday(id)).toEqual({ ...NOW, image: 1, is_today: true });
  });

  it.each(['image', 'video', 'error'] as const)('F52: all three roll over together by %s', async (kind) => {
    const id = await mustCreateSoraAccount(gateway);
    await fill(id);
    await yesterday(id);
    expect(await stats().getByAccountId(id)).toMatchObject({
      todayImageCount: 0,
      todayVideoCount: 0,
      todayErrorCount: 0,
    });
    expect((await stats().getByAccountIds([id])).get(id)).toMatchObject({ todayErrorCount: 0 });
    await (kind === 'error' ? stats().recordError(id) : stats().recordSuccess(id, kind === 'video'));
    expect(await storedToday(id)).toEqual({ image: 0, video: 0, error: 0, [kind]: 1, is_today: true });
  });

  it('a transaction that began before midnight and writes last does not bring yesterday back', async () => {
    const id = await mustCreateSoraAccount(gateway);
    await fill(id);
    await gateway.rows(
      `update sora_usage_stats set today_date = (now() at time zone 'UTC')::date + 1 where account_id = ?`,
      [id],
    );
    await stats().recordSuccess(id, false);
    expect(await storedToday(id)).toMatchObject({ ...NOW, image: 6 });
  });

  it('go by the day of UTC, whatever the session’s zone is', async () => {
    const id = await mustCreateSoraAccount(gateway);
    const days = await Promise.all(
      ['Pacific/Kiritimati', 'Pacific/Pago_Pago'].map((zone) =>
        gateway.em().transactional(async (tx) => {
          await tx.execute(`set local timezone = '${zone}'`);
          await gatewayRepositories(tx).soraUsageStats.recordError(id);
          return (await gatewayRepositories(tx).soraUsageStats.getByAccountId(id))?.todayErrorCount;
        }),
      ),
    );
    expect(days.toSorted()).toEqual([1, 2]);
    expect((await stats().getByAccountId(id))?.todayDate).toBe(new Date().toISOString().slice(0, 10));
  });

  it(`of ${CALLERS} callers at once are exact, and each is told another number of errors`, async () => {
    const id = await mustCreateSoraAccount(gateway);
    const told = await each(() => stats().recordError(id));
    expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: CALLERS }, (_, n) => n + 1));
    await each((caller) => stats().recordSuccess(id, caller % 2 === 0));
    expect(await stats().getByAccountId(id)).toMatchObject({
      errorCount: CALLERS,
      imageCount: CALLERS / 2,
      videoCount: CALLERS / 2,
      consecutiveErrorCount: 0,
    });
  });

  it('are listed by their last change, and ids that are none count nothing', async () => {
    await gateway.rows('delete from sora_usage_stats');
    const ids = [await mustCreateSoraAccount(gateway), await mustCreateSoraAccount(gateway)];
    for (const id of ids) await stats().recordError(id);
    gateway.statements();
    expect([await stats().recordSuccess('0', true), await stats().recordError('-1')]).toEqual([false, 0]);
    await stats().resetConsecutiveErrors('');
    expect(gateway.statements()).toEqual([]);
    const page = await stats().list({ pageSize: 1 });
    expect([page.total, page.pages, page.items[0]?.accountId]).toEqual([2, 2, ids[1]]);
  });
});
