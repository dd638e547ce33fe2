import { escapeIdentifier } from 'pg';
import type { Fault } from './faults.ts';
import { withClient } from './prepare.ts';
import { type CrashServer, startCrashServer } from './server.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** A way to fail, with what it needs beside the suite's server. */
export interface OwnFault extends Fault {
  close(): Promise<void>;
}

export const FULL_DISKS = ['full disk under the database', 'full disk under the log'] as const;

const TABLESPACE = 'crash_small';
/** A database has 8 MB before it holds anything. The log is cut back when a trial's database is made. */
const [OF_DATABASE, OF_LOG] = [24, 48];

/**
 * Only the data of the database is on the full disk: its statements fail, the server goes on.
 *
 * @returns undefined where this user may not mount anything.
 */
export async function fullDiskUnderDatabase(server: CrashServer): Promise<OwnFault | undefined> {
  const disk = mountSmallDisk(OF_DATABASE, server.runAs);
  if (!disk) return undefined;
  const ask = async (sql: string): Promise<unknown> =>
    withClient(server.url(), (client) => client.query(sql));
  await ask(`create tablespace ${TABLESPACE} location '${disk.directory}'`);
  return {
    name: FULL_DISKS[0],
    sqlState: '53100',
    arm: async (url) => {
      const name = escapeIdentifier(decodeURIComponent(new URL(url).pathname.slice(1)));
      await ask(`alter database ${name} set tablespace ${TABLESPACE}`);
    },
    strike: async () => disk.fill(),
    settle: async () => disk.free(),
    close: () => disk.close(),
  };
}

/**
 * Only the log is on the full disk: where the next piece of it cannot be made the server gives up, and does not come back by
 * itself.
 *
 * @returns undefined where this user may not mount anything.
 */
export async function fullDiskUnderLog({ runAs }: CrashServer): Promise<OwnFault | undefined> {
  const disk = mountSmallDisk(OF_LOG, runAs);
  if (!disk) return undefined;
  const server = await startOn(disk);
  return {
    name: FULL_DISKS[1],
    server,
    strike: async ({ url }) => {
      disk.fill();
      // Whoever writes next needs a new piece of the log. That may be this very session.
      await withClient(url, (client) => client.query('select pg_switch_wal()')).catch(() => undefined);
    },
    settle: async () => {
      disk.free();
      await server.revive();
    },
    close: async () => {
      await server.stop();
      await disk.close();
    },
  };
}

async function startOn(disk: SmallDisk): Promise<CrashServer> {
  // A piece of the log that is used again needs no room.
  const server = await startCrashServer({ wal_recycle: 'off', min_wal_size: '2MB' });
  try {
    await server.moveLog(disk.directory);
    return server;
  } catch (error) {
    await server.stop();
    await disk.close();
    throw error;
  }
}
