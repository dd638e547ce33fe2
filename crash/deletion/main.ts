import { SingleBar } from 'cli-progress';
import { deletionJournal } from 'tombstone';
import { Migrator } from 'tombstone/migrations';
import { createTestDatabase, startTestServer } from 'tombstone/testing';
import { withClient } from '../prepare.ts';
import { Random } from '../random.ts';
import { runCampaign, type Totals } from './campaign.ts';
import { TABLES } from './model.ts';
import { openHouse } from './operations.ts';

/**
 * Runs the trials on a server of its own and prints what became of the operations. Exit code 1: one was left half, or the next
 * run did not go on; by hand, where halves must be found: none was.
 */
export async function deletionTrials(options: {
  readonly trials: number;
  readonly seed: number;
  readonly json: boolean;
  readonly byHand: boolean;
}): Promise<void> {
  const { trials, seed, json, byHand } = options;
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value}/{total} trials',
    noTTYOutput: false,
  });
  const server = await startTestServer();
  try {
    const { url } = await createTestDatabase(server, { prepare });
    const house = await openHouse(url, 4);
    if (process.stderr.isTTY && !json) bar.start(trials, 0);
    const random = new Random(seed);
    const tick = (done: number): void => bar.update(done);
    const totals = await runCampaign({ house, url, trials, random, byHand, tick });
    await house.close();
    bar.stop();
    conclude(trials, totals, options);
  } finally {
    bar.stop();
    await server.stop();
  }
}

async function prepare(url: string): Promise<void> {
  await new Migrator({ connection: url, modules: [deletionJournal] }).up();
  await withClient(url, (client) => client.query(TABLES));
}

function conclude(
  trials: number,
  totals: Totals,
  { seed, json, byHand }: { readonly seed: number; readonly json: boolean; readonly byHand: boolean },
): void {
  const { interrupted, whole, nothing, half, stuck } = totals;
  const text =
    `${trials} trials, ${interrupted} of them interrupted; of the operations under way ${whole} were done whole, ` +
    `${nothing} not at all, ${half} by half; ${stuck} trees did not go on`;
  process.stdout.write(`${json ? JSON.stringify({ trials, ...totals }) : text}\n`);
  const isAsItShould = byHand ? half > 0 : half === 0 && stuck === 0;
  // Trials that interrupt nothing prove nothing.
  if (isAsItShould && interrupted >= trials / 2) return;
  process.stderr.write(`Repeat it with --seed ${seed}.\n`);
  process.exitCode = 1;
}
