import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeIdentifier } from 'pg';
import { NOBODY } from '../src/kit/testing/run-as.ts';
import { startGuard } from './guard.ts';
import { withClient } from './prepare.ts';
import type { CrashServer } from './server.ts';

/** A file system of its own, small enough to be filled in a moment, as a tablespace of the server. */
export interface SmallDisk {
  /** Moves a whole database onto it, catalogues included. */
  take(database: string): Promise<void>;
  /** Takes the last free byte. */
  fill(): void;
  free(): void;
  close(): Promise<void>;
}

const TABLESPACE = 'crash_small';
/** A database has 8 MB before it holds anything. */
const SIZE = '24m';

/** Takes the mount away when nobody is there any more who wants it. */
const UNMOUNT = 'cat >/dev/null; umount -l "$1"; rmdir "$1"';

/** @returns undefined where this user may not mount anything. */
export async function mountSmallDisk(server: CrashServer): Promise<SmallDisk | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'tombstone-crash-disk-'));
  const mount = ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tombstone-crash', directory];
  if (spawnSync('mount', mount).status !== 0) {
    rmdirSync(directory);
    return undefined;
  }
  const guard = startGuard(UNMOUNT, [directory]);
  const filler = join(directory, 'filler');
  const disk: SmallDisk = {
    take: async (database) => {
      const move = `alter database ${escapeIdentifier(database)} set tablespace ${TABLESPACE}`;
      await withClient(server.url(), (client) => client.query(move));
    },
    fill: () => fill(filler),
    free: () => rmSync(filler, { force: true }),
    close: () => guard.end(),
  };
  try {
    await createTablespace(server, directory);
    return disk;
  } catch (error) {
    await disk.close();
    throw error;
  }
}

async function createTablespace(server: CrashServer, directory: string): Promise<void> {
  if (server.runAs === 'nobody') chownSync(directory, NOBODY, NOBODY);
  await withClient(server.url(), (client) =>
    client.query(`create tablespace ${TABLESPACE} location '${directory}'`),
  );
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
