import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Socket, createServer } from 'node:net';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries } from './binaries.ts';
import {
  type ClusterDirectory,
  newClusterDirectory,
  pidNamespace,
  temporaryParent,
  temporaryParents,
} from './cluster-directory.ts';
import { TestServerError } from './errors.ts';
import { removeCluster, sweepLeftovers } from './leftovers.ts';
import { type RunAs, chooseRunAs } from './run-as.ts';
import { serverCommands } from './server-commands.ts';
import { supervisorScript } from './supervisor.ts';

/** How to start the embedded server; every part has a default that suits tests. */
export interface EmbeddedServerOptions {
  /** TCP port on 127.0.0.1; a free one is taken when left out. */
  port?: number;
  /** Server settings, as in postgresql.conf; they win over ours. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  /** The directory in which the temporary cluster directory is made. */
  dataParent?: string;
  /** Let the server outlive this process; `kill` of the supervisor's pid stops it and removes its directory. */
  detached?: boolean;
  /** Keep PostgreSQL's crash safety on; off by default, as a test cluster is thrown away. */
  durable?: boolean;
  /** Overrides how the server is kept from running as root; chosen by what works when left out. */
  runAs?: RunAs;
}

/** A running embedded server. */
export interface EmbeddedServer {
  readonly url: string;
  readonly pid: number;
  readonly supervisorPid: number;
  readonly directory: string;
  stop(): Promise<void>;
}

interface Supervisor {
  readonly child: ChildProcess;
  readonly paths: ClusterDirectory;
  /** Settles when the supervisor has ended, by when the server is stopped and the directory is gone. */
  readonly ended: Promise<void>;
}

const START_MS = 60_000;
const PORT_TRIES = 3;

/** Starts a PostgreSQL of its own in a temporary directory; whatever ends this process, both are removed. */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const native = findBinaries();
  const runAs = options.runAs ?? chooseRunAs(native);
  const parent = options.dataParent ?? temporaryParent(runAs);
  await sweepLeftovers(new Set([parent, ...temporaryParents()]));
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await startOnPort({ native, runAs, parent, port, options });
    } catch (error) {
      // Between asking for a free port and using it lies initdb's second; another process may have taken it.
      const taken = error instanceof TestServerError && error.message.includes('could not bind');
      if (!taken || options.port !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}

interface Start {
  native: string;
  runAs: RunAs;
  parent: string;
  port: number;
  options: EmbeddedServerOptions;
}

async function startOnPort({ native, runAs, parent, port, options }: Start): Promise<EmbeddedServer> {
  const paths = newClusterDirectory(parent);
  const password = randomBytes(18).toString('base64url');
  const commands = serverCommands({ ...options, native, runAs, paths, port });
  const supervisor = spawnSupervisor(
    paths,
    supervisorScript(paths.directory, pidNamespace(), commands),
    password,
  );
  const stop = stopOnce(supervisor);
  try {
    const pid = await serverReady(supervisor);
    if (options.detached) await letGo(supervisor.child);
    return {
      url: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`,
      pid,
      supervisorPid: supervisor.child.pid ?? 0,
      directory: paths.directory,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function spawnSupervisor(paths: ClusterDirectory, script: string, password: string): Supervisor {
  const child = spawn('/bin/sh', ['-c', script, 'tombstone-pg-supervisor'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // Nothing else of the environment: PGDATA, PGPORT, LC_* and LD_PRELOAD would change the server.
    env: { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', LANG: 'C', TZ: 'UTC' },
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  // Writing to a supervisor that has just ended is no news: `ended` tells.
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(`${password}\n`);
  return { child, paths, ended };
}

async function serverReady({ child, paths, ended }: Supervisor): Promise<number> {
  let gone = false;
  void ended.then(() => (gone = true));
  for (const deadline = Date.now() + START_MS; ; await sleep(10)) {
    const status = readText(join(paths.data, 'postmaster.pid')).split('\n');
    if (status[7]?.trim() === 'ready') break;
    if (gone || existsSync(paths.ended) || Date.now() > deadline) throw startFailed(paths);
  }
  // From here on the server shall not keep this process alive.
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return Number.parseInt(readText(join(paths.data, 'postmaster.pid')), 10);
}

async function letGo(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    if (child.stdin) child.stdin.end('detach\n', resolve);
    else resolve();
  });
}

function stopOnce({ child, paths, ended }: Supervisor): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    child.ref();
    child.kill('SIGTERM');
    child.stdin?.destroy();
    await ended;
    // Only when the supervisor was killed is there something left to do.
    await removeCluster(paths.directory);
  };
  return () => (stopped ??= stop());
}

function startFailed(paths: ClusterDirectory): TestServerError {
  const lines = readText(paths.log).trim().split('\n').slice(-12).join('\n');
  return new TestServerError(
    'TESTING.START_FAILED',
    `The embedded PostgreSQL did not start in ${paths.directory}; nothing of it was left behind. Remove the reason ` +
      `below, or start a PostgreSQL yourself and pass its URL as \`url\`.\n${lines || 'It wrote no reason.'}`,
  );
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => {
    probe.close(resolve);
  });
  return typeof address === 'object' && address ? address.port : 0;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
