import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ClaimedSoraTask, completeSoraTask, type SoraTaskResult } from 'tombstone/gateway';
import { ROOT } from '../support/command.ts';
import { untilWaiting } from '../support/gateway-groups.ts';
import { codeOf, soraOf } from '../support/gateway-sora.ts';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

// More trials than a test run has time for: SORA_CRASH_TRIALS=100 npm test -- test/gateway/sora-billing.test.ts
const TRIALS = Number(process.env['SORA_CRASH_TRIALS'] ?? 3);
const TASKS = 40;
const HOUR = 3_600_000;
const COST = '0.0123456789';
const URLS = ['https://example.com/a.mp4'];

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 20 } });
});
beforeEach(() => gateway.rows('delete from sora_tasks'));
afterAll(() => gateway.close());

let counter = 0;
async function mustCreateTasks(payer: Payer, n = 1): Promise<string[]> {
  const taskIds = Array.from({ length: n }, () => `paid ${(counter += 1)} ${'long '.repeat(10)}`.trim());
  for (const taskId of taskIds)
    await soraOf(gateway).soraTasks.create({ taskId, accountId: payer.accountId, model: 'm', prompt: 'p' });
  return taskIds;
}
async function mustClaim(payer: Payer): Promise<ClaimedSoraTask> {
  await mustCreateTasks(payer);
  const [task] = await soraOf(gateway).soraTasks.claim({ worker: 'w', leaseMs: HOUR });
  if (!task) throw new Error('no task');
  return task;
}
const endLeases = () =>
  gateway.rows(
    `update sora_tasks set available_at = now() - interval '1 second' where status = 'processing'`,
  );
const claimAll = () => soraOf(gateway).soraTasks.claim({ worker: 'w', leaseMs: HOUR, limit: TASKS });
const resultOf = (payer: Payer, more: Partial<SoraTaskResult['usage']> = {}): SoraTaskResult => ({
  resultUrls: URLS,
  media: 'video',
  usage: { ...usageOf(payer), ...more },
});
const complete = (task: ClaimedSoraTask, payer: Payer) =>
  completeSoraTask(gateway.em(), task, resultOf(payer));
const chargesOf = async (payer: Payer) => {
  const { logs, entries, charged } = await sumsOf(gateway.em(), payer);
  return { logs, entries, charged };
};
const ONE = { logs: '1', entries: '1', charged: COST };
const NONE = { logs: '0', entries: '0', charged: '0.0000000000' };
const stateOf = async (task: { taskId: string }) =>
  (await soraOf(gateway).soraTasks.findByTaskId(task.taskId))?.status;

describe('completeSoraTask', () => {
  it('finishes, counts and charges in one transaction of three statements', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer);
    gateway.statements();
    const { completed, usage } = await complete(task, payer);
    expect(gateway.statements()).toHaveLength(3);
    expect([completed, usage]).toMatchObject([
      true,
      { inserted: true, charge: { amount: COST, applied: true } },
    ]);
    expect(await chargesOf(payer)).toEqual(ONE);
    expect(await soraOf(gateway).soraTasks.findByTaskId(task.taskId)).toMatchObject({
      status: 'completed',
      resultUrls: URLS,
    });
    expect(await soraOf(gateway).soraUsageStats.getByAccountId(payer.accountId)).toMatchObject({
      videoCount: 1,
      imageCount: 0,
    });
    const [log] = await gateway.rows('select request_id, account_id from usage_logs where id = ?', [
      usage.id,
    ]);
    expect(log).toEqual({ request_id: task.taskId, account_id: payer.accountId });
  });

  it('charges once, however often it is called, one after the other or at once', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer);
    const calls = await Promise.all(Array.from({ length: 16 }, () => complete(task, payer)));
    expect(calls.filter(({ completed }) => completed)).toHaveLength(1);
    expect(calls.filter(({ usage }) => usage.inserted)).toHaveLength(1);
    expect(await complete(task, payer)).toMatchObject({
      completed: false,
      usage: { inserted: false, charge: { amount: COST } },
    });
    expect(await chargesOf(payer)).toEqual(ONE);
    expect(await soraOf(gateway).soraUsageStats.getByAccountId(payer.accountId)).toMatchObject({
      videoCount: 1,
    });
  });

  it('of a task that was taken over charges nothing', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const first = await mustClaim(payer);
    await endLeases();
    const [second] = await soraOf(gateway).soraTasks.claim({ worker: 'other', leaseMs: HOUR });
    expect(await codeOf(complete(first, payer))).toBe('SORA_TASK_LOST');
    expect(await chargesOf(payer)).toEqual(NONE);
    await complete(second!, payer);
    expect(await codeOf(complete(first, payer))).toBe('SORA_TASK_LOST');
    expect(await chargesOf(payer)).toEqual(ONE);
  });

  it('that cannot charge leaves the task to its claim', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer);
    const wrong = (usage: object) => codeOf(completeSoraTask(gateway.em(), task, resultOf(payer, usage)));
    expect(await wrong({ apiKeyId: '987654321' })).toBe('API_KEY_NOT_FOUND');
    expect(await wrong({ actualCost: '-1' })).toBe('VALIDATION');
    expect([await stateOf(task), await chargesOf(payer)]).toEqual(['processing', NONE]);
    expect(await complete(task, payer)).toMatchObject({ completed: true });
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['no usage', { resultUrls: URLS, media: 'video' }],
    ['another medium', { resultUrls: URLS, media: 'text', usage: {} }],
    ['an address that is not public', { resultUrls: ['https://localhost/'], media: 'video', usage: {} }],
  ])('with %s is refused before any SQL', async (_what, result) => {
    gateway.statements();
    const claim = { taskId: 't', claimId: '01234567-89ab-cdef-0123-456789abcdef' };
    expect(await codeOf(completeSoraTask(gateway.em(), claim, result as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('whose session is ended between the end of the task and its charge has done neither', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const task = await mustClaim(payer);
    let cut: Promise<string> | undefined;
    await gateway.em().transactional(async (tx) => {
      await tx.execute('select id from users where id = ? and deleted_at is null for update', [payer.userId]);
      cut = codeOf(complete(task, payer));
      await untilWaiting(gateway, 1);
      const waiting = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await gateway.rows(waiting);
    });
    expect(await cut).toBe('DATA.UNAVAILABLE');
    expect([await stateOf(task), await chargesOf(payer)]).toEqual(['processing', NONE]);
    expect(await complete(task, payer)).toMatchObject({ completed: true });
    expect([await stateOf(task), await chargesOf(payer)]).toEqual(['completed', ONE]);
  });
});

describe('a worker that is killed', () => {
  /** A process that completes; it has ended when its sessions have, too. */
  async function child(
    payer: Payer,
    onLine: (lines: number, kill: () => void) => void,
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number | null; err: string }> {
    const script = join(ROOT, 'test/gateway/fixtures/completing-child.ts');
    const name = `completing ${payer.userId}`;
    const args = ['--import', './tools/from-sources.js', script, JSON.stringify(usageOf(payer))];
    const started = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: gateway.url, PGAPPNAME: name, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [lines, err] = [0, ''];
    started.stderr.on('data', (data: Buffer) => (err += data.toString()));
    started.stdout.on('data', (data: Buffer) => {
      lines += data.toString().split('\n').length - 1;
      onLine(lines, () => void started.kill('SIGKILL'));
    });
    const code = await new Promise<number | null>((done) => started.once('close', done));
    const sessions = 'select pid from pg_stat_activity where application_name = ?';
    while ((await gateway.rows(sessions, [name])).length > 0) await sleep(5);
    return { code, err };
  }

  it('has finished a task without its charge when the steps are apart, as a control', async () => {
    const payer = await mustCreatePayer(gateway.em());
    const [taskId = ''] = await mustCreateTasks(payer);
    await child(payer, (lines, kill) => lines > 0 && kill(), { STEPS: 'two' });
    expect([await stateOf({ taskId }), await chargesOf(payer)]).toEqual(['completed', NONE]);
  });

  it(`has charged exactly the tasks that it has finished, killed at ${TRIALS} random points, and the next one does the rest`, async () => {
    let killed = 0;
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const payer = await mustCreatePayer(gateway.em());
      await mustCreateTasks(payer, TASKS);
      const last = Math.floor(Math.random() * (TASKS / 2));
      const { code, err } = await child(payer, (lines, kill) => {
        if (lines > last) setTimeout(kill, Math.random() * 5);
      });
      expect([code, err]).toEqual([code === 0 ? 0 : null, '']);
      if (code === null) killed += 1;
      const sql = `select count(*)::int as n from sora_tasks where account_id = ? and status = 'completed'`;
      const finished = (await gateway.rows<{ n: number }>(sql, [payer.accountId]))[0]?.n;
      expect(Number((await chargesOf(payer)).logs)).toBe(finished);
      expect(finished).toBeGreaterThan(last);
      await endLeases();
      for (const task of await claimAll()) await complete(task, payer);
      expect(await chargesOf(payer)).toMatchObject({ logs: String(TASKS), entries: String(TASKS) });
    }
    expect(killed).toBeGreaterThan(0);
  }, 600_000);
});
