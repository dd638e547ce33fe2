import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { deletionTrials } from './deletion/main.ts';
import { type Fault, faultsOn } from './faults.ts';
import { writeFiles } from './files.ts';
import { FULL_DISKS, fullDiskUnderDatabase, fullDiskUnderLog, type OwnFault } from './full-disk.ts';
import { Random } from './random.ts';
import { recordUsageTrials } from './record-usage/main.ts';
import { type CrashServer, startCrashServer } from './server.ts';
import { Sums } from './sums.ts';
import { type Ground, trial, type TrialResult, undisturbed } from './trial.ts';

const USAGE = `Usage: npm run crash -- migrations|record-usage|deletion [--trials N] [--seed N] [--json] [--partitions] [--by-hand]

migrations: applies twelve migration files in a process of its own and interrupts it at a random point: SIGKILL, the server's session
ended, the socket cut, the server crashed, or stopped and started, the disk full. Then it applies them again and compares the
database with one that nothing interrupted. Exit code 1 when a trial did not complete, or left anything different.
Full disks need the right to mount a file system; where that is missing, a line says that they were skipped.

record-usage: kills a program that records usage, or ends its sessions, at a random point; records the same requests again;
and compares what was charged with the ledger. Exit code 1 when they differ, or a request was charged twice or never.

deletion: kills a program that deletes by policies, restores and erases, ends its sessions, or cuts its socket, at a random moment; looks
whether marks, journal, links and removed rows of each tree are as before the operation or as behind it; and goes on. Exit
code 1 when one is neither, or does not go on.

  --trials      how many; 50 when left out
  --seed        repeats the choices of an earlier run
  --json        one JSON object on standard output, nothing else
  --partitions  record-usage where the usage logs are divided by month
  --by-hand     deletion by statements that each stand alone: the trials must find halves; exit code 1 when they find none
`;

const TRIES = 20;

async function runTrials(
  ground: Ground,
  faults: readonly Fault[],
  sums: Sums,
  tick: (done: number) => void,
): Promise<void> {
  const expected = await undisturbed(ground);
  for (let index = 0; index < sums.trials; index += 1) {
    const fault = faults[index % faults.length] as Fault;
    let result: TrialResult | undefined;
    for (let tries = 0; tries < TRIES && !result?.interrupted; tries += 1) {
      result = await trial(ground, fault, expected);
      if (!result.completed || !result.agrees) break;
    }
    tell(index, fault.name, result);
    sums.take(fault.name, result);
    tick(index + 1);
  }
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

function readArguments(): {
  what: string;
  trials: number;
  seed: number;
  json: boolean;
  partitions: boolean;
  byHand: boolean;
  help: boolean;
} {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      trials: { type: 'string', default: '50' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'boolean', default: false },
      partitions: { type: 'boolean', default: false },
      'by-hand': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [trials, seed] = [Number(values.trials), Number(values.seed)];
  const isRight =
    Object.hasOwn(SUITES, positionals.join()) && [trials, seed].every(Number.isSafeInteger) && trials > 0;
  if (!isRight && !values.help) throw new Error(USAGE);
  return { ...values, byHand: values['by-hand'], trials, seed, what: positionals.join() };
}

/** The ways that need a mount; where that is not allowed they are named, loudly. */
async function mountFaults(server: CrashServer): Promise<{ own: OwnFault[]; skipped: readonly string[] }> {
  const first = await fullDiskUnderDatabase(server);
  const second = first && (await fullDiskUnderLog(server));
  if (first && second) return { own: [first, second], skipped: [] };
  process.stderr.write(
    `SKIPPED: ${FULL_DISKS.join(', ')}. Small file systems are mounted for them, and this user may not mount any. ` +
      'Run it as root, or behind "unshare --user --map-root-user --mount".\n',
  );
  return { own: [], skipped: FULL_DISKS };
}

async function main(): Promise<void> {
  const { what, help, ...options } = readArguments();
  if (help) process.stdout.write(USAGE);
  else await SUITES[what as keyof typeof SUITES](options);
}

async function migrationTrials(options: { trials: number; seed: number; json: boolean }): Promise<void> {
  const { trials, seed, json } = options;
  // A server of its own always: some of the faults stop it.
  const server = await startCrashServer();
  const module = writeFiles();
  let faults: OwnFault[] = [];
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value}/{total} trials',
    noTTYOutput: false,
  });
  try {
    const { own, skipped } = await mountFaults(server);
    faults = own;
    const sums = new Sums(trials, skipped);
    if (process.stderr.isTTY && !json) bar.start(trials, 0);
    const ground = { server, module, random: new Random(seed) };
    await runTrials(ground, [...faultsOn(server), ...own], sums, (done) => bar.update(done));
    bar.stop();
    conclude(sums, seed, json);
  } finally {
    bar.stop();
    module.delete();
    await server.stop();
    for (const fault of faults) await fault.close();
  }
}

function conclude(sums: Sums, seed: number, json: boolean): void {
  process.stdout.write(`${json ? sums.toJson() : sums.toText()}\n`);
  if (sums.isWell) return;
  process.stderr.write(`Repeat it with --seed ${seed}.\n`);
  process.exitCode = 1;
}

const SUITES = { migrations: migrationTrials, 'record-usage': recordUsageTrials, deletion: deletionTrials };

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
