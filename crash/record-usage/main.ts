import { SingleBar } from 'cli-progress';
import { createTestDatabase, startTestServer } from 'tombstone/testing';
import { Migrator } from 'tombstone/migrations';
import { Random } from '../random.ts';
import { runCampaign, type Totals } from './campaign.ts';
import { type Form, modulesOf, openGateway } from './gateway.ts';
import { REQUESTS } from './task.ts';

const ZERO = /^0(\.0+)?$/;

/** Runs the trials on a server of its own and prints what they add up to. Exit code 1: something was lost or doubled. */
export async function recordUsageTrials(options: {
  readonly trials: number;
  readonly seed: number;
  readonly json: boolean;
  readonly partitions: boolean;
}): Promise<void> {
  const { trials, seed, json } = options;
  const form: Form = options.partitions ? 'monthly-partitions' : 'one-table';
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value}/{total} trials',
    noTTYOutput: false,
  });
  const server = await startTestServer();
  try {
    const prepare = async (url: string): Promise<void> => {
      await new Migrator({ connection: url, modules: modulesOf(form) }).up();
    };
    const { url } = await createTestDatabase(server, { prepare });
    const gateway = await openGateway(url, 8, form);
    if (process.stderr.isTTY && !json) bar.start(trials, 0);
    const work = { form, trials, random: new Random(seed), tick: (done: number) => bar.update(done) };
    const totals = await runCampaign(gateway, url, work);
    await gateway.close();
    bar.stop();
    conclude(trials, totals, json);
    if (process.exitCode) process.stderr.write(`Repeat it with --seed ${seed}.\n`);
  } finally {
    bar.stop();
    await server.stop();
  }
}

function conclude(trials: number, totals: Totals, json: boolean): void {
  const requests = trials * REQUESTS;
  const { interrupted, logs, charges, ledgerRows, ledger, difference, lost } = totals;
  const lines = [
    `${trials} trials, ${interrupted} of them interrupted; ${requests} requests, ${logs} logs, ${ledgerRows} lines of the ledger`,
    `charged ${charges}, in the ledger ${ledger}: difference ${difference}; not charged ${lost}`,
  ];
  process.stdout.write(`${json ? JSON.stringify({ trials, requests, ...totals }) : lines.join('\n')}\n`);
  const isExact = ZERO.test(difference) && ZERO.test(lost) && logs === requests && ledgerRows === requests;
  // Trials that interrupt nothing prove nothing.
  if (!isExact || interrupted < trials / 2) process.exitCode = 1;
}
