import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { ClusterDirectory } from './cluster-directory.ts';
import { removeCluster } from './leftovers.ts';

/** The running supervisor of one cluster, as its parent sees it. */
export interface Supervisor {
  readonly child: ChildProcess;
  readonly paths: ClusterDirectory;
  /** Settles when the supervisor has ended, by when the server is stopped and the directory is gone. */
  readonly ended: Promise<void>;
}

/** Starts a supervisor; from now on the end of this process is the end of the cluster. */
export function spawnSupervisor(paths: ClusterDirectory, script: string, password: string): Supervisor {
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

/** Lets this process end while the supervisor runs. */
export function unref(child: ChildProcess): void {
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
}

/** Lets the cluster outlive this process. */
export async function letGo(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    if (child.stdin) child.stdin.end('detach\n', resolve);
    else resolve();
  });
}

/** A function that stops the cluster and removes its directory, once however often it is called. */
export function stopOnce({ child, paths, ended }: Supervisor): () => Promise<void> {
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
