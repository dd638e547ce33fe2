import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { ROOT } from '../support/command.ts';
import { untilSettled } from '../support/gateway-outbox.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

// More than a test run has time for: OUTBOX_KILLS=200 npm test -- test/gateway/dead-letter-crash.test.ts
const KILLS = Number(process.env['OUTBOX_KILLS'] ?? 8);
const READERS = 3;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.rows('create table applied (n bigserial, account bigint, process int)');
});
beforeEach(async () => {
  for (const table of [
    'applied',
    'scheduler_outbox',
    'scheduler_outbox_watermarks',
    'scheduler_outbox_failures',
  ])
    await gateway.rows(`delete from ${table}`);
});
afterAll(() => gateway.close());

const outbox = () => gatewayRepositories(gateway.em()).schedulerOutbox;

/** A process that applies events; `hears` is told every line. It has ended when its sessions have, too. */
function reader(
  hears: (line: string) => void,
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; end: () => Promise<string> } {
  const script = join(ROOT, 'test/gateway/fixtures/consuming-child.ts');
  const child = spawn(process.execPath, ['--import', './tools/from-sources.js', script], {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: gateway.url, PGAPPNAME: 'consuming', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  child.stderr?.on('data', (data: Buffer) => (err += data.toString()));
  child.stdout?.on('data', (data: Buffer) => data.toString().split('\n').filter(Boolean).forEach(hears));
  const end = async (): Promise<string> => {
    child.kill('SIGKILL');
    await closed;
    return err;
  };
  return { child, end };
}

async function heard(line: string, env: NodeJS.ProcessEnv): Promise<{ end: () => Promise<string> }> {
  return new Promise((done) => {
    const started = reader((said) => said === line && done(started), env);
  });
}

async function write(count: number, from = 1): Promise<void> {
  for (let n = from; n < from + count; n += 1) await outbox().enqueue('account_changed', String(n));
}

it('loses the event that is said to be applied before it is, as a control', async () => {
  await write(3);
  await untilSettled(gateway);
  const { end } = await heard('between', { ACK: 'first' });
  expect(await end()).toBe('');
  const { end: endSecond } = await heard('applied', {});
  await sleep(200);
  expect(await endSecond()).toBe('');
  const rows = await gateway.rows<{ account: string }>('select account from applied order by n');
  expect(rows.map((row) => row.account)).toEqual(['2', '3']);
});

it(`F20: applies every event at least once and in order, with ${READERS} readers, ${KILLS} kills, pruning and dead letters`, async () => {
  const errors: string[] = [];
  let written = 0;
  const killed = new AbortController();
  const writing = (async () => {
    for (; !killed.signal.aborted && written < 20_000; written += 5) {
      await write(5, written + 1);
      await sleep(20);
    }
  })();
  const pruning = (async () => {
    while (!killed.signal.aborted) {
      const position = await outbox().watermark('snapshot');
      if (position) await outbox().deleteConsumedUpTo(position, 50, { graceSeconds: 0 });
      await sleep(10);
    }
  })();
  const killing = Array.from({ length: READERS }, async (_, n) => {
    for (let kill = n; kill < KILLS; kill += READERS) {
      const started = await heard('applied', {});
      await sleep(Math.random() * 60);
      errors.push(await started.end());
    }
  });
  await Promise.all(killing);
  killed.abort();
  await Promise.all([writing, pruning]);
  await untilSettled(gateway);

  const last = await heard('ready', {});
  const total = `select count(distinct account)::int + (select count(*)::int from scheduler_outbox_failures where parked_at is not null) as n from applied`;
  while ((await gateway.rows<{ n: number }>(total))[0]?.n !== written) await sleep(20);
  errors.push(await last.end());
  expect(errors.filter(Boolean)).toEqual([]);

  // Every seventh is a dead letter, once, and all others were applied.
  const letters = await outbox().listDeadLetters('snapshot', { limit: 10_000 });
  const sevenths = Array.from({ length: Math.floor(written / 7) }, (_, n) => String((n + 1) * 7));
  expect(letters.map((letter) => letter.accountId)).toEqual(sevenths);
  const missing = await gateway.rows(
    `select n from generate_series(1, ?) n where n % 7 <> 0 and n not in (select account from applied)`,
    [written],
  );
  expect(missing).toEqual([]);
  // Of one process none comes before an earlier one, unless it was read again.
  const back = await gateway.rows(`select * from (
      select account, process, max(account) over (partition by process order by n rows between unbounded preceding and 1 preceding) as before
      from applied) a where account < before and account not in (
        select account from applied group by account having count(*) > 1)`);
  expect(back).toEqual([]);
}, 300_000);
