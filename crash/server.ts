import { execFile } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startTestServer, type TestServer } from 'tombstone/testing';
import { findBinaries } from '../src/kit/testing/binaries.ts';
import { chooseRunAs, type RunAs, runPrefix } from '../src/kit/testing/run-as.ts';
import { type Guard, keepServer } from './guard.ts';
import { withClient } from './prepare.ts';

/** How `pg_ctl stop` ends the server: after rolling back what runs, or at once, as in a crash. */
export type StopMode = 'fast' | 'immediate';

/** The suite's own server, which can be stopped and started. */
export interface CrashServer extends TestServer {
  readonly runAs: RunAs;
  /** Stops it in the middle of whatever it does, and starts it again on the same port. */
  restart(mode: StopMode): Promise<void>;
  /** Starts it where it has given up; waits until it answers. */
  revive(): Promise<void>;
  /** Puts its write-ahead log into a directory elsewhere. */
  moveLog(directory: string): Promise<void>;
}

const START_MS = 60_000;

/** Starts it. A commit lasts, as on a server in earnest. */
export async function startCrashServer(more: Readonly<Record<string, string>> = {}): Promise<CrashServer> {
  const runAs = chooseRunAs(findBinaries());
  const settings = { synchronous_commit: 'on', full_page_writes: 'on', ...more };
  const server = await startTestServer({ runAs, settings });
  const directory = server.directory ?? '';
  const data = join(directory, 'data');
  const command = commandOf(data);
  const binaries = dirname(command[0] ?? '');
  const prefix = runPrefix(runAs);
  let guard: Guard | undefined;
  const stop = (mode: StopMode): Promise<void> =>
    stopServer([...prefix, join(binaries, 'pg_ctl')], data, mode);
  const start = async (): Promise<void> => {
    await guard?.end();
    guard = keepServer(join(directory, 'server.log'), [...prefix, ...command]);
    await untilReady(data);
  };
  return {
    ...server,
    runAs,
    restart: async (mode) => {
      await stop(mode);
      await start();
    },
    revive: async () => {
      for (const deadline = performance.now() + START_MS; !(await answers(server.url())); await sleep(20)) {
        if (performance.now() > deadline)
          throw new Error('The server does not come back; its log tells why.');
        if (!isRunning(data)) await start();
      }
    },
    moveLog: async (target) => {
      await stop('fast');
      await promisify(execFile)('cp', ['-a', join(data, 'pg_wal'), target]);
      rmSync(join(data, 'pg_wal'), { recursive: true });
      symlinkSync(join(target, 'pg_wal'), join(data, 'pg_wal'));
      await start();
    },
    stop: async () => {
      await guard?.end();
      await server.stop();
    },
  };
}

/** The server writes down how it was started: its program, then every argument in quotes. */
function commandOf(data: string): string[] {
  const text = readFileSync(join(data, 'postmaster.opts'), 'utf8').trim();
  const [program = '', ...quoted] = text.split(' "');
  return [program, ...quoted.map((word) => word.slice(0, -1))];
}

async function stopServer(
  [program = '', ...words]: readonly string[],
  data: string,
  mode: StopMode,
): Promise<void> {
  await promisify(execFile)(program, [...words, 'stop', '-D', data, '-m', mode, '-w'], { cwd: '/' });
}

async function untilReady(data: string): Promise<void> {
  for (const deadline = performance.now() + START_MS; performance.now() < deadline; await sleep(10)) {
    if (statusLines(data)[7]?.trim() === 'ready') return;
  }
  throw new Error('The server did not start again; its log tells why.');
}

async function answers(url: string): Promise<boolean> {
  return withClient(url, () => Promise.resolve(true)).catch(() => false);
}

function isRunning(data: string): boolean {
  const pid = Number(statusLines(data)[0] ?? 0);
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function statusLines(data: string): string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
