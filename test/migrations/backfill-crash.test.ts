import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type BackfillStatus, Backfills } from 'tombstone/migrations';
import { backfillRow, backfillSetup, childRun, killedRuns, notOnce, rowsOf } from './fixtures/backfill.ts';

const ROWS = 20_000;
const BATCH = 100;

describe('a back-fill of 20,000 rows', () => {
  it('whose runs are killed at random points does each batch exactly once', async () => {
    const made = await backfillSetup(ROWS, { directive: `batch=${BATCH}` });
    expect(await killedRuns(made.url, made.folder.migrations, 6, 30)).toBe(6);
    expect(await notOnce(made.url)).toEqual([]);
    expect(await backfillRow(made.url)).toMatchObject({
      passes: 1,
      batches: ROWS / BATCH,
      rows_read: ROWS,
      rows_written: ROWS,
      verified: true,
    });
    expect(await made.names()).toHaveLength(2);
    // The copy has no key, so a batch that is done twice would be seen.
    await rowsOf(made.url, 'insert into copies select id, name from items where id between 501 and 600');
    expect(await notOnce(made.url)).toHaveLength(BATCH);
  }, 60_000);

  it('is done once by two runs that start together', async () => {
    const made = await backfillSetup(ROWS, { directive: `batch=${BATCH}` });
    const runs = [1, 2].map(() => childRun(made.url, made.folder.migrations));
    expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([
      { code: 0, err: '' },
      { code: 0, err: '' },
    ]);
    // The last batch finds nothing.
    expect(runs.map((run) => run.batches()).toSorted((a, b) => a - b)).toEqual([0, ROWS / BATCH + 1]);
    expect(await notOnce(made.url)).toEqual([]);
  }, 60_000);

  it('is gone on with by a waiting run when the other one is killed', async () => {
    const made = await backfillSetup(ROWS, { directive: `batch=${BATCH}` });
    const first = childRun(made.url, made.folder.migrations, (batches) => batches >= 20 && first.kill());
    while (first.batches() === 0) await sleep(5);
    const second = childRun(made.url, made.folder.migrations);
    expect((await first.ended).code).toBeNull();
    expect(await second.ended).toEqual({ code: 0, err: '' });
    expect(second.batches()).toBeLessThan(ROWS / BATCH);
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { batches: ROWS / BATCH },
    ]);
  }, 60_000);

  it('is paused and resumed from beside, while it runs in another process', async () => {
    const made = await backfillSetup(ROWS, { directive: `batch=${BATCH} throttle=50%` });
    const beside = new Backfills({ connection: made.url, modules: [made.folder] });
    let pausing: Promise<void> | undefined;
    const run = childRun(made.url, made.folder.migrations, () => {
      pausing ??= beside.pause('002_copy');
    });
    const { code, err } = await run.ended;
    await pausing;
    expect([code, err]).toEqual([1, expect.stringContaining('is paused')]);
    const [status] = (await beside.status()) as [BackfillStatus];
    expect(status).toMatchObject({ state: 'paused', passRows: status.batches * BATCH });
    await beside.resume('002_copy');
    expect((await childRun(made.url, made.folder.migrations).ended).code).toBe(0);
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { batches: ROWS / BATCH },
    ]);
  }, 60_000);
});
