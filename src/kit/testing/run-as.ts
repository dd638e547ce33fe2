import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * How the server process is kept from running as root, which PostgreSQL refuses.
 *
 * - `self`: as the calling user.
 * - `namespace`: in a user namespace, where the process is "nobody" but files stay the caller's, so that a project
 *   below a closed home directory works.
 * - `nobody`: really as user 65534, from a copy of the binaries which that user can reach.
 */
export type RunAs = 'self' | 'namespace' | 'nobody';

/** The overflow user and group of Linux; initdb wants a user that has a passwd entry, and this one has. */
export const NOBODY = 65_534;

const NAMESPACE = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`] as const;

// Node is the one program sure to be here that can change its user and then become another program.
const BECOME_NOBODY = [
  'process.setgroups([])',
  `process.setgid(${NOBODY})`,
  `process.setuid(${NOBODY})`,
  'process.execve(process.argv[1], process.argv.slice(1), process.env)',
].join(';');

/** Words to put before a command so that it runs in the given way. */
export function runPrefix(runAs: RunAs): string[] {
  if (runAs === 'namespace') return [...NAMESPACE];
  if (runAs === 'nobody') return [process.execPath, '--no-warnings', '--eval', BECOME_NOBODY, '--'];
  return [];
}

/** The first way that works on this machine with the binaries where they are. */
export function chooseRunAs(native: string): RunAs {
  const root = process.getuid?.() === 0;
  if (!root && hasPasswdEntry()) return 'self';
  // Tried with the real program: a root without its capabilities may not be allowed into another user's home.
  const [unshare, ...flags] = NAMESPACE;
  const trial = [...flags, join(native, 'bin', 'postgres'), '--version'];
  if (spawnSync(unshare, trial, { cwd: '/', stdio: 'ignore' }).status === 0) return 'namespace';
  return root ? 'nobody' : 'self';
}

// Containers often run under a bare number, and initdb refuses a user whose name it cannot look up.
function hasPasswdEntry(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}
