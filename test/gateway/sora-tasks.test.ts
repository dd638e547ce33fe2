import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ClaimedSoraTask, gatewayRepositories, type SoraTaskStatus } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-groups.ts';
import { codeOf, mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const WORKERS = 16;
const HOUR = 3_600_000;
const URLS = ['https://example.com/a.mp4'];

let gateway: Gateway;
let account: string;
let counter = 0;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: WORKERS + 4 } });
  account = await mustCreateSoraAccount(gateway);
});
beforeEach(() => gateway.rows('delete from sora_tasks'));
afterAll(() => gateway.close());

const tasks = () => soraOf(gateway).soraTasks;
async function mustCreate(values: { accountId?: string; taskId?: string } = {}): Promise<string> {
  const taskId = `task ${(counter += 1)}`;
  return (await tasks().create({ taskId, accountId: account, model: 'sora-2', prompt: 'a cat', ...values }))
    .taskId;
}
const claim = (values: Partial<Parameters<ReturnType<typeof tasks>['claim']>[0]> = {}) =>
  tasks().claim({ worker: 'worker', leaseMs: HOUR, ...values });
async function mustClaim(values: Parameters<typeof claim>[0] = {}): Promise<ClaimedSoraTask> {
  const [task] = await claim(values);
  if (!task) throw new Error('no task');
  return task;
}
/** Lets the lease of every claimed task be over, by the clock of the database. */
const endLeases = () =>
  gateway.rows(
    `update sora_tasks set available_at = now() - interval '1 second' where status = 'processing'`,
  );
const each = <T>(work: (caller: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: WORKERS }, (_, caller) => work(caller)));

describe('a task', () => {
  it('is stored once', async () => {
    const created = await tasks().create({ taskId: 'one', accountId: account, model: 'm', prompt: 'p' });
    expect(created).toMatchObject({
      taskId: 'one',
      accountId: account,
      status: 'processing',
      progress: 0,
      resultUrls: [],
      attempts: 0,
    });
    expect(await tasks().findByTaskId('one')).toEqual(created);
    expect(await codeOf(mustCreate({ taskId: 'one' }))).toBe('SORA_TASK_EXISTS');
    expect(await codeOf(mustCreate({ accountId: '987654321' }))).toBe('ACCOUNT_NOT_FOUND');
    expect(await tasks().findByTaskId('none')).toBeNull();
  });

  it.each<[string, object]>([
    ['a long id', { taskId: 'a'.repeat(121) }],
    ['a long model', { model: 'a'.repeat(121) }],
    ['a prompt of more than 1 MB', { prompt: 'é'.repeat(512 * 1024 + 1) }],
  ])('is not stored with %s', async (_what, values) => {
    const task = { taskId: 't', accountId: account, model: 'm', prompt: 'p', ...values };
    expect(await codeOf(tasks().create(task))).toBe('VALIDATION');
    expect(
      await codeOf(
        tasks().create({
          ...task,
          taskId: 'a'.repeat(120),
          model: 'a'.repeat(120),
          prompt: 'é'.repeat(512 * 1024),
        }),
      ),
    ).toBe('done');
  });
});

describe('the status of a task', () => {
  it('is written with what is not empty', async () => {
    const id = await mustCreate();
    expect(await tasks().updateStatus(id, 'processing', 40, URLS, 'message')).toBe(true);
    expect(await tasks().updateStatus(id, 'processing', 50, '', '')).toBe(true);
    expect(await tasks().findByTaskId(id)).toMatchObject({
      progress: 50,
      resultUrls: URLS,
      errorMessage: 'message',
      completedAt: null,
    });
    const end = new Date('2030-01-01T00:00:00Z');
    expect(
      await tasks().updateStatus(id, 'completed', 100, JSON.stringify(['https://example.com/b']), '', end),
    ).toBe(true);
    expect(await tasks().findByTaskId(id)).toMatchObject({
      status: 'completed',
      resultUrls: ['https://example.com/b'],
      completedAt: end,
    });
    expect([
      await tasks().updateStatus('', 'failed', 0),
      await tasks().updateStatus('none', 'failed', 0),
    ]).toEqual([false, false]);
  });

  it('F53: never leaves its end, where the original’s goes back', async () => {
    const id = await mustCreate();
    await tasks().updateStatus(id, 'failed', 0);
    expect((await tasks().findByTaskId(id))?.completedAt).toBeInstanceOf(Date);
    for (const status of ['processing', 'completed', 'failed'] as const)
      expect(await tasks().updateStatus(id, status, 10, '', 'late')).toBe(false);
    expect(await tasks().findByTaskId(id)).toMatchObject({
      status: 'failed',
      progress: 0,
      errorMessage: null,
    });
    await gateway.rows(`update sora_tasks set status = 'processing' where task_id = ?`, [id]);
    expect((await tasks().findByTaskId(id))?.status).toBe('processing');
  });

  it(`is ended by one of ${WORKERS}, also where the others have waited for it`, async () => {
    const id = await mustCreate();
    let running: Promise<boolean[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).soraTasks.updateStatus(id, 'completed', 100, URLS);
      const words: SoraTaskStatus[] = ['processing', 'failed', 'completed'];
      running = each((caller) => tasks().updateStatus(id, words[caller % 3] ?? 'failed', 1, '', 'late'));
      await untilWaiting(gateway, WORKERS);
    });
    expect(await running).toEqual(Array(WORKERS).fill(false));
    expect(await tasks().findByTaskId(id)).toMatchObject({
      status: 'completed',
      progress: 100,
      errorMessage: null,
    });
  });

  it.each<[string, unknown]>([
    ['http', ['http://example.com']],
    ['of a private host', '["https://169.254.169.254/"]'],
    [
      'of more than 1 MB',
      Array.from({ length: 1100 }, (_, n) => `https://example.com/${n}/${'a'.repeat(960)}`),
    ],
    ['in a text of more than 1 MB', `[${' '.repeat(1024 * 1024)}]`],
    ['in no list', '{"a":1}'],
  ])('takes no addresses %s', async (_what, urls) => {
    const id = await mustCreate();
    gateway.statements();
    expect(await codeOf(tasks().updateStatus(id, 'completed', 100, urls as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('shows what another program has left there', async () => {
    const id = await mustCreate();
    await gateway.rows(`update sora_tasks set result_urls = '["http://old",5]' where task_id = ?`, [id]);
    expect((await tasks().findByTaskId(id))?.resultUrls).toEqual(['http://old']);
    await gateway.rows(`update sora_tasks set result_urls = 'no json' where task_id = ?`, [id]);
    expect((await tasks().findByTaskId(id))?.resultUrls).toEqual([]);
  });
});

describe('claims', () => {
  it('give each task to one worker, in one statement, the longest available first', async () => {
    const ids = [await mustCreate(), await mustCreate(), await mustCreate()];
    gateway.statements();
    const got = await claim({ limit: 2 });
    expect(gateway.statements()).toHaveLength(1);
    expect(got.map((task) => task.taskId)).toEqual(ids.slice(0, 2));
    expect(got[0]).toMatchObject({
      attempts: 1,
      retryCount: 0,
      claimedBy: 'worker',
      claimId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect((await claim({ limit: 5 })).map((task) => task.taskId)).toEqual(ids.slice(2));
    expect(await claim()).toEqual([]);
  });

  it(`of ${WORKERS} workers take every task once, and wait for nobody`, async () => {
    const ids = [];
    for (let n = 0; n < WORKERS * 3; n += 1) ids.push(await mustCreate());
    let taken: ClaimedSoraTask[][] = [];
    await gateway.em().transactional(async (tx) => {
      const held = await gatewayRepositories(tx).soraTasks.claim({ worker: 'slow', leaseMs: HOUR, limit: 2 });
      taken = await each((caller) => claim({ worker: `worker ${caller}`, limit: 4 }));
      taken.push(held);
    });
    const found = taken.flat().map((task) => task.taskId);
    expect([found.length, new Set(found)]).toEqual([ids.length, new Set(ids)]);
  });

  it('without SKIP LOCKED and a condition that is judged again two workers would have one task, as a control', async () => {
    const id = await mustCreate();
    const seen = await each(() =>
      gateway.rows<{ task_id: string }>(`select task_id from sora_tasks where status = 'processing' limit 1`),
    );
    expect(seen.flat().map((row) => row.task_id)).toEqual(Array(WORKERS).fill(id));
    const claimed = await each(() => claim());
    expect(claimed.flat()).toHaveLength(1);
  });

  it('whose lease has ended are taken over, and the first worker can do nothing more', async () => {
    const id = await mustCreate();
    const first = await mustClaim({ worker: 'one' });
    await endLeases();
    // Nobody has taken it yet: it is still the first one's.
    expect(await tasks().extend(first, HOUR, 30)).toBeInstanceOf(Date);
    expect(await claim()).toEqual([]);
    await endLeases();
    const second = await mustClaim({ worker: 'one' });
    expect(second).toMatchObject({ taskId: id, attempts: 2, retryCount: 1, progress: 30 });
    for (const late of [
      () => tasks().extend(first, HOUR),
      () => tasks().complete(first, URLS),
      () => tasks().fail(first, 'late'),
      () => tasks().retry(first, 0),
      () => tasks().release(first),
    ])
      expect(await codeOf(late())).toBe('SORA_TASK_LOST');
    expect(await tasks().complete(second, URLS)).toBe(true);
    expect(await tasks().findByTaskId(id)).toMatchObject({
      status: 'completed',
      progress: 100,
      resultUrls: URLS,
      claimedBy: 'one',
    });
    expect(await tasks().complete(second, URLS)).toBe(false);
    for (const late of [
      () => tasks().fail(second, 'late'),
      () => tasks().complete(first, URLS),
      () => tasks().release(second),
    ])
      expect(await codeOf(late())).toBe('SORA_TASK_LOST');
    await endLeases();
    expect(await claim()).toEqual([]);
  });

  it('end as failed, are tried again after a pause, or given back as they were', async () => {
    const [failed, again, back] = [await mustCreate(), await mustCreate(), await mustCreate()];
    const [one, two, three] = await claim({ limit: 3 });
    if (!one || !two || !three) throw new Error('three');
    expect([await tasks().fail(one, 'blocked'), await tasks().fail(one, 'blocked')]).toEqual([true, false]);
    expect(await tasks().findByTaskId(failed)).toMatchObject({ status: 'failed', errorMessage: 'blocked' });
    await tasks().retry(two, HOUR, 'busy');
    await tasks().release(three);
    expect(await tasks().findByTaskId(again)).toMatchObject({
      attempts: 1,
      errorMessage: 'busy',
      claimedBy: null,
    });
    expect(await claim({ limit: 3 })).toMatchObject([{ taskId: back, attempts: 1, retryCount: 0 }]);
    await endLeases();
    expect(await claim({ limit: 1 })).toMatchObject([{ attempts: 2 }]);
  });

  it('are counted but for the first one, and where they were given back', async () => {
    const id = await mustCreate();
    const again = async (end: (held: ClaimedSoraTask) => Promise<void>): Promise<number> => {
      const held = await mustClaim({ maxAttempts: 9 });
      await end(held);
      return held.retryCount;
    };
    const retry = (held: ClaimedSoraTask) => tasks().retry(held, 0);
    const release = (held: ClaimedSoraTask) => tasks().release(held);
    expect(await again(release)).toBe(0);
    expect([await again(retry), await again(release), await again(release)]).toEqual([0, 1, 1]);
    expect(await again(retry)).toBe(1);
    await claim({ maxAttempts: 2 });
    expect(await tasks().requeueDeadLetters([id])).toBe(1);
    expect([await again(retry), await again(retry)]).toEqual([2, 3]);
  });

  it('of a task that another program has finished are lost', async () => {
    const id = await mustCreate();
    const held = await mustClaim();
    await tasks().updateStatus(id, 'completed', 100, URLS);
    expect(await codeOf(tasks().complete(held, URLS))).toBe('SORA_TASK_LOST');
    expect(await tasks().findByTaskId(id)).toMatchObject({ claimedBy: null });
  });

  it('find what was there before the columns, first', async () => {
    const [young, old] = [await mustCreate(), await mustCreate()];
    await gateway.rows(`update sora_tasks set available_at = default where task_id = ?`, [young]);
    await gateway.rows(`update sora_tasks set available_at = '1970-01-01T00:00:00Z' where task_id = ?`, [
      old,
    ]);
    expect((await claim({ limit: 2 })).map((task) => task.taskId)).toEqual([old, young]);
  });
});

describe('dead letters', () => {
  const parked = async () =>
    (await tasks().listDeadLetters()).map((task) => [task.taskId, task.parkedReason]);

  it('are tasks that were claimed as often as they may be', async () => {
    const id = await mustCreate();
    for (const attempt of [1, 2]) {
      expect(await mustClaim({ maxAttempts: 2 })).toMatchObject({ attempts: attempt });
      await endLeases();
    }
    const held = await tasks().findByTaskId(id);
    expect([await claim({ maxAttempts: 2 }), await parked()]).toEqual([[], [[id, 'attempts']]]);
    expect(held?.parkedAt).toBeNull();
    expect(await claim({ maxAttempts: 5 })).toEqual([]);
    expect(await tasks().findByTaskId(id)).toMatchObject({ status: 'processing', claimedBy: null });
  });

  it('do not keep a worker from what is behind them', async () => {
    const dead = [await mustCreate(), await mustCreate(), await mustCreate()];
    await claim({ limit: 3 });
    await endLeases();
    const id = await mustCreate();
    await gateway.rows('update sora_tasks set available_at = now() where task_id = ?', [id]);
    expect(await claim({ maxAttempts: 1, limit: 2 })).toMatchObject([{ taskId: id }]);
    expect((await parked()).map(([taskId]) => taskId)).toEqual(dead);
  });

  it('are the tasks of a deleted account, too', async () => {
    const gone = await mustCreateSoraAccount(gateway);
    const [id, other] = [await mustCreate({ accountId: gone }), await mustCreate()];
    await gatewayRepositories(gateway.em()).accounts.delete(gone);
    expect(await claim({ limit: 2 })).toMatchObject([{ taskId: other }]);
    expect(await parked()).toEqual([[id, 'account deleted']]);
  });

  it('that a program of the original has finished keep their end', async () => {
    const id = await mustCreate();
    await mustClaim();
    await endLeases();
    await claim({ maxAttempts: 1 });
    expect(await parked()).toEqual([[id, 'attempts']]);
    await gateway.rows(`update sora_tasks set status = 'completed', completed_at = now() where task_id = ?`, [
      id,
    ]);
    expect([await parked(), await tasks().requeueDeadLetters([id])]).toEqual([[], 0]);
    expect(await tasks().failDeadLetters([id], 'given up')).toBe(0);
    expect(await tasks().findByTaskId(id)).toMatchObject({ status: 'completed', errorMessage: null });
  });

  it('are put back with all their attempts, or ended, once', async () => {
    const ids = [await mustCreate(), await mustCreate(), await mustCreate()];
    const [lost] = await claim({ limit: 3 });
    await endLeases();
    await claim({ maxAttempts: 1 });
    const [one = '', two = '', three = ''] = ids;
    const page = await tasks().listDeadLetters({ limit: 2 });
    expect(
      (await tasks().listDeadLetters({ afterId: page[1]?.id ?? null })).map((task) => task.taskId),
    ).toEqual([three]);
    const counts = await each((caller) =>
      tasks().requeueDeadLetters(caller % 2 === 0 ? [one, two, 'none'] : [two, one]),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect([await tasks().failDeadLetters([three, one], 'given up'), await parked()]).toEqual([1, []]);
    expect(await tasks().findByTaskId(three)).toMatchObject({ status: 'failed', errorMessage: 'given up' });
    expect(await codeOf(tasks().complete(lost!, URLS))).toBe('SORA_TASK_LOST');
    expect(await claim({ limit: 3, maxAttempts: 1 })).toMatchObject([{ attempts: 1 }, { attempts: 1 }]);
    expect(await tasks().requeueDeadLetters(['"', '\\', '{}', 'a,b'])).toBe(0);
  });
});

describe('with 100,000 tasks, of which few are open', () => {
  const FILL = `insert into sora_tasks (task_id, account_id, model, prompt, status)
    select 'many ' || n, ?, 'm', 'p', case when n % 2000 = 0 then 'processing' else 'completed' end from generate_series(1, 100000) n`;

  async function planOf(work: (sora: ReturnType<typeof tasks>) => Promise<unknown>): Promise<string> {
    gateway.statements();
    await gateway.em().transactional((tx) => work(gatewayRepositories(tx).soraTasks));
    const [sql] = gateway.statements();
    const explained = gateway.em().transactional(async (tx) => {
      const lines = await tx.execute<{ 'QUERY PLAN': string }[]>(
        `explain (analyze, costs off, timing off, summary off) ${sql?.replace(/ \[took .*$/s, '')}`,
      );
      return lines.map((line) => line['QUERY PLAN']).join('\n');
    });
    return explained;
  }

  it('a claim reads the open ones by their index, and dead letters by theirs', async () => {
    await gateway.rows(FILL, [account]);
    await gateway.rows('analyze sora_tasks');
    const plan = await planOf((sora) => sora.claim({ worker: 'w', leaseMs: HOUR, limit: 5 }));
    expect(plan).toContain('Index Scan using idx_sora_tasks_claimable');
    expect(plan).not.toMatch(/Seq Scan on sora_tasks/);
    expect(await planOf((sora) => sora.listDeadLetters())).toContain('idx_sora_tasks_parked');
    await gateway.rows('drop index idx_sora_tasks_claimable');
    const without = await planOf((sora) => sora.claim({ worker: 'w', leaseMs: HOUR, limit: 5 }));
    expect(without).not.toContain('idx_sora_tasks_claimable');
  });
});
