import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
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
import { TestServerError, errorCodeOf } from './errors.ts';
import { sweepLeftovers } from './leftovers.ts';
import { type RunAs, chooseRunAs } from './run-as.ts';
import { type FakeClock, serverCommands } from './server-commands.ts';
import { type Supervisor, letGo, spawnSupervisor, stopOnce, unref } from './supervisor-process.ts';
import { supervisorScript } from './supervisor-script.ts';

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
  /** Lets the server believe that it is another day. */
  fakeClock?: FakeClock;
}

/** A running embedded server. */
export interface EmbeddedServer {
  readonly url: string;
  readonly pid: number;
  readonly supervisorPid: number;
  readonly directory: string;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const PORT_TRIES = 3;

/** Starts a PostgreSQL of its own in a temporary directory; whatever ends this process, both are removed. */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const native = findBinaries();
  const runAs = options.runAs ?? chooseRunAs(native);
  const parent = options.dataParent ?? temporaryParent(runAs);
  assertWritable(parent);
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

async function serverReady({ child, paths, ended }: Supervisor): Promise<number> {
  let gone = false;
  void ended.then(() => (gone = true));
  for (const deadline = Date.now() + START_MS; ; await sleep(10)) {
    const status = readText(join(paths.data, 'postmaster.pid')).split('\n');
    if (status[7]?.trim() === 'ready') break;
    if (gone || existsSync(paths.ended) || Date.now() > deadline) throw startFailed(paths);
  }
  // From here on the server shall not keep this process alive.
  unref(child);
  return Number.parseInt(readText(join(paths.data, 'postmaster.pid')), 10);
}

function startFailed(paths: ClusterDirectory): TestServerError {
  const lines = readText(paths.log).trim().split('\n').slice(-12).join('\n');
  return new TestServerError(
    'TESTING.START_FAILED',
    `The embedded PostgreSQL did not start in ${paths.directory}; nothing of it was left behind. Remove the reason ` +
      `below, or start a PostgreSQL yourself and pass its URL as \`url\`.\n${lines || 'It wrote no reason.'}`,
  );
}

function assertWritable(parent: string): void {
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new TestServerError(
      'TESTING.START_FAILED',
      `The embedded PostgreSQL needs a directory for its files, and ${parent} cannot be written ` +
        `(${errorCodeOf(error)}). Make it writable, or name another one as \`dataParent\` or in TMPDIR.`,
    );
  }
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
