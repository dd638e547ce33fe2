import type { ChildProcess } from 'node:child_process';
import { withClient } from './prepare.ts';
import type { Proxy } from './proxy.ts';
import type { Random } from './random.ts';

/** The run that a fault strikes. */
export interface Victim {
  readonly child: ChildProcess;
  readonly proxy: Proxy;
  readonly url: string;
}

/** Something that goes wrong: set up before the run, or done to it at the chosen moment. */
export interface Fault {
  readonly name: string;
  arm?(url: string, random: Random): Promise<void>;
  strike?(victim: Victim): Promise<void>;
}

const BACKEND = `select pid from pg_stat_activity where datname = current_database() and application_name like 'tombstone migrate%'`;

/** Blows the fuse at a random DDL statement: about thirty are in a run. */
const fullDisk: Fault = {
  name: 'disk full at the end of a DDL statement',
  arm: (url, random) => setFuse(url, 'ddl', 1 + random.below(28)),
};

/** The four builds of a run read about 400 rows each, twice. */
const fullDiskInBuild: Fault = {
  name: 'disk full in the middle of an index build',
  arm: (url, random) => setFuse(url, 'build', 1 + random.below(2400)),
};

/** Every way in which a run is interrupted. */
export const FAULTS: readonly Fault[] = [
  { name: 'SIGKILL of the client', strike: async ({ child }) => void child.kill('SIGKILL') },
  {
    name: 'pg_terminate_backend',
    strike: async ({ url }) => {
      const kill = BACKEND.replace('select pid', 'select pg_terminate_backend(pid)');
      await withClient(url, (client) => client.query(kill));
    },
  },
  { name: 'dropped socket', strike: async ({ proxy }) => proxy.cut() },
  {
    // The postmaster then ends all other backends and starts again with crash recovery.
    name: 'server restart after the crash of a backend',
    strike: async ({ url }) => {
      const { rows } = await withClient(url, (client) => client.query<{ pid: number }>(BACKEND));
      for (const { pid } of rows) process.kill(pid, 'SIGKILL');
    },
  },
  fullDisk,
  fullDiskInBuild,
];

async function setFuse(url: string, fuse: 'ddl' | 'build', at: number): Promise<void> {
  await withClient(url, (client) => client.query(`update crash.fuses set ${fuse} = $1`, [at]));
}
