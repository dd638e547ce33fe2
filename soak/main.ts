import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { availableParallelism, loadavg } from 'node:os';
import { startTestServer } from 'tombstone/testing';
import { ADOPT_SHAPES, type AdoptSoakOptions, soakAdoption } from './adopt.ts';
import { measure } from './live-parent/measure.ts';
import { type SoakOptions, soak } from './live-parent/run.ts';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 3600) return value;
  throw new InvalidArgumentError('It takes a whole number from 1 to 3600.');
}

/** Shown on a terminal only, and on standard error, so that the answer can be piped. */
function openBar(): { show: (stage: string, share: number) => void; stop: () => void } {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined };
  const bar = new SingleBar({ stream: process.stderr, format: '{bar} {percentage} % {stage}' });
  bar.start(100, 0, { stage: 'starting' });
  return { show: (stage, share) => bar.update(Math.round(100 * share), { stage }), stop: () => bar.stop() };
}

async function liveParent(options: SoakOptions & { json?: boolean }): Promise<void> {
  const bar = openBar();
  const url = process.env['DATABASE_URL'];
  const server = await startTestServer(url ? { url } : {});
  try {
    const report = await soak(server, options, bar.show);
    bar.stop();
    const machine = `${availableParallelism()} cores, load average ${(loadavg()[0] ?? 0).toFixed(1)}`;
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report)}\n`
        : `${report.operations} operations with the guarantee: ${report.violations} violations seen in ${report.snapshots} snapshots.\n` +
            `${report.operationsWithoutGuarantee} without it: ${report.violationsWithoutGuarantee} violations. (${machine})\n`,
    );
    for (const each of report.unexpected) process.stderr.write(`${each}\n`);
    const holds =
      report.violations === 0 && report.violationsWithoutGuarantee > 0 && report.unexpected.length === 0;
    if (!holds) process.exitCode = 1;
  } finally {
    bar.stop();
    await server.stop();
  }
}

const program = new Command('npm run soak --').description(
  'Programs that run for long and look for what must never be.',
);
program
  .command('live-parent')
  .description(
    'inserts, deletes, restores and purges from many connections, and looks for live children of dead parents in committed snapshots, with the guarantee of the database and without it',
  )
  .option('--seconds <n>', 'how long, with the guarantee and again without it', wholeNumber, 60)
  .option('--workers <n>', 'how many work at the same time, each with a connection', wholeNumber, 32)
  .addOption(new Option('--form <form>', 'of the guarantee').choices(['plain', 'online']).default('plain'))
  .option('--json', 'one JSON object on standard output, nothing else')
  .action(liveParent);

program
  .command('live-parent-price')
  .description(
    'measures, step by step, how long others wait for the migrations of the guarantee, and what it costs; JSON',
  )
  .option('--children <n>', 'rows of the child, with a tenth as many parents', Number, 1_000_000)
  .action(async ({ children }: { children: number }) => {
    const server = await startTestServer({ durable: true });
    try {
      process.stdout.write(`${JSON.stringify(await measure(server, children), undefined, 2)}\n`);
    } finally {
      await server.stop();
    }
  });

async function adopt(options: AdoptSoakOptions & { json?: boolean }): Promise<void> {
  const bar = openBar();
  const url = process.env['DATABASE_URL'];
  const server = await startTestServer(url ? { url } : { durable: true });
  try {
    const report = await soakAdoption(server, options, bar.show);
    bar.stop();
    const { state, users, logs, seconds, peakMb, charges, longestChargeMs, locks, isIntact } = report;
    const longest = locks.find(({ lock }) => lock === 'ACCESS EXCLUSIVE');
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report)}\n`
        : `A ${state} database of ${users} users and ${logs} logs was taken over in ${seconds.toFixed(1)} s with ${peakMb ?? '?'} MB; rows are ${isIntact ? '' : 'NOT '}intact.\n` +
            `${charges} charges meanwhile, the longest took ${longestChargeMs.toFixed(0)} ms. The longest ACCESS EXCLUSIVE: ${longest ? `${longest.ms.toFixed(0)} ms on ${longest.table}` : 'none'}.\n`,
    );
    if (!isIntact) process.exitCode = 1;
  } finally {
    bar.stop();
    await server.stop();
  }
}

const rows = (text: string): number => {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It takes a whole number from 1 to 99999999.');
};

program
  .command('adopt')
  .description(
    'takes over a large database of the original by "tombstone migrate adopt" while its program writes: time, memory, locks, and whether every row is intact',
  )
  .option('--users <n>', 'rows of users', rows, 1_000_000)
  .option('--logs <n>', 'rows of usage_logs', rows, 1_000_000)
  .option('--writers <n>', 'connections of the original program', wholeNumber, 4)
  .addOption(
    new Option('--shape <shape>', 'how the original left it').choices(ADOPT_SHAPES).default('complete'),
  )
  .option('--json', 'one JSON object on standard output, nothing else')
  .action(adopt);

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
