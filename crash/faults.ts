import type { ChildProcess } from 'node:child_process';
import { withClient } from './prepare.ts';
import type { Proxy } from './proxy.ts';
import type { Random } from './random.ts';
import type { CrashServer, StopMode } from './server.ts';

/** The run that a fault strikes. */
export interface Victim {
  readonly child: ChildProcess;
  readonly proxy: Proxy;
  readonly url: string;
}

/** Something that goes wrong: set up before the run, or done to it at the chosen moment. */
export interface Fault {
  readonly name: string;
  /** With which SQLSTATE the run has to end, where only that one shows that the fault has struck. */
  readonly sqlState?: string;
  /** The server that it strikes, where that is another one than the suite's. */
  readonly server?: CrashServer;
  arm?(url: string, random: Random): Promise<void>;
  strike?(victim: Victim): Promise<void>;
  /** Takes the cause away, after the run has ended; may be repeated. */
  settle?(): Promise<void>;
}

const BACKEND = `select pid from pg_stat_activity where datname = current_database() and application_name like 'tombstone migrate%'`;

/** Every way that needs nothing but the server. */
export function faultsOn(server: CrashServer): Fault[] {
  return [
    { name: 'SIGKILL of the client', strike: async ({ child }) => void child.kill('SIGKILL') },
    {
      name: 'pg_terminate_backend',
      strike: async ({ url }) => {
        const terminate = BACKEND.replace('select pid', 'select pg_terminate_backend(pid)');
        await withClient(url, (client) => client.query(terminate));
      },
    },
    { name: 'dropped socket', strike: async ({ proxy }) => proxy.cut() },
    {
      // The postmaster then ends all other backends and starts again with crash recovery.
      name: 'crash of a backend',
      strike: async ({ url }) => {
        const { rows } = await withClient(url, (client) => client.query<{ pid: number }>(BACKEND));
        for (const { pid } of rows) kill(pid);
      },
    },
    ...(['fast', 'immediate'] as const).map((mode) => restart(server, mode)),
    {
      // Blows the fuse at a random DDL statement: about thirty are in a run.
      name: 'raised 53100 behind a DDL statement',
      sqlState: '53100',
      arm: (url, random) => setFuse(url, 'ddl', 1 + random.below(28)),
    },
    {
      // The four builds of a run read about 400 rows each, twice.
      name: 'raised 53100 in an index build',
      sqlState: '53100',
      arm: (url, random) => setFuse(url, 'build', 1 + random.below(2400)),
    },
  ];
}

const restart = (server: CrashServer, mode: StopMode): Fault => ({
  name: `pg_ctl stop -m ${mode}, then start`,
  strike: () => server.restart(mode),
});

/** The run may have ended on its own since. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function setFuse(url: string, fuse: 'ddl' | 'build', at: number): Promise<void> {
  await withClient(url, (client) => client.query(`update crash.fuses set ${fuse} = $1`, [at]));
}
