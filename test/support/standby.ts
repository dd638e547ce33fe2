import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type Guard, keepServer } from '../../crash/guard.ts';
import { NOBODY, runPrefix } from '../../src/kit/testing/run-as.ts';

/** A server with a standby that streams from it. */
export interface Pair {
  readonly primary: string;
  readonly standby: string;
  /** Kills the standby, as its machine would end; the primary goes on. */
  killStandby(): Promise<void>;
  stop(): Promise<void>;
}

// The embedded server comes without pg_basebackup; Debian keeps versions side by side.
const DEBIAN = '/usr/lib/postgresql';
const BIN = (existsSync(DEBIAN) ? readdirSync(DEBIAN) : [])
  .map((version) => join(DEBIAN, version, 'bin'))
  .find((bin) => ['initdb', 'postgres', 'pg_basebackup'].every((name) => existsSync(join(bin, name))));

/** Whether this machine can make a standby; says loudly what is not tested when it cannot. */
export function hasStandby(subject: string): boolean {
  if (BIN) return true;
  process.stderr.write(`\nNOT TESTED: ${subject}. Install PostgreSQL: apt-get install postgresql\n\n`);
  return false;
}

const PREFIX = runPrefix(process.getuid?.() === 0 ? 'nobody' : 'self');
const FLAGS = [
  'fsync=off',
  'unix_socket_directories=',
  'listen_addresses=127.0.0.1',
  'wal_receiver_status_interval=1',
];

/** Starts both on free ports; they end with this process. */
export async function startPair(): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'tombstone-standby-'));
  if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
  const guards: Guard[] = [];
  const stop = async (): Promise<void> => {
    for (const guard of guards.toReversed()) await guard.end();
    rmSync(folder, { recursive: true, force: true });
  };
  const killStandby = async (): Promise<void> => {
    // The first line is the number of the server's first process; the guard ends with it.
    const [pid = ''] = readFileSync(join(folder, 'standby', 'postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), 'SIGQUIT');
    await guards.pop()?.end();
  };
  const start = async (name: string): Promise<string> => {
    const port = await freePort();
    const flags = [...FLAGS, `port=${port}`].flatMap((flag) => ['-c', flag]);
    const command = [...PREFIX, join(BIN ?? '', 'postgres'), '-D', join(folder, name), ...flags];
    guards.push(keepServer(join(folder, `${name}.log`), command));
    return untilReady(`postgresql://postgres@127.0.0.1:${port}/postgres`);
  };
  try {
    await program('initdb', ['-D', join(folder, 'primary'), '-U', 'postgres', '-A', 'trust', '--no-sync']);
    const primary = await start('primary');
    await program('pg_basebackup', [
      '-D',
      join(folder, 'standby'),
      '-R',
      '-d',
      primary,
      '--no-sync',
      '-c',
      'fast',
    ]);
    return { primary, standby: await start('standby'), killStandby, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function program(name: string, args: readonly string[]): Promise<void> {
  const [first = '', ...words] = [...PREFIX, join(BIN ?? '', name), ...args];
  await promisify(execFile)(first, words, { cwd: '/' });
}

async function untilReady(url: string): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    const isReady = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (isReady) return url;
    await sleep(50);
  }
  throw new Error('The server does not start.');
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => {
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => {
    probe.close(resolve);
  });
  return typeof address === 'object' && address ? address.port : 0;
}
