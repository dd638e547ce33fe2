import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories, generateRedeemCode } from 'tombstone/gateway';
import { ROOT } from '../support/command.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

// More trials than a test run has time for: REDEEM_CRASH_TRIALS=200 npm test -- test/gateway/redemption-crash.test.ts
const TRIALS = Number(process.env['REDEEM_CRASH_TRIALS'] ?? 20);
const CODES = 60;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

/** A process that redeems; `onLine` is told how many lines it has said. It has ended when its sessions have, too. */
async function child(
  user: string,
  codes: readonly string[],
  onLine: (lines: number, kill: () => void) => void,
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; err: string }> {
  const script = join(ROOT, 'test/gateway/fixtures/redeeming-child.ts');
  const started = spawn(process.execPath, ['--import', './tools/from-sources.js', script, user, ...codes], {
    cwd: ROOT,
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      DATABASE_URL: gateway.url,
      PGAPPNAME: `redeeming ${user}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [lines, err] = [0, ''];
  started.stderr.on('data', (data: Buffer) => (err += data.toString()));
  started.stdout.on('data', (data: Buffer) => {
    lines += data.toString().split('\n').length - 1;
    onLine(lines, () => void started.kill('SIGKILL'));
  });
  onLine(0, () => void started.kill('SIGKILL'));
  const code = await new Promise<number | null>((done) => started.once('close', done));
  const sessions = 'select pid from pg_stat_activity where application_name = ?';
  while ((await gateway.rows(sessions, [`redeeming ${user}`])).length > 0) await sleep(5);
  return { code, err };
}

async function batch(n: number): Promise<string[]> {
  const codes = Array.from({ length: n }, () => ({ code: generateRedeemCode(), value: '1' }));
  return (await gatewayRepositories(gateway.em()).redeemCodes.createBatch(codes)).map(({ code }) => code);
}

async function state(user: string): Promise<{ used: number; balance: number }> {
  const [row] = await gateway.rows<{ used: number; balance: number }>(
    `select (select count(*)::int from redeem_codes where used_by = u.id) as used, u.balance::float8 as balance from users u where u.id = ?`,
    [user],
  );
  return row ?? { used: -1, balance: -2 };
}

it('leaves a used code without its amount when the steps are apart, as a control', async () => {
  const { id } = await mustCreateUser(gateway.em());
  await child(id, await batch(1), (lines, kill) => lines > 0 && kill(), { STEPS: 'two' });
  expect(await state(id)).toEqual({ used: 1, balance: 0 });
});

it('leaves a code unused when the process is killed between the use and the amount', async () => {
  const { id } = await mustCreateUser(gateway.em());
  const codes = await batch(1);
  let ended: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await tx.execute('select id from users where id = ? and deleted_at is null for share', [id]);
    let kill: (() => void) | undefined;
    ended = child(id, codes, (_lines, end) => (kill = end));
    const waiting = `select pid from pg_stat_activity where application_name = ? and wait_event_type = 'Lock'
      and query ilike 'update%users%'`;
    while ((await gateway.rows(waiting, [`redeeming ${id}`])).length === 0) await sleep(5);
    kill?.();
  });
  await ended;
  expect(await state(id)).toEqual({ used: 0, balance: 0 });
});

it(`has used exactly the codes whose amounts it has given, killed at ${TRIALS} random points`, async () => {
  let killed = 0;
  for (let trial = 0; trial < TRIALS; trial += 1) {
    const { id } = await mustCreateUser(gateway.em());
    const last = Math.floor(Math.random() * (CODES - 20));
    const { code, err } = await child(id, await batch(CODES), (lines, kill) => {
      if (lines > last) setTimeout(kill, Math.random() * 5);
    });
    expect([code, err]).toEqual([code === 0 ? 0 : null, '']);
    if (code === null) killed += 1;
    const { used, balance } = await state(id);
    expect(used).toBe(balance);
    expect(used).toBeGreaterThan(last);
  }
  expect(killed).toBeGreaterThan(TRIALS / 2);
}, 600_000);
