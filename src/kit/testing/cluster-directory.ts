import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunAs } from './run-as.ts';

const SHARED_MEMORY = '/dev/shm';
const ENOUGH_MEMORY = 2 ** 30;

/** Every temporary cluster directory starts with this; the sweep of leftovers looks for it. */
export const directoryPrefix = 'tombstone-pg-';

/** The files and directories of one temporary cluster. The supervisor makes and removes `directory`, nobody else. */
export interface ClusterDirectory {
  readonly directory: string;
  readonly data: string;
  readonly password: string;
  readonly log: string;
  readonly supervisorPid: string;
  readonly ended: string;
  /** A copy of the binaries, made only when the server runs as nobody. */
  readonly binaries: string;
}

/** The paths inside one cluster directory. */
export function clusterPaths(directory: string): ClusterDirectory {
  return {
    directory,
    data: join(directory, 'data'),
    password: join(directory, 'password'),
    log: join(directory, 'server.log'),
    supervisorPid: join(directory, 'supervisor.pid'),
    ended: join(directory, 'ended'),
    binaries: join(directory, 'binaries'),
  };
}

/** A new, unique path; nothing is created yet. */
export function newClusterDirectory(parent: string): ClusterDirectory {
  return clusterPaths(join(parent, `${directoryPrefix}${randomBytes(6).toString('hex')}`));
}

/** Where temporary clusters go: shared memory when it has room (clones are 2 to 10 times faster), else TMPDIR. */
export function temporaryParent(runAs: RunAs): string {
  return process.env['TMPDIR'] === undefined && hasSharedMemory(runAs === 'nobody')
    ? SHARED_MEMORY
    : tmpdir();
}

/** Every place where an earlier run may have left something. */
export function temporaryParents(): string[] {
  return [...new Set([SHARED_MEMORY, tmpdir()])];
}

// Containers commonly give 64 MB of it, and mount it so that the copied binaries could not be executed.
function hasSharedMemory(mustExecute: boolean): boolean {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    return bavail * bsize > ENOUGH_MEMORY && !(mustExecute && isNoExec(SHARED_MEMORY));
  } catch {
    return false;
  }
}

function isNoExec(mountPoint: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .some(([, point, , options]) => point === mountPoint && options?.split(',').includes('noexec'));
}

/**
 * Which set of process ids this process sees. Two containers may share a temporary directory, and then a pid in it
 * says nothing to the other one.
 */
export function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'none';
  }
}
