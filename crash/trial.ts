import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { MigrationError, type MigrationSource, Migrator } from 'tombstone/migrations';
import { createTestDatabase } from 'tombstone/testing';
import { ChildLines } from './child-lines.ts';
import { agrees, examine, type Findings } from './examine.ts';
import type { Fault } from './faults.ts';
import { FILE_COUNT } from './files.ts';
import { prepareDatabase, withClient } from './prepare.ts';
import { startProxy } from './proxy.ts';
import type { Random } from './random.ts';
import type { CrashServer } from './server.ts';

/** Where trials take place. */
export interface Ground {
  readonly server: CrashServer;
  readonly module: MigrationSource;
  readonly random: Random;
}

/** How one trial went. */
export interface TrialResult {
  /** False when the run ended well before the fault came, or of something else: it proves nothing and is drawn again. */
  readonly interrupted: boolean;
  /** What the interrupted run said it failed of: a SQLSTATE, a code, or nothing where it was killed. */
  readonly failedOf: string;
  readonly completed: boolean;
  readonly agrees: boolean;
  readonly twice: readonly string[];
  /** Why the next run did not complete. */
  readonly error?: string;
}

const RECOVERY_MS = 60_000;
const LONGEST_DELAY = 60;

/** What a database looks like when nothing interrupts the run. */
export async function undisturbed({ server, module }: Omit<Ground, 'random'>): Promise<Findings> {
  const database = await createTestDatabase(server, { prepare: prepareDatabase });
  try {
    await new Migrator({ connection: database.url, modules: [module] }).up();
    return await withClient(database.url, examine);
  } finally {
    await database.drop();
  }
}

/** Runs the files in a process of its own, lets the fault strike at a random point, runs them again, and looks. */
export async function trial(ground: Ground, fault: Fault, expected: Findings): Promise<TrialResult> {
  const { module, random } = ground;
  const { server = ground.server } = fault;
  const database = await createTestDatabase(server, { prepare: prepareDatabase });
  try {
    await fault.arm?.(database.url, random);
    const ended = await interruptedRun(database.url, ground, fault);
    await fault.settle?.();
    const error = await nextRun(database.url, module);
    if (error) return { ...ended, completed: false, agrees: false, twice: [], error };
    const findings = await withClient(database.url, examine);
    return { ...ended, completed: true, agrees: agrees(findings, expected), twice: findings.twice };
  } finally {
    await fault.settle?.();
    await database.drop();
  }
}

async function interruptedRun(
  url: string,
  { module, random }: Ground,
  fault: Fault,
): Promise<Pick<TrialResult, 'interrupted' | 'failedOf'>> {
  const proxy = await startProxy(url);
  try {
    const child = startChild(proxy.url, module);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const lines = new ChildLines(child);
    if (fault.strike) {
      const moment = { file: random.below(FILE_COUNT), delay: random.below(LONGEST_DELAY) };
      await Promise.race([lines.reached(moment.file), ended]);
      await Promise.race([sleep(moment.delay), ended]);
      if (child.exitCode === null) await fault.strike({ child, proxy, url });
    }
    const isFailed = (await ended) !== 0;
    const { failedOf } = lines;
    return { interrupted: isFailed && [undefined, failedOf].includes(fault.sqlState), failedOf };
  } finally {
    await proxy.close();
  }
}

function startChild(url: string, module: MigrationSource): ChildProcess {
  const preload = new URL('../tools/from-sources.js', import.meta.url).href;
  const script = new URL('child.ts', import.meta.url).pathname;
  return spawn(process.execPath, ['--import', preload, script, module.migrations], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** The error with which the next run did not complete; a server that is starting is waited for. */
async function nextRun(url: string, module: MigrationSource): Promise<string | undefined> {
  const migrator = new Migrator({ connection: url, modules: [module] });
  for (const deadline = performance.now() + RECOVERY_MS; ; await sleep(50)) {
    try {
      await migrator.up();
      return undefined;
    } catch (error) {
      const isAway = error instanceof MigrationError && error.code === 'MIGRATION.UNREACHABLE';
      if (!isAway || performance.now() > deadline)
        return error instanceof Error ? error.message : String(error);
    }
  }
}
