import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NOBODY, type RunAs } from '../src/kit/testing/run-as.ts';
import { startGuard } from './guard.ts';

/** A file system of its own, small enough to be filled in a moment. */
export interface SmallDisk {
  readonly directory: string;
  /** Takes the last free byte. */
  fill(): void;
  free(): void;
  close(): Promise<void>;
}

/** Takes the mount away when nobody is there any more who wants it. */
const UNMOUNT = 'cat >/dev/null; umount -l "$1"; rmdir "$1"';

/**
 * @param runAs how the server runs that shall write on it.
 * @returns undefined where this user may not mount anything.
 */
export function mountSmallDisk(megabytes: number, runAs: RunAs): SmallDisk | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'tombstone-crash-disk-'));
  const mount = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tombstone-crash', directory];
  if (spawnSync('mount', mount).status !== 0) {
    rmdirSync(directory);
    return undefined;
  }
  const guard = startGuard(UNMOUNT, [directory]);
  if (runAs === 'nobody') chownSync(directory, NOBODY, NOBODY);
  const filler = join(directory, 'filler');
  return {
    directory,
    fill: () => fill(filler),
    free: () => rmSync(filler, { force: true }),
    close: () => guard.end(),
  };
}

/** Writes until the operating system refuses, in ever smaller pieces. */
function fill(path: string): void {
  const file = openSync(path, 'a');
  for (let size = 2 ** 20; size >= 1; size /= 2) {
    const piece = Buffer.alloc(size, 1);
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
}
