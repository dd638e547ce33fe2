import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { startTestServer } from 'tombstone/testing';
import { FAULTS } from './faults.ts';
import { writeFiles } from './files.ts';
import { Random } from './random.ts';
import { type Ground, trial, type TrialResult, undisturbed } from './trial.ts';

const USAGE = `Usage: npm run crash -- migrations [--trials N] [--seed N] [--json]

Applies twelve migration files in a process of its own and interrupts it at a random point: SIGKILL, the server's session
ended, the socket cut, the server restarted, the disk full. Then it applies them again and compares the database with one
that nothing interrupted. Exit code 1 when a trial did not complete, or left anything different.

  --trials  how many; 50 when left out
  --seed    repeats the choices of an earlier run
  --json    one JSON object on standard output, nothing else
`;

const TRIES = 20;

interface Sums {
  trials: number;
  completed: number;
  ledgerAgrees: number;
  appliedTwice: number;
}

async function runTrials(ground: Ground, count: number, tick: (done: number) => void): Promise<Sums> {
  const sums: Sums = { trials: count, completed: 0, ledgerAgrees: 0, appliedTwice: 0 };
  const expected = await undisturbed(ground);
  for (let index = 0; index < count; index += 1) {
    const fault = FAULTS[index % FAULTS.length] as (typeof FAULTS)[number];
    let result: TrialResult | undefined;
    for (let tries = 0; tries < TRIES && !result?.interrupted; tries += 1) {
      result = await trial(ground, fault, expected);
      if (!result.completed || !result.agrees) break;
    }
    tell(index, fault.name, result);
    if (result?.completed && result.interrupted) sums.completed += 1;
    if (result?.agrees) sums.ledgerAgrees += 1;
    if (result?.twice.length) sums.appliedTwice += 1;
    tick(index + 1);
  }
  return sums;
}

/** A trial that went wrong is named, with its reason; the others are only counted. */
function tell(index: number, name: string, result: TrialResult | undefined): void {
  if (result?.interrupted && result.completed && result.agrees && result.twice.length === 0) return;
  const why = !result?.interrupted
    ? 'the fault never struck'
    : (result.error ??
      (result.twice.length > 0 ? `twice: ${result.twice.join(', ')}` : 'schema, rows or ledger differ'));
  process.stderr.write(`trial ${index + 1} (${name}): ${why}\n`);
}

function readArguments(): { trials: number; seed: number; json: boolean; help: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      trials: { type: 'string', default: '50' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [trials, seed] = [Number(values.trials), Number(values.seed)];
  const isRight =
    positionals.join() === 'migrations' && [trials, seed].every(Number.isSafeInteger) && trials > 0;
  if (!isRight && !values.help) throw new Error(USAGE);
  return { ...values, trials, seed };
}

async function main(): Promise<void> {
  const { trials, seed, json, help } = readArguments();
  if (help) return void process.stdout.write(USAGE);
  // A server of its own always: one of the faults restarts it. A commit must last then, as on a server in earnest.
  const server = await startTestServer({ settings: { synchronous_commit: 'on', full_page_writes: 'on' } });
  const module = writeFiles();
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value}/{total} trials',
    noTTYOutput: false,
  });
  const isShown = process.stderr.isTTY && !json;
  try {
    if (isShown) bar.start(trials, 0);
    const sums = await runTrials({ server, module, random: new Random(seed) }, trials, (done) =>
      bar.update(done),
    );
    bar.stop();
    conclude(sums, seed, json);
  } finally {
    bar.stop();
    module.delete();
    await server.stop();
  }
}

function conclude(sums: Sums, seed: number, json: boolean): void {
  const { trials, completed, ledgerAgrees, appliedTwice } = sums;
  const isWell = completed === trials && ledgerAgrees === trials && appliedTwice === 0;
  const object = `{"trials": ${trials}, "completed": ${completed}, "ledgerAgrees": ${ledgerAgrees}, "appliedTwice": ${appliedTwice}}`;
  process.stdout.write(
    json
      ? `${object}\n`
      : `${trials} interrupted runs: ${completed} completed the next time, ${ledgerAgrees} with a ledger that agrees, ${appliedTwice} with something applied twice.\n`,
  );
  if (isWell) return;
  process.stderr.write(`Repeat it with --seed ${seed}.\n`);
  process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
