import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** PgBouncer in transaction mode in front of a server. */
export interface Pooler {
  /** The server's URL with the pooler's port in it. */
  readonly url: string;
  stop(): Promise<void>;
}

const NOBODY = 65_534;
const PROGRAM = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find((file) => existsSync(file));

/** Whether this machine has PgBouncer; says so loudly when it has not. */
export function hasPooler(): boolean {
  if (PROGRAM) return true;
  process.stderr.write(
    '\nNOT TESTED: migrations behind a pooler. Install PgBouncer: apt-get install pgbouncer\n\n',
  );
  return false;
}

/** Starts it on a free port with so many server connections, for the database of the URL. */
export async function startPooler(url: string, poolSize: number): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), 'tombstone-pgbouncer-'));
  const port = await freePort();
  const configuration = writeConfiguration(folder, new URL(url), port, poolSize);
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(PROGRAM ?? 'pgbouncer', ['-q', configuration], { ...owner, stdio: 'ignore' });
  const stop = stopOf(child, folder);
  try {
    await untilListening(child, port);
  } catch (error) {
    await stop();
    throw error;
  }
  const own = new URL(url);
  own.port = String(port);
  return { url: own.href, stop };
}

function writeConfiguration(folder: string, server: URL, port: number, poolSize: number): string {
  const users = join(folder, 'users.txt');
  const configuration = join(folder, 'pgbouncer.ini');
  const password = decodeURIComponent(server.password);
  writeFileSync(users, `"${decodeURIComponent(server.username)}" "${password}"\n`);
  writeFileSync(
    configuration,
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'pool_mode = transaction',
      `default_pool_size = ${poolSize}`,
      'max_client_conn = 100',
      'auth_type = trust',
      `auth_file = ${users}`,
      '',
    ].join('\n'),
  );
  if (process.getuid?.() === 0) for (const file of [users, configuration]) chownSync(file, NOBODY, NOBODY);
  return configuration;
}

function stopOf(child: ChildProcess, folder: string): () => Promise<void> {
  const ended = new Promise((resolve) => {
    child.once('close', resolve);
    child.once('error', resolve);
  });
  return async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}`);
    if (await isListening(port)) return;
    await sleep(20);
  }
  throw new Error('PgBouncer does not listen');
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
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
