import { join } from 'node:path';
import type { ClusterDirectory } from './cluster-directory.ts';
import { NOBODY, type RunAs, runPrefix } from './run-as.ts';
import type { Command } from './supervisor-script.ts';

/** What decides the command lines of one embedded server. */
export interface ServerPlan {
  readonly native: string;
  readonly runAs: RunAs;
  readonly paths: ClusterDirectory;
  readonly port: number;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly durable?: boolean;
  readonly fakeClock?: FakeClock;
}

/** Another time for a server: its library, `libfaketimeMT.so.1` of Debian's package `libfaketime`, and how far away, as `+200d`. */
export interface FakeClock {
  readonly library: string;
  readonly offset: string;
}

type Settings = Record<string, string | number | boolean>;

// The kernel's limit of a socket's path is 104 to 108 bytes, ours a bit lower.
const LONGEST_SOCKET_PATH = 100;

// A test cluster is thrown away: losing it in a crash of the machine costs nothing. Each of several test files may want a pool
// of dozens of connections, as tests of races do.
const THROW_AWAY: Settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: 0,
  jit: 'off',
  max_connections: 400,
};

/** The commands, in order, that make a cluster and run its server. */
export function serverCommands(plan: ServerPlan): Command[] {
  const { native, runAs, paths } = plan;
  const prefix = runPrefix(runAs);
  if (runAs !== 'nobody')
    return [
      [...prefix, ...initdb(native, plan)],
      [...prefix, ...postgres(native, plan)],
    ];
  return [
    ['cp', '-R', native, paths.binaries],
    ['chown', '-hR', `${NOBODY}:${NOBODY}`, paths.directory],
    [...prefix, ...initdb(paths.binaries, plan)],
    [...prefix, ...postgres(paths.binaries, plan)],
  ];
}

function initdb(native: string, { paths, durable }: ServerPlan): Command {
  return [
    join(native, 'bin', 'initdb'),
    `--pgdata=${paths.data}`,
    '--username=postgres',
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
    `--pwfile=${paths.password}`,
    '--encoding=UTF8',
    // The same sorting and case rules on every machine.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync', '--no-data-checksums', '--wal-segsize=1']),
  ];
}

function postgres(native: string, { paths, port, settings, durable, fakeClock }: ServerPlan): Command {
  const socket = Buffer.byteLength(join(paths.directory, `.s.PGSQL.${port}`)) <= LONGEST_SOCKET_PATH;
  const all: Settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: socket ? paths.directory : '',
    unix_socket_permissions: '0700',
    // As files of the cluster instead of /dev/shm: gone with its directory, also after a kill.
    dynamic_shared_memory_type: 'mmap',
    ...(durable ? {} : THROW_AWAY),
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return [...clockPrefix(fakeClock), join(native, 'bin', 'postgres'), '-D', paths.data, ...flags];
}

/** Time-outs of the server are measured on the monotonic clock, which stays as it is. */
function clockPrefix(clock: FakeClock | undefined): Command {
  if (!clock) return [];
  return ['env', `LD_PRELOAD=${clock.library}`, `FAKETIME=${clock.offset}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1'];
}
