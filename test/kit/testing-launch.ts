import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServerOptions } from '../../src/kit/testing/index.ts';
import type { Ending } from './testing-child.ts';

/** What the child program printed: a running server or a typed refusal. */
export interface Report {
  readonly url: string;
  readonly pid: number;
  readonly supervisorPid: number;
  readonly directory: string;
  readonly version: string;
  readonly code?: string;
  readonly message?: string;
}

/** The child program and a promise of what it prints. */
export interface Launched {
  readonly child: ChildProcess;
  readonly report: Promise<Report>;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** How to launch the child program; by default this Node runs this repository's program. */
export interface Launch {
  options?: TestServerOptions;
  ending?: Ending;
  script?: string;
  node?: string;
  /** Goes before Node. */
  wrapper?: readonly string[];
  uid?: number;
  cwd?: string;
  path?: string;
  tmpdir?: string;
}

const ownScript = fileURLToPath(new URL('testing-child.ts', import.meta.url));

const children: ChildProcess[] = [];
const parents: string[] = [];

/** Starts the child program in a process group of its own, as a terminal would. */
export function launch({ options, ending, uid, ...how }: Launch): Launched {
  const words = [...(how.wrapper ?? []), how.node ?? process.execPath, how.script ?? ownScript];
  const child = spawn(words[0] ?? '', [...words.slice(1), JSON.stringify({ options, ending })], {
    cwd: how.cwd ?? '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: how.path ?? process.env['PATH'], ...(how.tmpdir && { TMPDIR: how.tmpdir }) },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  children.push(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(signal ?? code));
  });
  const report = new Promise<Report>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(JSON.parse(text)));
    void ended.then((end) => reject(new Error(`It ended (${end}) and printed nothing: ${errors}`)), reject);
  });
  // A child that is killed before it prints has no report, and some tests want exactly that.
  report.catch(() => undefined);
  return { child, report, ended };
}

/** A new directory for clusters that every user can enter and write. */
export function clusterParent(): string {
  const parent = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tombstone-test-'));
  chmodSync(parent, 0o1777);
  parents.push(parent);
  return parent;
}

/** Ends what failed tests left running, and removes the directories made by `clusterParent`. */
export async function removeClusterParents(): Promise<void> {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const parent of parents.splice(0)) {
    await settled(parent, ({ processes }) => processes.length === 0);
    rmSync(parent, { recursive: true, force: true });
  }
}

/** What is in a directory, and the command lines that name it. */
export interface Remains {
  readonly directories: string[];
  readonly processes: string[];
}

/** The directories in `parent` and the processes whose command line names it. */
export function remains(parent: string): Remains {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => commandLine(Number(pid)))
    .filter((line) => line.includes(parent) && !line.includes('testing-child.ts'));
  return { directories: readdirSync(parent), processes };
}

/** Waits until nothing is left, and returns what is left after 15 s. */
export async function settled(parent: string, clean = isClean): Promise<Remains> {
  for (const deadline = Date.now() + 15_000; ; await sleep(20)) {
    const left = remains(parent);
    if (clean(left) || Date.now() > deadline) return left;
  }
}

function isClean({ directories, processes }: Remains): boolean {
  return directories.length + processes.length === 0;
}

/** The arguments of a process, empty when it is gone. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** What `remains` and `settled` return when all is clean. */
export const nothing: Remains = { directories: [], processes: [] };
