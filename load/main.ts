import { availableParallelism, loadavg } from 'node:os';
import { SingleBar } from 'cli-progress';
import { createTestDatabase, startTestServer } from 'tombstone/testing';
import { type LoadArguments, readArguments, USAGE } from './options.ts';
import { reportOf, textOf } from './report.ts';
import { type Progress, runLoad } from './run.ts';

const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const;

/** Aborted by a signal: what was made is then taken away before the program ends. */
const interruption = new AbortController();

/** Shown on a terminal only, and on standard error, so that the answer can be piped. */
function openBar(): { show: Progress; stop: () => void } {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined };
  const bar = new SingleBar({ stream: process.stderr, format: '{bar} {percentage} % {stage}' });
  bar.start(100, 0, { stage: 'starting' });
  return {
    show: (stage, share) => bar.update(Math.round(100 * share), { stage }),
    stop: () => bar.stop(),
  };
}

/** Other work on the machine is part of what was measured. */
function environmentOf(version: string, loadBefore: number): string {
  const { versions, platform, arch } = process;
  const [before, after] = [loadBefore, loadavg()[0] ?? 0].map((average) => average.toFixed(1));
  return `PostgreSQL ${version}, Node ${versions.node}, ${platform}-${arch}, ${availableParallelism()} cores, load average ${before} before and ${after} after`;
}

async function load(options: LoadArguments): Promise<void> {
  const bar = openBar();
  const loadBefore = loadavg()[0] ?? 0;
  const url = process.env['DATABASE_URL'];
  // What is measured without waiting for the disk says nothing about a gateway.
  const server = await startTestServer(url ? { url } : { durable: true });
  try {
    const database = await createTestDatabase(server);
    try {
      const { signal } = interruption;
      const run = await runLoad(database.url, options, { progress: bar.show, signal });
      await run.close();
      bar.stop();
      const report = reportOf(run, options, environmentOf(server.version, loadBefore));
      process.stdout.write(`${options.json ? JSON.stringify(report) : textOf(report)}\n`);
      if (!report.holds) process.exitCode = EXIT.failed;
    } finally {
      await database.drop();
    }
  } finally {
    bar.stop();
    await server.stop();
  }
}

function read(argv: readonly string[]): LoadArguments | undefined {
  try {
    return readArguments(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT.usage;
    return undefined;
  }
}

async function main(): Promise<void> {
  const options = read(process.argv.slice(2));
  if (!options) return;
  if (options.help) process.stdout.write(USAGE);
  else await load(options);
}

for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort());

await main().catch((error: unknown) => {
  const isInterrupted = interruption.signal.aborted;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    `${isInterrupted ? 'The load was interrupted, and nothing was checked. Run it again.' : message}\n`,
  );
  process.exitCode = isInterrupted ? EXIT.interrupted : EXIT.failed;
});
