import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterPaths, directoryPrefix, pidNamespace } from './cluster-directory.ts';
import { errorCodeOf } from './errors.ts';
import { NOBODY } from './run-as.ts';

const STARTING_MS = 60_000;
const STOP_TRIES = 100;

/** Removes what killed supervisors left in these places, servers included; a cluster in use is never touched. */
export async function sweepLeftovers(parents: Iterable<string>): Promise<void> {
  for (const parent of parents) {
    for (const directory of ownDirectories(parent)) {
      if (isLeftover(directory)) await removeCluster(directory);
    }
  }
}

/** Stops the server of this directory, when there is one, and removes the directory. */
export async function removeCluster(directory: string): Promise<void> {
  const pid = firstNumber(join(clusterPaths(directory).data, 'postmaster.pid'));
  if (pid !== undefined) await stopServer(pid, directory);
  // Two starts may sweep the same leftover: with retries the slower one ends quietly.
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

async function stopServer(pid: number, directory: string): Promise<void> {
  for (let tries = 0; isRunning(pid, directory) && tries < STOP_TRIES; tries += 1) {
    signal(pid, tries < STOP_TRIES / 2 ? 'SIGQUIT' : 'SIGKILL');
    await sleep(50);
  }
}

function ownDirectories(parent: string): string[] {
  const uid = process.getuid?.();
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(directoryPrefix))
      .map((entry) => join(parent, entry.name))
      .filter((directory) => {
        const owner = statSync(directory, { throwIfNoEntry: false })?.uid;
        return owner === uid || (uid === 0 && owner === NOBODY);
      });
  } catch {
    return []; // no such place on this machine
  }
}

function isLeftover(directory: string): boolean {
  const paths = clusterPaths(directory);
  const [pid, namespace] = (readOrEmpty(paths.supervisorPid).trim() || ' ').split(' ');
  if (!pid) {
    // The supervisor makes the directory first and writes its pid next.
    const made = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
    return made !== undefined && Date.now() - made > STARTING_MS;
  }
  return namespace === pidNamespace() && !isRunning(Number(pid), directory);
}

// A pid alone proves nothing, it may have been given to another program since: the command line names the directory.
function isRunning(pid: number, directory: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCodeOf(error) === 'ESRCH') return false;
  }
  return commandLine(pid).includes(directory);
}

function commandLine(pid: number): string {
  if (process.platform === 'linux') return readOrEmpty(`/proc/${pid}/cmdline`);
  return spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
}

function signal(pid: number, name: 'SIGQUIT' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended in the meantime
  }
}

function firstNumber(file: string): number | undefined {
  const value = Number.parseInt(readOrEmpty(file), 10);
  return Number.isInteger(value) && value > 1 ? value : undefined;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
